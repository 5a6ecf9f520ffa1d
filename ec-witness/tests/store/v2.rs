//! Stores as a version-2 program had them.

use std::path::Path;

use rusqlite::Connection;

/// Makes of a version-1 store what a version-2 program made of it.
pub(crate) fn bring_to_version_2(store: &Path) {
    let connection = Connection::open(store).unwrap();
    let begun = connection.unchecked_transaction().unwrap();
    for sql in [
        include_str!("../../src/store/schema/v1_aside.sql"),
        include_str!("../../src/store/schema/v2.sql"),
        include_str!("../../src/store/schema/v1_taken_over.sql"),
        "PRAGMA user_version = 2",
    ] {
        begun.execute_batch(sql).unwrap();
    }
    begun.commit().unwrap();
}
