//! How much a turn looks at.

/// What a turn looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every file, stream and slot.
    All,
    /// The streams whose files have just grown, and the slots that this brought: what a turn costs must not grow with what
    /// stands.
    Grown,
}
