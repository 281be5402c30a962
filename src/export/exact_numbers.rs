//! Numbers of a JSON text that readers would round.
//!
//! Most readers take a JSON number for a double (RFC 7493, section 2.2). The database's own types, lists of them, composite values
//! and JSON documents hold longer ones.

use std::borrow::Cow;

/// The largest integer up to which a double holds each one: 2^53 - 1.
const MAX_EXACT_INTEGER: u64 = 9_007_199_254_740_991;

/// A number with fewer characters is exact: a double holds each decimal of fifteen digits.
const MIN_INEXACT_CHARACTERS: usize = 16;

/// Returns the valid JSON text with each number as a string that a double can't hold.
pub(super) fn quote_inexact_numbers(json: String) -> String {
    match with_quoted_numbers(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(quoted) => quoted,
    }
}

fn with_quoted_numbers(json: &str) -> Cow<'_, str> {
    let (mut quoted, mut copied) = (String::new(), 0);
    for (start, end) in Numbers::of(json) {
        let number = &json[start..end];
        if is_inexact(number) {
            quoted.extend([&json[copied..start], "\"", number, "\""]);
            copied = end;
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    quoted.push_str(&json[copied..]);
    Cow::Owned(quoted)
}

/// Where the numbers of a valid JSON text begin and end.
struct Numbers<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Numbers<'a> {
    const fn of(json: &'a str) -> Self {
        Self { bytes: json.as_bytes(), position: 0 }
    }

    /// Goes to the character behind the string that begins here.
    fn skip_string(&mut self) {
        self.position += 1;
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
        while let Some(found) = self.bytes.get(self.position..).and_then(|rest| rest.iter().position(is_special)) {
            self.position += found;
            if self.bytes[self.position] == b'"' {
                self.position += 1;
                return;
            }
            // The backslash, and what it escapes.
            self.position += 2;
        }
        self.position = self.bytes.len();
    }
}

impl Iterator for Numbers<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        loop {
            match self.bytes.get(self.position)? {
                b'"' => self.skip_string(),
                b'-' | b'0'..=b'9' => {
                    let start = self.position;
                    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    self.position += self.bytes[start..].iter().take_while(is_part).count();
                    return Some((start, self.position));
                }
                _ => self.position += 1,
            }
        }
    }
}

/// Whether a reader who takes the number for a double gets another one.
fn is_inexact(number: &str) -> bool {
    if number.len() < MIN_INEXACT_CHARACTERS && !number.contains(['e', 'E']) {
        return false;
    }
    if number.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit()) {
        let magnitude = number.trim_start_matches('-').parse::<u64>().ok();
        return magnitude.is_none_or(|integer| integer > MAX_EXACT_INTEGER);
    }
    let Ok(double) = number.parse::<f64>() else { return true };
    // The shortest decimal of the double is what writers of doubles write.
    let shortest = Decimal::of(&format!("{double:e}"));
    Decimal::of(number).is_none_or(|decimal| Some(decimal) != shortest)
}

/// A decimal in one form: its significant digits, and the power of ten of the first.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// `None` for what isn't a finite number, or has an exponent beyond all measure.
    fn of(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let exponent: i64 = exponent.parse().ok()?;
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [integer.trim_start_matches('-'), fraction].concat();
        let significant = all.trim_start_matches('0');
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let leading = i64::try_from(all.len() - significant.len()).ok()?;
        let integer_digits = i64::try_from(integer.trim_start_matches('-').len()).ok()?;
        let digits = significant.trim_end_matches('0').to_owned();
        let is_zero = digits.is_empty();
        let exponent = if is_zero { 0 } else { exponent + integer_digits - leading };
        Some(Self { is_negative: number.starts_with('-') && !is_zero, digits, exponent })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn quoted(json: &str) -> String {
        quote_inexact_numbers(json.to_owned())
    }

    #[test]
    fn numbers_that_a_double_holds_stay() {
        for json in [
            "0",
            "-0",
            "7",
            "9007199254740991",
            "-9007199254740991",
            "12.50",
            "0.1",
            "1e+20",
            "1.2345678901234568e+17",
            "0.000000000000000000012",
            "0.30000000000000004",
            "5e-324",
            "1.7976931348623157e+308",
            "0.10000000000000000000",
        ] {
            assert_eq!(quoted(json), json);
        }
    }

    #[test]
    fn numbers_that_a_double_does_not_hold_become_strings() {
        for json in [
            "9007199254740993",
            "-9007199254740992",
            "1234567890.123456789",
            "1e400",
            "1e-400",
            "12345678901234567890123",
            "0.1000000000000000055511151231257827",
            "1e99999999999999999999",
        ] {
            assert_eq!(quoted(json), format!("\"{json}\""));
        }
    }

    #[test]
    fn numbers_are_found_wherever_they_are_nested_and_not_in_strings() {
        let json = r#"{"9007199254740993":[1,9007199254740993,{"a\\":"9007199254740993 \" 9007199254740993","é":-9007199254740993.5}],"b":true}"#;
        let expected = r#"{"9007199254740993":[1,"9007199254740993",{"a\\":"9007199254740993 \" 9007199254740993","é":"-9007199254740993.5"}],"b":true}"#;
        assert_eq!(quoted(json), expected);
        assert!(matches!(with_quoted_numbers("[1,2.5,\"9007199254740993\"]"), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn every_double_stays(double in any::<f64>().prop_filter("JSON has finite ones", |double| double.is_finite())) {
            let written = serde_json::to_string(&double).unwrap();
            let is_integer = !written.contains(['.', 'e']);
            prop_assume!(!is_integer);
            prop_assert_eq!(quoted(&written), written);
        }

        #[test]
        fn what_stays_is_read_back_digit_for_digit(digits in "[1-9][0-9]{0,24}", scale in 0_usize..25) {
            let point = digits.len().saturating_sub(scale);
            let number = if point == 0 || point == digits.len() { digits.clone() } else { format!("{}.{}", &digits[..point], &digits[point..]) };
            let json = quoted(&number);
            if let Value::String(text) = serde_json::from_str(&json).unwrap() {
                prop_assert_eq!(text, number);
            } else {
                let double: f64 = number.parse().unwrap();
                let shortest = format!("{double:e}");
                prop_assert!(Decimal::of(&shortest) == Decimal::of(&number));
            }
        }
    }
}
