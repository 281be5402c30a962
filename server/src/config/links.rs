//! Where the pages' footer leads.

use url::Url;

use super::section::section;
use super::setting::Setting;
use super::types::ContactUrl;

section! {
    "Links"
    /// Links at the end of each page. Lethe can't know them, so without a setting there is no link.
    pub struct LinksConfig {
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
    }
}
