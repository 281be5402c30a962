//! What the pages need to know of the operator: where the footer leads, and the language of the operator's texts.

use url::Url;

use super::section::section;
use super::setting::Setting;
use super::types::{ContactUrl, LanguageTag};

section! {
    "Pages"
    /// What Lethe can't know of an installation. Without a setting there is no link.
    pub struct PagesConfig {
        /// Where people can write to about their data: a page, or `mailto:` with an address.
        contact: Option<ContactUrl> = Setting::new("LETHE_CONTACT_URL")
            .unset("no link")
            .example("mailto:privacy@example.org");
        /// Your privacy notice.
        privacy_notice: Option<Url> = Setting::new("LETHE_PRIVACY_NOTICE_URL")
            .unset("no link")
            .example("https://example.org/privacy");
        /// The application itself.
        application: Option<Url> = Setting::new("LETHE_APPLICATION_URL")
            .unset("no link")
            .example("https://example.org/");
        /// Language of the texts in the data map: labels, reasons and purposes. Screen readers and translations need it.
        content_language: Option<LanguageTag> = Setting::new("LETHE_CONTENT_LANGUAGE")
            .unset("as the pages: English")
            .example("de");
    }
}
