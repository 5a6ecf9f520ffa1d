//! A stream keeps its numbering for as long as the vote store lives: votes under the other one would be for other slots of
//! the same bytes.

use std::{collections::BTreeSet, ops::Bound};

use ec_observation::StreamRule;
use eyre::ensure;

/// The ids of the streams whose first epochs the vote store has fixed.
#[derive(Clone, Debug, Default)]
pub(super) struct Fixed(BTreeSet<String>);

impl Fixed {
    pub(super) fn new(stream_ids: impl IntoIterator<Item = String>) -> Self {
        Self(stream_ids.into_iter().collect())
    }

    /// Refuses a stream that the store knows with the other numbering.
    pub(super) fn check(&self, rule: &StreamRule) -> eyre::Result<()> {
        match rule.lane_of() {
            Some(stream_id) => ensure!(
                !self.0.contains(stream_id),
                "stream {stream_id:?}: this vote store has judged it with numbering = \"timeline\", and now its lanes are \
                 configured; write numbering = \"timeline\" as before, or give the broadcast a new stream_id"
            ),
            None => ensure!(
                self.lane(&rule.stream_id).is_none(),
                "stream {:?}: this vote store has judged its lanes, as {:?}, and now numbering = \"timeline\" is configured; \
                 write numbering = \"session\" as before, or give the broadcast a new stream_id",
                rule.stream_id,
                self.lane(&rule.stream_id).unwrap_or_default()
            ),
        }
        Ok(())
    }

    /// A lane of this stream.
    fn lane(&self, stream_id: &str) -> Option<&str> {
        let prefix = format!("{stream_id}/track/");
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let first = self.0.range::<str, _>(from).next()?;
        first.starts_with(&prefix).then_some(first.as_str())
    }
}

#[cfg(test)]
mod tests {
    use ec_observation::stream::DEFAULT_GROUPS_PER_EPOCH;

    use super::*;

    fn check(fixed: &[&str], rule: &StreamRule) -> Result<(), String> {
        Fixed::new(fixed.iter().map(|&id| id.to_owned())).check(rule).map_err(|error| error.to_string())
    }

    #[test]
    fn a_stream_keeps_its_numbering() {
        let timeline = StreamRule::new("x");
        let lane = StreamRule::lane("x", "x", "0.m4s", DEFAULT_GROUPS_PER_EPOCH).unwrap();
        for fixed in [&[][..], &["y", "x/track"], &["x0/track/0.m4s", "wx"]] {
            assert_eq!(check(fixed, &timeline), Ok(()));
            assert_eq!(check(fixed, &lane), Ok(()));
        }
        assert_eq!(check(&["x"], &timeline), Ok(()));
        assert_eq!(check(&["x/track/1.m4s"], &lane), Ok(()));
        let refused = check(&["x"], &lane).unwrap_err();
        assert!(refused.contains("write numbering = \"timeline\"") && refused.contains("new stream_id"), "{refused}");
        let refused = check(&["w", "x/track/1.m4s", "z"], &timeline).unwrap_err();
        assert!(
            refused.contains("\"x/track/1.m4s\"") && refused.contains("write numbering = \"session\""),
            "{refused}"
        );
    }
}
