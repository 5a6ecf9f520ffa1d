//! Failure 7: the secret between op-node and the execution client.

use super::{Check, Facts, Finding, SecretFacts};
use crate::stack::Stack;

pub(super) fn jwt(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let needed = usize::from(stack.execution().is_some()) + usize::from(stack.get("op-node").is_some());
    let mut findings = facts.jwt.iter().filter_map(|(flag, file)| bad(flag, file)).collect::<Vec<_>>();
    if facts.jwt.len() < needed {
        findings.push(
            Check::Jwt.failure("authrpc.jwtsecret and l2.jwt-secret must both name a file", "set both to one file"),
        );
    }
    let mut secrets = facts.jwt.iter().filter_map(|(_, file)| file.secret.as_ref().ok());
    if let (Some(first), Some(second)) = (secrets.next(), secrets.next())
        && first != second
    {
        findings.push(Check::Jwt.failure(
            "the execution client's secret and op-node's differ: every engine call answers 401",
            "let both read one file",
        ));
    }
    if findings.is_empty() {
        vec![Check::Jwt.good("the engine's secret is well-formed, private and the same on both sides")]
    } else {
        findings
    }
}

fn bad(flag: &str, file: &SecretFacts) -> Option<Finding> {
    let path = file.path.display();
    if let Err(reason) = &file.secret {
        return Some(
            Check::Jwt
                .failure(format!("--{flag}={path}: {reason}"), "make it: (umask 077; openssl rand -hex 32 >FILE)"),
        );
    }
    // what systemd's LoadCredential= provides may have a group, and is private all the same
    let is_credential = file.path.starts_with("/run/credentials");
    (!is_credential && file.mode & 0o077 != 0).then(|| {
        Check::Jwt.failure(
            format!("--{flag}={path}: mode {:04o} lets others read it", file.mode),
            format!("chmod 600 {path}"),
        )
    })
}
