//! What the operator wrote, enclosed within sentences of the pages, so that it can be displayed with its own language and direction.

/// First strong isolate and pop directional isolate. They enclose what the operator wrote.
pub(crate) const START: char = '\u{2068}';
pub(crate) const END: char = '\u{2069}';

/// Encloses what the operator wrote, for a sentence in which it is displayed with its own language and direction.
pub(crate) fn isolate(text: &str) -> String {
    format!("{START}{text}{END}")
}

/// Whether the text begins with what the operator wrote.
pub(crate) fn is_isolated(text: &str) -> bool {
    text.starts_with(START)
}

/// The text without the character before what the operator wrote.
pub(crate) fn without_start(text: &str) -> &str {
    text.trim_start_matches(START)
}
