//! Links lead somewhere.

use crate::document::{Document, documents, nothing_wrong, root};

#[test]
fn every_link_within_the_repository_leads_to_a_file_and_a_heading() {
    let (mut wrong, mut followed) = (Vec::new(), 0);
    for document in documents() {
        for link in document.links().into_iter().filter(|link| !link.what.contains("://")) {
            followed += 1;
            if let Err(why) = follow(&document, &link.what) {
                wrong.push(format!("{}:{}: {} {why}", document.name, link.line, link.what));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(followed > 50, "{followed}");
}

fn follow(document: &Document, link: &str) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() { root().join(&document.name) } else { document.folder().join(path) };
    let target = target.canonicalize().map_err(|_| "is not there")?;
    let Some(anchor) = anchor else { return Ok(()) };
    let name = target.strip_prefix(root().canonicalize().unwrap()).map_err(|_| "leads out of the repository")?;
    let anchors = Document::read(name.to_str().unwrap()).anchors();
    anchors.iter().any(|found| found == anchor).then_some(()).ok_or("is no heading there")
}
