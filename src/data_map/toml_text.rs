//! Names as TOML.

/// A string on one line, also in a comment. JSON's strings are TOML's.
pub(in crate::data_map) fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(in crate::data_map) fn toml_key(text: &str) -> String {
    let is_bare = text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if is_bare { text.to_owned() } else { toml_string(text) }
}
