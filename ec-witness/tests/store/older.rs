//! Stores as older programs had them.

use std::path::Path;

use rusqlite::Connection;

/// What made a store of the version before one of each version from the second on.
const STEPS: [&[&str]; 3] = [
    &[
        include_str!("../../src/store/schema/v1_aside.sql"),
        include_str!("../../src/store/schema/v2.sql"),
        include_str!("../../src/store/schema/v1_taken_over.sql"),
    ],
    &[include_str!("../../src/store/schema/v3.sql")],
    &[include_str!("../../src/store/schema/v4.sql")],
];

/// Makes of a version-1 store what a program of this version made of it.
pub(crate) fn bring_to_version(store: &Path, version: usize) {
    let connection = Connection::open(store).unwrap();
    let begun = connection.unchecked_transaction().unwrap();
    for sql in STEPS[..version - 1].iter().copied().flatten() {
        begun.execute_batch(sql).unwrap();
    }
    begun.pragma_update(None, "user_version", version as i64).unwrap();
    begun.commit().unwrap();
}
