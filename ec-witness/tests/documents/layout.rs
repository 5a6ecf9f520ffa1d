//! The README's layout is the tree's.

use std::{collections::BTreeSet, fs};

use crate::document::{Document, root};

/// The folders whose whole contents the layout names, and the part of the name that is the same in all of them.
const WHOLE: [&str; 3] = ["crates/", "ec-witness/src/", "ec-op-stack/src/"];

#[test]
fn the_layout_names_what_there_is_and_all_of_it() {
    let named = named();
    let gone: Vec<_> = named.iter().filter(|path| !root().join(path.as_str()).exists()).collect();
    assert!(gone.is_empty(), "named in README.md's layout, and not there: {gone:?}");
    let missing: Vec<_> = WHOLE.into_iter().flat_map(members).filter(|path| !named.contains(path)).collect();
    assert!(missing.is_empty(), "missing in README.md's layout: {missing:?}");
    assert!(named.len() > 30, "{named:?}");
}

/// The paths in the block: at a line's beginning, below the last line that is less indented.
fn named() -> BTreeSet<String> {
    let readme = Document::read("README.md");
    let blocks = readme.blocks();
    let block =
        blocks.iter().find(|block| block.what.text.starts_with("crates/")).expect("the README shows the layout");
    let (mut named, mut folder) = (BTreeSet::new(), String::new());
    for line in block.what.text.lines() {
        let (paths, _) = line.trim_start().split_once("  ").unwrap_or((line.trim_start(), ""));
        for path in paths.split(", ") {
            if line.starts_with(' ') {
                named.insert(format!("{folder}{path}"));
            } else {
                path.clone_into(&mut folder);
                named.insert(path.to_owned());
            }
        }
    }
    named
}

/// What lies in a folder: its folders, and its files that are no module of one of them.
fn members(folder: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return Vec::new() };
    let names: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    let name = |entry: &fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").unwrap_or(&name).to_owned();
        let is_folder = root().join(folder).join(&module).is_dir();
        let is_entry = ["lib", "main"].contains(&module.as_str());
        (!is_entry).then(|| if is_folder { format!("{folder}{module}/") } else { format!("{folder}{name}") })
    };
    names.iter().filter_map(name).collect()
}
