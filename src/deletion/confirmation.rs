//! The words by which a person confirms a deletion.

/// What the person must type.
pub const CONFIRMATION: &str = "delete my account";

/// Whether `typed` is the confirmation. Case, spacing, and quotes or a full stop around the words don't matter.
///
/// ```
/// use lethe::deletion::confirms;
///
/// assert!(confirms(" \u{201c}Delete  my account\u{201d} "));
/// assert!(!confirms("delete account"));
/// ```
#[must_use]
pub fn confirms(typed: &str) -> bool {
    let is_around = |letter: char| letter.is_whitespace() || "\"'.\u{2018}\u{2019}\u{201c}\u{201d}".contains(letter);
    let typed = typed.trim_matches(is_around).to_lowercase();
    typed.split_whitespace().eq(CONFIRMATION.split(' '))
}
