//! Douglas Crockford's base 32, <https://www.crockford.com/base32.html>: codes that people read aloud and type.

use std::sync::LazyLock;

use data_encoding::{Encoding, Specification};

/// The characters: without `I`, `L`, `O` and `U`, which are easily misread.
const SYMBOLS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static ENCODING: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str(SYMBOLS);
    specification.encoding().expect("a constant alphabet is valid")
});

/// Encodes bytes, five bits a character. The last character is filled with zeros.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    ENCODING.encode(bytes)
}

/// Reads a code as a person may have typed it: case and hyphens don't matter, and letters that are easily misread are
/// taken for the digits they resemble. `None` if another character is in it.
#[must_use]
pub fn normalize(text: &str) -> Option<String> {
    let characters = text.trim().chars().filter(|character| *character != '-');
    characters
        .map(|character| match character.to_ascii_uppercase() {
            'O' => Some('0'),
            'I' | 'L' => Some('1'),
            other => SYMBOLS.contains(other).then_some(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_encoded_five_bits_a_character() {
        assert_eq!(encode(&[0xff, 0, 0xff]), "ZW0FY");
    }

    #[test]
    fn typed_text_is_normalized() {
        assert_eq!(normalize(" oil-z "), Some("011Z".to_owned()));
        assert_eq!(normalize("U"), None);
        assert_eq!(normalize("é"), None);
    }
}
