//! The table of incidents in `docs/operating.md`: every error that it names is told apart from the others, and has a command.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{collections::BTreeMap, fs, path::Path};

use alloy::primitives::{hex, keccak256};

/// The errors of the contracts that the table names, as they are declared.
const ERRORS: [&str; 5] = [
    "NoImplementation(uint32)",
    "IncorrectBondAmount()",
    "GameAlreadyExists(bytes32)",
    "UnexpectedRootClaim(bytes32)",
    "BadAuth()",
];

fn rows() -> Vec<Vec<String>> {
    let guide = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operating.md")).unwrap();
    let (_, table) = guide.split_once("| symptom | cause | command |").unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    // a cell may hold a bar in code, which the table does not
    lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What stands in code in a cell.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_cause_has_a_command_and_no_error_stands_twice() {
    let mut seen = BTreeMap::<String, String>::new();
    let rows = rows();
    assert!(rows.len() > 25, "{} rows", rows.len());
    for row in &rows {
        let [symptom, cause, command] = row.as_slice() else { panic!("{row:?} has not three cells") };
        assert!(!cause.is_empty(), "{symptom}: no cause");
        let asks = !code(command).is_empty() || command.contains("ask another endpoint");
        assert!(asks, "{symptom}: no command tells this cause");
        for error in code(symptom) {
            let described = format!("{symptom}: {cause}");
            // the same words in two rows: what stands beside them must tell the rows apart
            if let Some(other) = seen.insert(error.to_owned(), described.clone()) {
                assert!(
                    other != described && symptom.contains("for "),
                    "{error} stands in two rows:\n{other}\n{described}"
                );
            }
        }
    }
}

#[test]
fn each_selector_is_that_of_its_error() {
    let symptoms = rows().into_iter().map(|row| row[0].clone()).collect::<Vec<_>>();
    for error in ERRORS {
        let selector = hex::encode_prefixed(&keccak256(error)[..4]);
        let name = error.split('(').next().unwrap();
        let named = symptoms.iter().filter(|symptom| code(symptom).contains(&name)).collect::<Vec<_>>();
        assert_eq!(named.len(), 1, "{name}");
        assert!(code(named[0]).contains(&selector.as_str()), "{name} is {selector}: {}", named[0]);
    }
}
