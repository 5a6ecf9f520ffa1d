//! The text of a checkpoint, in pieces: with many slots that are not settled it is long, and is never in memory as a whole.

use std::io::{self, BufReader, BufWriter, Read, Write};

use alloy::primitives::{B256, Keccak256};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

/// The length of a piece, bytes; the last one's is what is left.
const PIECE: usize = 1 << 18;

/// Writes `text` as JSON, in place of what was there.
///
/// # Errors
///
/// SQLite refuses, or the text has no JSON.
pub(super) fn write(connection: &Connection, text: &impl Serialize) -> Result<(), TextError> {
    connection.execute("DELETE FROM piece", [])?;
    let mut writer = BufWriter::with_capacity(PIECE, InPieces::of(connection));
    serde_json::to_writer(&mut writer, text).map_err(io::Error::from).and_then(|()| writer.flush())?;
    let hasher = writer.into_parts().0.hasher;
    let hash = hasher.finalize();
    connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (1, ?1)", [&hash[..]])?;
    Ok(())
}

/// Reads what was written; `None` where there is nothing, nothing that was written so, or no `T`.
///
/// # Errors
///
/// SQLite refuses.
pub(super) fn read<T: DeserializeOwned>(connection: &Connection) -> rusqlite::Result<Option<T>> {
    let hash = connection.query_row("SELECT hash FROM checkpoint", [], |row| Ok(B256::new(row.get(0)?))).optional()?;
    let Some(hash) = hash else { return Ok(None) };
    let mut reader = BufReader::with_capacity(PIECE, InPieces::of(connection));
    let text = serde_json::from_reader(&mut reader).map_err(|error| TextError::from(io::Error::from(error)));
    let hasher = reader.into_inner().hasher;
    match text {
        Err(TextError::Sqlite(refused)) => Err(refused),
        text => Ok(text.ok().filter(|_| hasher.finalize() == hash)),
    }
}

/// Why a text cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Json(io::Error),
}

impl From<io::Error> for TextError {
    fn from(error: io::Error) -> Self {
        error.downcast().map_or_else(Self::Json, Self::Sqlite)
    }
}

/// The text from its beginning on: each write, and each read, is a piece.
struct InPieces<'a> {
    connection: &'a Connection,
    next: i64,
    hasher: Keccak256,
}

impl<'a> InPieces<'a> {
    fn of(connection: &'a Connection) -> Self {
        Self { connection, next: 0, hasher: Keccak256::new() }
    }

    fn went_by(&mut self, piece: &[u8]) -> usize {
        self.hasher.update(piece);
        self.next += 1;
        piece.len()
    }

    fn insert(&self, piece: &[u8]) -> rusqlite::Result<usize> {
        self.connection.prepare_cached("INSERT INTO piece VALUES (?1, ?2)")?.execute(params![self.next, piece])
    }

    fn select(&self) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut select = self.connection.prepare_cached("SELECT bytes FROM piece WHERE number = ?1")?;
        select.query_row([self.next], |row| row.get(0)).optional()
    }
}

impl Write for InPieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = &bytes[..bytes.len().min(PIECE)];
        self.insert(piece).map_err(io::Error::other)?;
        Ok(self.went_by(piece))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for InPieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = self.select().map_err(io::Error::other)?.unwrap_or_default();
        let room = buffer.get_mut(..piece.len()).ok_or_else(|| io::Error::other("a piece is too long"))?;
        room.copy_from_slice(&piece);
        Ok(self.went_by(&piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_as_it_was_written_or_not_at_all() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(super::super::SCHEMA).unwrap();
        let read = || read::<Vec<String>>(&connection).unwrap();
        assert_eq!(read(), None);
        for length in [0, 1, PIECE - 4, PIECE - 3, PIECE, 3 * PIECE] {
            let text = vec!["é".repeat(length / 2), "x".repeat(length)];
            write(&connection, &text).unwrap();
            assert_eq!(read(), Some(text), "{length}");
        }
        let pieces: i64 = connection.query_row("SELECT count(*) FROM piece", [], |row| row.get(0)).unwrap();
        assert!(pieces > 5, "{pieces}");
        let damaged = |how: &str| {
            let damage = connection.unchecked_transaction().unwrap();
            damage.execute(how, []).unwrap();
            read()
        };
        assert_eq!(damaged("DELETE FROM piece WHERE number = 2"), None);
        assert_eq!(damaged("UPDATE piece SET bytes = zeroblob(length(bytes)) WHERE number = 3"), None);
        assert_eq!(damaged("UPDATE piece SET bytes = CAST(bytes || bytes AS BLOB) WHERE number = 0"), None);
        assert_eq!(damaged("UPDATE checkpoint SET hash = zeroblob(32)"), None);
        assert!(read().is_some(), "what was not kept damaged nothing");
        connection.execute("DROP TABLE piece", []).unwrap();
        assert!(super::read::<Vec<String>>(&connection).is_err());
        assert!(matches!(write(&connection, &[""]), Err(TextError::Sqlite(_))));
    }
}
