//! The plan of the house: which crate may import which, and that modules beside each other import one way only.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use syn::{UseTree, visit::Visit};

/// Who may import whom. Nothing but tests imports `ec-testing`, and nothing at all a program.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("contracts-build", &[]),
    ("ec-archive", &["ec-files", "ec-observation"]),
    ("ec-explorer", &["ec-archive", "ec-ledger", "ec-observation", "ec-rpc", "ec-screen"]),
    ("ec-files", &[]),
    ("ec-ledger", &["ec-observation", "ec-rpc"]),
    ("ec-observation", &[]),
    ("ec-op-stack", &["ec-files", "ec-rpc", "ec-screen", "ec-terminal"]),
    ("ec-rpc", &[]),
    ("ec-screen", &[]),
    ("ec-subscribe", &["ec-archive"]),
    ("ec-terminal", &[]),
    ("ec-testing", &[]),
    (
        "ec-witness",
        &[
            "ec-archive",
            "ec-files",
            "ec-ledger",
            "ec-observation",
            "ec-rpc",
            "ec-screen",
            "ec-subscribe",
            "ec-terminal",
        ],
    ),
];

/// What a crate must not need, however far down.
const MUST_NOT_NEED: &[(&str, &[&str])] = &[
    ("ec-observation", &["alloy", "axum", "reqwest", "rusqlite", "tokio", "tracing"]),
    ("ec-archive", &["alloy", "axum", "reqwest", "rusqlite", "tokio"]),
    ("ec-rpc", &["axum", "rusqlite"]),
    ("ec-subscribe", &["alloy", "axum", "rusqlite"]),
    ("ec-ledger", &["axum"]),
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|dir| dir.join("Cargo.lock").exists()).unwrap().to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = Command::new(env!("CARGO")).args(arguments).current_dir(workspace()).output().unwrap();
    assert!(cargo.status.success(), "cargo {arguments:?}: {}", String::from_utf8_lossy(&cargo.stderr));
    String::from_utf8(cargo.stdout).unwrap()
}

fn packages() -> Vec<Value> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--offline", "--no-deps", "--format-version", "1"])).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The crates of the workspace that a package's dependencies of this kind name.
fn imported(package: &Value, is_wanted: impl Fn(&Value) -> bool) -> Vec<String> {
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let own = dependencies.filter(|dependency| dependency["path"].is_string() && is_wanted(&dependency["kind"]));
    own.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn crates_import_only_those_below_them() {
    let packages = packages();
    let names: Vec<_> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    for name in &names {
        assert!(MAY_IMPORT.iter().any(|(known, _)| known == name), "{name}: say here what it may import");
    }
    for (name, may) in MAY_IMPORT {
        let Some(package) = packages.iter().find(|package| package["name"] == **name) else {
            panic!("{name} is no crate any more: take it out here");
        };
        for import in imported(package, |kind| kind != "dev") {
            assert!(may.contains(&import.as_str()), "{name} imports {import}");
        }
        let dev = [&["ec-testing"], *may].concat();
        for import in imported(package, |kind| kind == "dev") {
            assert!(dev.contains(&import.as_str()), "{name}'s tests import {import}");
        }
    }
}

#[test]
fn what_is_below_needs_nothing_from_above() {
    for (name, must_not) in MUST_NOT_NEED {
        let tree = cargo(&["tree", "--offline", "--locked", "-p", name, "-e", "normal", "--prefix", "none"]);
        let needed: BTreeSet<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(needed.contains(name), "{tree}");
        for other in *must_not {
            assert!(!needed.contains(other), "{name} needs {other}");
        }
    }
}

/// A module's path from its crate's root.
type Module = Vec<String>;

/// What one file imports and gives on.
#[derive(Default)]
struct File {
    /// Paths as they stand, from the crate's root.
    imports: Vec<Vec<String>>,
    /// Names that `pub use` gives on, and where they come from.
    reexports: BTreeMap<String, Vec<String>>,
}

/// Reads the imports of a file, tests left out.
struct Reader<'a> {
    module: &'a [String],
    file: File,
}

impl Reader<'_> {
    /// A path from the crate's root; `None` for one that leads out of the crate.
    fn absolute(&self, path: &[String], is_child: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let supers = path.iter().take_while(|segment| *segment == "super").count();
        match path.first()?.as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([self.module, &path[1..]].concat()),
            "super" => Some([&self.module[..self.module.len().checked_sub(supers)?], &path[supers..]].concat()),
            first if is_child(first) => Some([self.module, path].concat()),
            _ => None,
        }
    }

    fn uses(&mut self, tree: &UseTree, before: &[String], gives_on: bool, children: &BTreeSet<String>) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.uses(&path.tree, &with(&path.ident), gives_on, children),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.uses(tree, before, gives_on, children)),
            UseTree::Name(name) => self.take(with(&name.ident), &name.ident.to_string(), gives_on, children),
            UseTree::Rename(name) => self.take(with(&name.ident), &name.rename.to_string(), gives_on, children),
            UseTree::Glob(_) => self.take(before.to_vec(), "*", gives_on, children),
        }
    }

    fn take(&mut self, mut path: Vec<String>, name: &str, gives_on: bool, children: &BTreeSet<String>) {
        let mut name = name.to_owned();
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
            name = path.last().unwrap().clone();
        }
        if let Some(path) = self.absolute(&path, |first| children.contains(first)) {
            if gives_on {
                self.file.reexports.insert(name, path.clone());
            }
            self.file.imports.push(path);
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && matches!(&attribute.meta, syn::Meta::List(list) if list.tokens.to_string() == "test")
    })
}

impl<'a> Visit<'a> for Reader<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        // modules within a file are its own affair, but for what they say from the root
        if !is_test(&item.attrs) && item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, _: &'a syn::ItemUse) {}

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let Some(path) = self.absolute(&segments, |_| false).filter(|_| segments.len() > 1) {
            self.file.imports.push(path);
        }
        syn::visit::visit_path(self, path);
    }
}

/// Every module of a crate by its file, but those of tests.
fn modules(src: &Path) -> BTreeMap<Module, File> {
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(src).into_iter().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|is| is != "rs") {
            continue;
        }
        let relative = path.strip_prefix(src).unwrap().with_extension("");
        let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if matches!(module.last().unwrap().as_str(), "mod" | "lib" | "main") {
            module.pop();
        }
        if !module.iter().any(|part| matches!(part.as_str(), "tests" | "testing")) {
            files.entry(module).or_insert_with(Vec::new).push(path.to_owned());
        }
    }
    let known: BTreeSet<_> = files.keys().cloned().collect();
    let read = |(module, paths): (Module, Vec<PathBuf>)| {
        let children = known.iter().filter(|other| other.len() == module.len() + 1 && other.starts_with(&module));
        let children = children.map(|child| child.last().unwrap().clone()).collect();
        let mut reader = Reader { module: &module, file: File::default() };
        for path in paths {
            let parsed = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            reader.visit_file(&parsed);
            for item in &parsed.items {
                if let syn::Item::Use(item) = item
                    && !is_test(&item.attrs)
                {
                    let gives_on = !matches!(item.vis, syn::Visibility::Inherited);
                    reader.uses(&item.tree, &[], gives_on, &children);
                }
            }
        }
        let file = reader.file;
        (module, file)
    };
    files.into_iter().map(read).collect()
}

/// The module in which what a path names is defined, through what modules give on.
fn defined_in(modules: &BTreeMap<Module, File>, path: &[String]) -> Module {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let at = (0..=path.len()).rev().find(|len| modules.contains_key(&path[..*len])).unwrap();
        let module = path[..at].to_vec();
        match path.get(at).and_then(|name| modules[&module].reexports.get(name)) {
            Some(from) => path = [from, &path[at + 1..]].concat(),
            None => return module,
        }
    }
    panic!("{path:?} is given on in a circle");
}

/// Between modules beside each other, with all below them: who imports whom.
fn imports_beside(modules: &BTreeMap<Module, File>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut beside = BTreeMap::<Module, BTreeSet<Module>>::new();
    for (module, file) in modules {
        for import in &file.imports {
            let other = defined_in(modules, import);
            let shared = module.iter().zip(&other).take_while(|(a, b)| a == b).count();
            if let (Some(_), Some(_)) = (module.get(shared), other.get(shared)) {
                beside.entry(module[..=shared].to_vec()).or_default().insert(other[..=shared].to_vec());
            }
        }
    }
    beside
}

/// A way from a module back to itself, if there is one.
fn circle(beside: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn walk(
        beside: &BTreeMap<Module, BTreeSet<Module>>,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        for next in beside.get(way.last().unwrap()).into_iter().flatten() {
            if let Some(start) = way.iter().position(|module| module == next) {
                return Some([&way[start..], std::slice::from_ref(next)].concat());
            }
            if !done.contains(next) {
                way.push(next.clone());
                if let Some(found) = walk(beside, way, done) {
                    return Some(found);
                }
                way.pop();
            }
        }
        done.insert(way.last().unwrap().clone());
        None
    }
    let mut done = BTreeSet::new();
    beside.keys().find_map(|module| walk(beside, &mut vec![module.clone()], &mut done))
}

#[test]
fn modules_beside_each_other_import_one_way() {
    let mut found = Vec::new();
    for package in packages() {
        let src = Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("src");
        if !src.exists() {
            continue;
        }
        let modules = modules(&src);
        if let Some(circle) = circle(&imports_beside(&modules)) {
            let way: Vec<_> = circle.iter().map(|module| module.join("::")).collect();
            found.push(format!("{}: {}", package["name"], way.join(" -> ")));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_circle_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    write("lib.rs", "mod a; mod b; mod c; pub use c::Given;");
    write("a.rs", "mod deep; use crate::b::Thing;");
    write("a/deep.rs", "use super::Own;");
    write("b.rs", "use crate::c::Other; #[cfg(test)] mod tests { use crate::a::Thing; }");
    write("c.rs", "fn c() {}");
    assert_eq!(circle(&imports_beside(&modules(dir.path()))), None);
    write("c.rs", "fn c() -> crate::a::deep::Thing { todo!() }");
    let found = circle(&imports_beside(&modules(dir.path()))).unwrap();
    assert_eq!(found.iter().map(|module| module.join("::")).collect::<Vec<_>>(), ["a", "b", "c", "a"]);
    // through what the root gives on
    write("b.rs", "use crate::Given;");
    assert!(circle(&imports_beside(&modules(dir.path()))).is_some());
}
