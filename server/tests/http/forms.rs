//! Forms as browsers send them.

use reqwest::RequestBuilder;
use reqwest::header::{ACCEPT, CONTENT_TYPE, REFERER};

use crate::support::TestApp;

/// Requests with a form in the body.
pub(crate) trait Form {
    /// Sends these fields as a form.
    fn form<Value: AsRef<str>>(self, fields: &[(&str, Value)]) -> Self;
}

impl Form for RequestBuilder {
    fn form<Value: AsRef<str>>(self, fields: &[(&str, Value)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    }
}

/// As a browser sends a form without script.
pub(crate) fn as_plain_form(request: RequestBuilder, app: &TestApp) -> RequestBuilder {
    request.header(ACCEPT, "text/html,application/xhtml+xml").header(REFERER, format!("{}/", app.url))
}

/// The fields of the form that deletes.
pub(crate) fn deletion_form_fields(page: &str, typed: &str) -> [(&'static str, String); 3] {
    let hidden = |name: &str| {
        let tag = page.split("<input").find(|tag| tag.contains(&format!("name=\"{name}\""))).unwrap_or_default();
        let value = tag.split("value=\"").nth(1).and_then(|rest| rest.split('"').next());
        value.unwrap_or_else(|| panic!("{name} is in the form: {page}")).to_owned()
    };
    [("plan", hidden("plan")), ("person", hidden("person")), ("confirmation", typed.to_owned())]
}
