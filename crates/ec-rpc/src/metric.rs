//! What a metric is: a name, a kind, and what it means. Each program has a list of its own.

/// A metric's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// How often values fell into which range.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// What it means, for the scraped `# HELP`.
    pub help: &'static str,
}

/// Defines a constant for each name, and the list of them all.
#[macro_export]
macro_rules! metrics {
    (
        $(#[$about:meta])* $visible:vis const $list:ident;
        $($kind:ident $constant:ident = $name:literal, $help:literal;)*
    ) => {
        $(#[doc = $help] pub const $constant: &str = concat!("ec_witness_", $name);)*

        $(#[$about])*
        $visible const $list: &[$crate::metric::Metric] = &[
            $($crate::metric::Metric { name: $constant, kind: $crate::metric::Kind::$kind, help: $help }),*
        ];
    };
}

pub use metrics;
