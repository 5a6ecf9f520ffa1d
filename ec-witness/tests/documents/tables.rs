//! Tables of commands name commands of the program, and the README's names all of them.

use std::collections::BTreeSet;

use crate::{
    PROGRAM,
    document::{Document, nothing_wrong},
};

#[test]
fn tables_of_commands_name_the_programs_and_the_readme_names_all() {
    let known: BTreeSet<Vec<String>> = PROGRAM.helps().into_keys().collect();
    let mut wrong = Vec::new();
    for name in ["README.md", "docs/protocol.md"] {
        let document = Document::read(name);
        let mut named = BTreeSet::new();
        for row in document.rows().into_iter().filter(|row| row.what.head == "command").skip(1) {
            let mut group: Option<String> = None;
            for span in &row.what.cells[0].spans {
                let mut path: Vec<String> = span.split_whitespace().map(str::to_owned).collect();
                // `registry show`, `add`: the group is said once
                if let Some(group) = group.as_ref().filter(|_| !known.contains(&path)) {
                    path.insert(0, group.clone());
                }
                if !known.contains(&path) {
                    wrong.push(format!("{name}:{}: {span}", row.line));
                }
                group = group.or_else(|| Some(path[0].clone()));
                named.insert(path[0].clone());
            }
        }
        let missing = known.iter().filter(|path| path.len() == 1 && !named.contains(&path[0]));
        wrong.extend(missing.filter(|_| name == "README.md").map(|path| format!("{name}: {} is missing", path[0])));
    }
    nothing_wrong(&wrong);
}
