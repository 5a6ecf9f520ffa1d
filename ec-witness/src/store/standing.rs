//! How a store stands: figures for those who watch it. Nothing is decided by them.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::SystemTime};

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use super::{StoreError, VoteStore};
use crate::clock;

/// Transactions that are not executed: a nonce counts once, and not at all when a replacement of it was executed. The first
/// condition is the index's own, word by word: SQLite does not see that the second one implies it, and would read every
/// transaction there ever was.
pub(super) const PENDING: &str = "SELECT COUNT(DISTINCT nonce), MIN(signed_unix_ms) FROM transactions t
    WHERE state IN ('signed', 'sent', 'executed', 'safe') AND state IN ('signed', 'sent')
    AND NOT EXISTS (SELECT 1 FROM transactions e
                    WHERE e.nonce = t.nonce AND e.state IN ('executed', 'safe', 'finalized'))";

/// What is asked at each look.
#[cfg(test)]
pub(super) const ASKED: &[&str] = &[PENDING, VOTES, FORCED];

/// Rows of the guard are never deleted, and counting them all would take longer with every vote.
pub(super) const VOTES: &str = "SELECT COALESCE(MAX(rowid), 0) FROM votes";
const FORCED: &str = "SELECT COUNT(DISTINCT l1_nonce) FROM forced WHERE state = 'kept'";

/// How a store and its file system stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreStanding {
    /// Slots voted on, ever.
    pub votes: i64,
    /// Transactions that are not executed, counted by nonce.
    pub pending_transactions: i64,
    /// When the oldest transaction was signed that is not executed, Unix milliseconds.
    pub oldest_pending_unix_ms: Option<i64>,
    /// Forced transactions of which it is not final what they came to, counted by nonce on L1.
    pub forced_transactions: i64,
    /// Bytes of the store's files.
    pub size_bytes: u64,
    /// Bytes left to this user on the file system.
    pub free_bytes: u64,
    /// Whether this process could write there; full disks apart.
    pub writable: bool,
    /// Whether the last write found no room.
    pub no_room: bool,
    /// When a file of the store changed last, Unix seconds.
    pub last_commit_unix_s: u64,
    /// Why the witness stopped voting by itself, until an operator resumes it.
    pub halt: Option<String>,
}

/// What of it the file system tells.
impl StoreStanding {
    /// Looks at the store's directory.
    ///
    /// # Errors
    ///
    /// The directory cannot be looked at.
    fn of_directory(directory: &Path) -> Result<Self, StoreError> {
        let io = StoreError::io;
        let space = statvfs(directory).map_err(|error| io(directory)(error.into()))?;
        let mut standing = Self {
            free_bytes: space.f_bavail.saturating_mul(space.f_frsize),
            writable: !space.f_flag.contains(StatVfsMountFlags::RDONLY) && access(directory, Access::WRITE_OK).is_ok(),
            ..Self::default()
        };
        for file in fs::read_dir(directory).map_err(io(directory))? {
            // a journal may be gone between listing and looking
            let Some(metadata) = file.ok().and_then(|file| file.metadata().ok()) else { continue };
            standing.size_bytes += metadata.size();
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            standing.last_commit_unix_s = standing.last_commit_unix_s.max(clock::unix_s_of(changed));
        }
        Ok(standing)
    }

    /// For how long the oldest transaction that is not executed has been out, milliseconds; `None` while an operator who
    /// forces what is out for `force_after_ms` has nothing to do. 0 is one who never does.
    pub fn overdue_ms(&self, force_after_ms: u64, now_unix_ms: u64) -> Option<u64> {
        let signed_unix_ms = u64::try_from(self.oldest_pending_unix_ms?).ok()?;
        Some(now_unix_ms.saturating_sub(signed_unix_ms))
            .filter(|&out_ms| force_after_ms > 0 && out_ms >= force_after_ms)
    }
}

impl VoteStore {
    /// How the store stands.
    ///
    /// # Errors
    ///
    /// SQLite or the file system refuses.
    pub fn standing(&self) -> Result<StoreStanding, StoreError> {
        let db = &self.connection;
        let directory = db.path().and_then(|path| Path::new(path).parent()).unwrap_or(Path::new("."));
        let mut standing = StoreStanding::of_directory(directory)?;
        standing.votes = db.query_row(VOTES, [], |row| row.get(0))?;
        standing.no_room = self.has_no_room();
        standing.halt = self.kept_halt()?.map(|halt| format!("{} (halt {})", halt.message, halt.id));
        (standing.pending_transactions, standing.oldest_pending_unix_ms) =
            db.query_row(PENDING, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        standing.forced_transactions = db.query_row(FORCED, [], |row| row.get(0))?;
        Ok(standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_is_overdue_from_the_configured_time_on_and_never_without_one() {
        let since =
            |signed_unix_ms| StoreStanding { oldest_pending_unix_ms: signed_unix_ms, ..StoreStanding::default() };
        for (signed_unix_ms, force_after_ms, overdue_ms) in [
            (None, 100, None),
            (Some(900), 100, Some(100)),
            (Some(901), 100, None),
            (Some(2_000), 100, None),
            (Some(0), 0, None),
        ] {
            assert_eq!(since(signed_unix_ms).overdue_ms(force_after_ms, 1_000), overdue_ms, "{signed_unix_ms:?}");
        }
    }
}
