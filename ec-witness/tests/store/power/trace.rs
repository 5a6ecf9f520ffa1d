//! Reads what strace wrote: the calls that change files, in order.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

/// The calls that are recorded.
pub(super) const CALLS: &str = "openat,write,pwrite64,writev,pwritev,copy_file_range,sendfile,splice,fsync,fdatasync,\
                                sync_file_range,ftruncate,fallocate,unlink,unlinkat,rename,renameat,renameat2,mkdir,\
                                link,linkat,mmap";

/// What happened to the disk, or was acknowledged. Paths are below the root.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A file was opened that may be created or emptied by it.
    Open { path: PathBuf, truncate: bool },
    /// Bytes were written at an offset.
    Write { path: PathBuf, offset: usize, data: Vec<u8> },
    /// Bytes of another file were appended.
    Copy { from: PathBuf, to: PathBuf, length: usize },
    /// A file got this length.
    Truncate { path: PathBuf, length: usize },
    /// A file's data or a directory's entries are durable.
    Sync { path: PathBuf },
    /// An entry is gone.
    Unlink { path: PathBuf },
    /// An entry has another name.
    Rename { from: PathBuf, to: PathBuf },
    /// A directory was made.
    Mkdir { path: PathBuf },
    /// A line on stdout.
    Said(String),
}

/// The events below `root`. Calls that failed did nothing.
pub(super) fn events(log: &str, root: &Path) -> Vec<Event> {
    let mut unfinished: HashMap<&str, String> = HashMap::new();
    let mut events = Vec::new();
    for line in log.lines() {
        let (process, call) = line.split_once(' ').unwrap();
        let call = call.trim_start();
        if let Some(begun) = call.strip_suffix("<unfinished ...>") {
            unfinished.insert(process, begun.trim_end().to_owned());
        } else if let Some((_, rest)) = call.strip_prefix("<... ").and_then(|call| call.split_once("resumed>")) {
            let begun = unfinished.remove(process).unwrap();
            events.extend(event(&(begun + rest), root));
        } else {
            events.extend(event(call, root));
        }
    }
    assert!(events.len() > 100, "strace recorded only {} events", events.len());
    events
}

fn event(call: &str, root: &Path) -> Option<Event> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let result: usize = result.split(['<', ' ']).next()?.parse().unwrap_or(0);
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let arguments: Vec<&str> = arguments.split(", ").collect();
    let below = |path: String| Path::new(&path).strip_prefix(root).ok().map(Path::to_owned);
    let of_fd = |at: usize| below(unescaped(arguments[at].split_once('<')?.1.strip_suffix('>')?));
    let named = |at: usize| below(unescaped(arguments[at]));
    let number = |at: usize| arguments[at].parse::<usize>().unwrap();
    if name == "write" && arguments[0].starts_with("1<") {
        return Some(Event::Said(unescaped(arguments[1])));
    }
    Some(match name {
        "openat" if arguments[2].contains("O_CREAT") || arguments[2].contains("O_TRUNC") => {
            Event::Open { path: named(1)?, truncate: arguments[2].contains("O_TRUNC") }
        }
        "openat" | "mmap" => return None,
        "pwrite64" => Event::Write { path: of_fd(0)?, offset: number(3), data: bytes(arguments[1], result) },
        "copy_file_range" => Event::Copy { from: of_fd(0)?, to: of_fd(2)?, length: result },
        "ftruncate" => Event::Truncate { path: of_fd(0)?, length: number(1) },
        "fsync" | "fdatasync" => Event::Sync { path: of_fd(0)? },
        "unlink" => Event::Unlink { path: named(0)? },
        "rename" => Event::Rename { from: named(0)?, to: named(1)? },
        "mkdir" => Event::Mkdir { path: named(0)? },
        other => {
            assert!(!call.contains(&escaped(root)), "{other} on the store is not modelled: {call}");
            return None;
        }
    })
}

fn bytes(text: &str, length: usize) -> Vec<u8> {
    let bytes = decoded(text);
    assert_eq!(bytes.len(), length, "strace cut a write short");
    bytes
}

fn unescaped(text: &str) -> String {
    String::from_utf8(decoded(text)).unwrap()
}

/// The bytes of `"\x2f\x74"`, quoted or not, or of plain text.
fn decoded(text: &str) -> Vec<u8> {
    let text = text.trim_matches('"');
    if text.starts_with("\\x") {
        text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
    } else {
        text.as_bytes().to_vec()
    }
}

fn escaped(path: &Path) -> String {
    path.to_str().unwrap().bytes().map(|byte| format!("\\x{byte:02x}")).collect()
}
