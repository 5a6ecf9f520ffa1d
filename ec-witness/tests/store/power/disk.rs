//! A disk without mercy: what was not synced may be there, in part, out of order, or not at all.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use rand::{RngExt, rngs::StdRng};

use super::{create_private, trace::Event, write_private};

const SECTOR: usize = 512;

/// Whether a sync does what it says.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Honesty {
    Honest,
    Lying,
}

/// A change of a file that was not synced.
#[derive(Clone)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Truncate(usize),
}

/// A file's bytes that are durable, and what came after.
#[derive(Clone, Default)]
struct Inode {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

/// A change of the directory tree.
#[derive(Clone)]
enum Naming {
    Link(PathBuf, Entry),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    Directory,
    File(usize),
}

type Tree = BTreeMap<PathBuf, Entry>;

#[derive(Clone)]
pub(super) struct Disk {
    inodes: Vec<Inode>,
    /// As the running system sees it.
    tree: Tree,
    durable: Tree,
    pending: Vec<Naming>,
}

impl Inode {
    /// As the running system sees it.
    fn current(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    fn sync(&mut self) {
        self.durable = self.current();
        self.pending.clear();
    }

    /// Some of what was not synced reached the disk: each change whole, torn at sectors, or not.
    fn cut(&mut self, rng: &mut StdRng, kept: f64) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Write { offset, data } if rng.random_bool(0.3) => {
                    for (sector, bytes) in data.chunks(SECTOR).enumerate() {
                        if rng.random_bool(kept) {
                            let torn = Change::Write { offset: offset + sector * SECTOR, data: bytes.to_vec() };
                            torn.apply(&mut self.durable);
                        }
                    }
                }
                change if rng.random_bool(kept) => change.apply(&mut self.durable),
                _ => {}
            }
        }
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                bytes.resize(bytes.len().max(end), 0);
                bytes[*offset..end].copy_from_slice(data);
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

impl Naming {
    /// The directories whose entries it changes.
    fn directories(&self) -> Vec<&Path> {
        match self {
            Self::Link(path, _) | Self::Unlink(path) => path.parent().into_iter().collect(),
            Self::Rename(from, to) => from.parent().into_iter().chain(to.parent()).collect(),
        }
    }

    fn apply(&self, tree: &mut Tree) {
        match self {
            Self::Link(path, entry) => {
                tree.insert(path.clone(), *entry);
            }
            Self::Unlink(path) => {
                tree.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(entry) = tree.remove(from) {
                    tree.insert(to.clone(), entry);
                }
            }
        }
    }
}

impl Disk {
    /// What is below `root` now, all of it durable.
    pub(super) fn of(root: &Path) -> Self {
        let mut disk = Self { inodes: Vec::new(), tree: Tree::new(), durable: Tree::new(), pending: Vec::new() };
        for entry in walkdir::WalkDir::new(root).min_depth(1) {
            let entry = entry.unwrap();
            let found = if entry.file_type().is_dir() {
                Entry::Directory
            } else {
                let durable = fs::read(entry.path()).unwrap();
                disk.inodes.push(Inode { durable, pending: Vec::new() });
                Entry::File(disk.inodes.len() - 1)
            };
            disk.tree.insert(entry.path().strip_prefix(root).unwrap().to_owned(), found);
        }
        disk.durable = disk.tree.clone();
        disk
    }

    pub(super) fn apply(&mut self, event: &Event, honesty: Honesty) {
        match event {
            Event::Open { path, truncate } => {
                if !self.tree.contains_key(path) {
                    self.inodes.push(Inode::default());
                    self.name(Naming::Link(path.clone(), Entry::File(self.inodes.len() - 1)));
                } else if *truncate {
                    self.change(path, Change::Truncate(0));
                }
            }
            Event::Write { path, offset, data } => {
                self.change(path, Change::Write { offset: *offset, data: data.clone() });
            }
            Event::Copy { from, to, length } => {
                let Some(offset) = self.file(to).map(|to| to.current().len()) else { return };
                let data = self.file(from).unwrap().current()[offset..offset + length].to_vec();
                self.change(to, Change::Write { offset, data });
            }
            Event::Truncate { path, length } => self.change(path, Change::Truncate(*length)),
            Event::Sync { path } if honesty == Honesty::Honest => self.sync(path),
            Event::Sync { .. } | Event::Said(_) => {}
            Event::Unlink { path } => self.name(Naming::Unlink(path.clone())),
            Event::Rename { from, to } => self.name(Naming::Rename(from.clone(), to.clone())),
            Event::Mkdir { path } => self.name(Naming::Link(path.clone(), Entry::Directory)),
        }
    }

    fn file(&mut self, path: &Path) -> Option<&mut Inode> {
        match self.tree.get(path) {
            Some(Entry::File(inode)) => Some(&mut self.inodes[*inode]),
            _ => None,
        }
    }

    /// A file that was unlinked while it was open is nobody's any more.
    fn change(&mut self, path: &Path, change: Change) {
        if let Some(file) = self.file(path) {
            file.pending.push(change);
        }
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.tree);
        self.pending.push(naming);
    }

    fn sync(&mut self, path: &Path) {
        if let Some(file) = self.file(path) {
            file.sync();
            return;
        }
        let (synced, pending): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.pending).into_iter().partition(|naming| naming.directories().contains(&path));
        synced.iter().for_each(|naming| naming.apply(&mut self.durable));
        self.pending = pending;
    }

    /// The power is gone. Nothing, some or all of what was not synced has reached the disk.
    pub(super) fn cut(&mut self, rng: &mut StdRng) {
        let kept = [0.0, 0.5, 0.9, 1.0][rng.random_range(0..4)];
        for inode in &mut self.inodes {
            inode.cut(rng, kept);
        }
        let kept = [0.0, 0.5, 1.0][rng.random_range(0..3)];
        for naming in std::mem::take(&mut self.pending) {
            if rng.random_bool(kept) {
                naming.apply(&mut self.durable);
            }
        }
    }

    /// One bit of one file flips, of the journal where there is one.
    pub(super) fn decay(&mut self, rng: &mut StdRng) {
        let mut files: Vec<(&PathBuf, usize)> = self
            .durable
            .iter()
            .filter_map(|(path, entry)| match entry {
                Entry::File(inode) if !self.inodes[*inode].durable.is_empty() => Some((path, *inode)),
                _ => None,
            })
            .collect();
        files.sort_by_key(|(path, _)| !path.to_string_lossy().ends_with("-journal"));
        if let Some(&(_, inode)) = files.first() {
            let bytes = &mut self.inodes[inode].durable;
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
    }

    /// Writes out what is left. An entry without its directory is gone with it.
    pub(super) fn write_to(&self, root: &Path) {
        let mut directories = BTreeSet::from([PathBuf::new()]);
        for (path, entry) in &self.durable {
            if !path.parent().is_some_and(|parent| directories.contains(parent)) {
                continue;
            }
            match entry {
                Entry::Directory => {
                    create_private(&root.join(path));
                    directories.insert(path.clone());
                }
                Entry::File(inode) => write_private(&root.join(path), &self.inodes[*inode].durable),
            }
        }
    }
}
