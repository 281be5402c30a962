//! The words by which a person confirms a deletion.

/// What the person must type.
pub const CONFIRMATION: &str = "delete my account";

/// Whether `typed` is the confirmation. Case and surrounding spaces don't matter.
#[must_use]
pub fn confirms(typed: &str) -> bool {
    typed.trim().eq_ignore_ascii_case(CONFIRMATION)
}
