//! Query strings: names that may repeat, and numbers in a range.

use crate::api_error::{ApiError, ApiResult};

/// The parameters of a query string, decoded, in their order.
pub(crate) struct QueryParameters {
    pairs: Vec<(String, String)>,
}

impl QueryParameters {
    pub(crate) fn parse(query: Option<&str>) -> Self {
        Self { pairs: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect() }
    }

    /// Names and values as they were sent.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The first value that isn't empty.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that may repeat.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> ApiResult<Option<i64>> {
        let Some(text) = self.first(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let text = format!("{name} must be a number between {} and {}.", range.start(), range.end());
                Err(ApiError::invalid_parameter(name, &text))
            }
        }
    }
}
