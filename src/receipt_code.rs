//! The code that opens a receipt without an account.

use crate::platform::crockford;

/// The code of a receipt: 20 characters of Crockford's base 32 in groups of four, 100 random bits.
///
/// ```
/// use lethe::deletion::ReceiptCode;
///
/// let code = ReceiptCode::parse("7q2m9kxa41td0000abcd").unwrap();
/// assert_eq!(code.as_str(), ReceiptCode::EXAMPLE);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptCode(String);

/// The text isn't a receipt code.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt code: it has 20 characters in groups of four")]
pub struct InvalidReceiptCode;

const LENGTH: usize = 20;
const GROUP: usize = 4;

impl ReceiptCode {
    /// A valid code for documentation.
    pub const EXAMPLE: &'static str = "7Q2M-9KXA-41TD-0000-ABCD";

    /// Makes a code of 104 random bits, of which it takes the first 100.
    pub(crate) fn from_bytes(bytes: [u8; 13]) -> Self {
        Self::grouped(&crockford::encode(&bytes)[..LENGTH])
    }

    /// Takes a code from the database.
    pub(crate) const fn from_database(code: String) -> Self {
        Self(code)
    }

    /// Parses a code as a person may have typed it, see [`crockford::normalize`].
    pub fn parse(text: &str) -> Result<Self, InvalidReceiptCode> {
        let code = crockford::normalize(text).filter(|code| code.len() == LENGTH);
        code.map(|code| Self::grouped(&code)).ok_or(InvalidReceiptCode)
    }

    fn grouped(characters: &str) -> Self {
        let groups: Vec<_> = characters.as_bytes().chunks(GROUP).map(String::from_utf8_lossy).collect();
        Self(groups.join("-"))
    }

    /// Returns the code as it is displayed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hides the code, which gives access to the receipt.
impl std::fmt::Debug for ReceiptCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ReceiptCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Random;

    #[test]
    fn generated_code_is_parsed_in_every_spelling() {
        let code = ReceiptCode::from_bytes(Random::system().bytes());
        assert_eq!(code.as_str().len(), 24);
        assert_eq!(ReceiptCode::parse(code.as_str()), Ok(code.clone()));
        assert_eq!(ReceiptCode::parse(&format!(" {} ", code.as_str().to_lowercase().replace('-', ""))), Ok(code));
    }

    #[test]
    fn misread_letters_are_taken_for_digits() {
        let code = ReceiptCode::parse("OIL0-1111-0000-ZZZZ-9999").unwrap();
        assert_eq!(code.as_str(), "0110-1111-0000-ZZZZ-9999");
    }

    #[test]
    fn invalid_codes_are_refused() {
        for invalid in ["", "short", "UUUU-0000-0000-0000-0000", "é000-0000-0000-0000-000"] {
            assert_eq!(ReceiptCode::parse(invalid), Err(InvalidReceiptCode), "{invalid}");
        }
    }

    #[test]
    fn example_is_a_code_as_it_is_displayed() {
        assert_eq!(ReceiptCode::parse(ReceiptCode::EXAMPLE).unwrap().as_str(), ReceiptCode::EXAMPLE);
    }
}
