//! How a command ends.

/// How a command ends that didn't fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything is as it should be.
    Success,
    /// Somebody should look at what was printed.
    Attention,
    /// The configuration is incomplete or invalid, and that was printed.
    Unconfigured,
}
