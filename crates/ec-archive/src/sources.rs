//! Which streams an archive's broadcasts are.

use ec_observation::StreamRule;

use crate::files::Broadcast;

/// A broadcast of the archive and a stream that it is: the only one, or one of its lanes.
#[derive(Clone, Debug)]
pub struct Source {
    /// The broadcast's name.
    pub broadcast: String,
    /// The stream's rule.
    pub rule: StreamRule,
    /// The sequence of the first epoch that is judged, where that is configured.
    pub from_sequence: Option<u64>,
}

/// Tells which streams an archive with these broadcasts has.
pub type Mapping = Box<dyn FnMut(Vec<Broadcast>) -> Vec<Source> + Send>;
