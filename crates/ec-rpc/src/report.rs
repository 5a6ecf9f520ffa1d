//! Errors as they are told.

use std::{error::Error, iter::successors};

/// An error and what led to it, in one line. A cause that the words before it end with is not said again.
pub fn in_one_line(error: &(dyn Error + 'static)) -> String {
    let causes = successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).fold(String::new(), |said, cause| match said.is_empty() {
        true => cause,
        false if said.ends_with(&cause) => said,
        false => format!("{said}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("rpc: {0}")]
        struct Repeats(#[from] std::num::ParseIntError);
        let cause = "x".parse::<u8>().unwrap_err();
        let report = eyre::Report::new(Repeats(cause)).wrap_err("the log cannot be read");
        assert_eq!(in_one_line(report.as_ref()), "the log cannot be read: rpc: invalid digit found in string");
    }
}
