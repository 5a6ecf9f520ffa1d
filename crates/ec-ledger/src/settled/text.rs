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
pub(super) fn write(connection: &Connection, text: &impl Serialize) -> Result<(), WriteError> {
    connection.execute("DELETE FROM piece", [])?;
    let pieces = PieceWriter { connection, next: 0, hasher: Keccak256::new(), refused: None };
    let mut writer = BufWriter::with_capacity(PIECE, pieces);
    let written = serde_json::to_writer(&mut writer, text).and_then(|()| writer.flush().map_err(serde_json::Error::io));
    let (PieceWriter { hasher, refused, .. }, _) = writer.into_parts();
    match (written, refused) {
        (_, Some(refused)) => return Err(refused.into()),
        (Err(error), None) => return Err(error.into()),
        (Ok(()), None) => {}
    }
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
    let pieces = PieceReader { connection, next: 0, hasher: Keccak256::new(), refused: None };
    let mut reader = BufReader::with_capacity(PIECE, pieces);
    let text = serde_json::from_reader(&mut reader);
    let PieceReader { hasher, refused, .. } = reader.into_inner();
    match refused {
        Some(refused) => Err(refused),
        None => Ok(text.ok().filter(|_| hasher.finalize() == hash)),
    }
}

/// Why a text cannot be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Each of its writes is a piece.
struct PieceWriter<'a> {
    connection: &'a Connection,
    next: i64,
    hasher: Keccak256,
    refused: Option<rusqlite::Error>,
}

impl Write for PieceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(PIECE)];
        let insert = self.connection.prepare_cached("INSERT INTO piece VALUES (?1, ?2)");
        if let Err(error) = insert.and_then(|mut insert| insert.execute(params![self.next, bytes])) {
            self.refused = Some(error);
            return Err(io::Error::other("SQLite refuses"));
        }
        self.hasher.update(bytes);
        self.next += 1;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Each of its reads is a piece.
struct PieceReader<'a> {
    connection: &'a Connection,
    next: i64,
    hasher: Keccak256,
    refused: Option<rusqlite::Error>,
}

impl PieceReader<'_> {
    fn piece(&self) -> rusqlite::Result<Option<Vec<u8>>> {
        let mut select = self.connection.prepare_cached("SELECT bytes FROM piece WHERE number = ?1")?;
        select.query_row([self.next], |row| row.get(0)).optional()
    }
}

impl Read for PieceReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let piece = match self.piece() {
            Ok(piece) => piece.unwrap_or_default(),
            Err(error) => {
                self.refused = Some(error);
                return Err(io::Error::other("SQLite refuses"));
            }
        };
        let room = buffer.get_mut(..piece.len()).ok_or_else(|| io::Error::other("a piece is too long"))?;
        room.copy_from_slice(&piece);
        self.hasher.update(&piece);
        self.next += 1;
        Ok(piece.len())
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
        assert!(matches!(write(&connection, &[""]), Err(WriteError::Sqlite(_))));
    }
}
