//! Files given on the command line.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

/// A file, or standard input for `-`, to be read as it comes.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read + Send>> {
    if path == Path::new("-") { Ok(Box::new(io::stdin())) } else { Ok(Box::new(fs::File::open(path)?)) }
}

/// The text of a file, or of standard input for `-`.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    if path != Path::new("-") {
        return fs::read_to_string(path);
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    Ok(text)
}
