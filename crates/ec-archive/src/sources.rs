//! Which streams an archive's broadcasts are.

use ec_observation::StreamRule;

/// A broadcast of the archive and the stream it is.
#[derive(Clone, Debug)]
pub struct Source {
    /// The broadcast's name.
    pub broadcast: String,
    /// The stream's rule.
    pub rule: StreamRule,
    /// The first epoch that is judged, where that is configured.
    pub from_sequence: Option<u64>,
}

/// Tells which streams an archive with these broadcasts has.
pub type Mapping = Box<dyn FnMut(Vec<String>) -> Vec<Source> + Send>;
