//! The texts of the page for errors that the server renders without Leptos.

use lethe_error_code::ErrorCode;

use crate::texts;

/// What stands around an error's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorTexts {
    /// The heading.
    pub title: &'static str,
    /// Introduces the incident's id. `None` where nothing failed.
    pub reference: Option<&'static str>,
    /// The link to the start.
    pub start: &'static str,
}

/// Returns the texts of an error's page.
#[must_use]
pub const fn of(code: ErrorCode) -> ErrorTexts {
    let (title, reference) = match code {
        ErrorCode::Maintenance => (texts::BACK_SOON, None),
        ErrorCode::CookiesBlocked => (texts::COOKIES_BLOCKED, None),
        ErrorCode::CrossOrigin => (texts::REQUEST_BLOCKED, Some(texts::REFERENCE)),
        _ => (texts::FAILED, Some(texts::REFERENCE)),
    };
    ErrorTexts { title, reference, start: texts::TO_CENTER }
}

/// What follows the brand in the header, unless the brand says so itself.
#[must_use]
pub fn brand_suffix(brand: &str) -> Option<&'static str> {
    (!brand.to_lowercase().contains("privacy")).then_some(texts::BRAND_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_asks_for_a_reference_only_where_something_failed() {
        assert_eq!(of(ErrorCode::CookiesBlocked).reference, None);
        assert_eq!(of(ErrorCode::Maintenance), ErrorTexts { title: "Back soon", ..of(ErrorCode::CookiesBlocked) });
        assert_eq!(of(ErrorCode::Internal).reference, Some(texts::REFERENCE));
    }
}
