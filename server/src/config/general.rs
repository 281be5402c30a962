//! What the core needs to know, read straight into its own type.

use lethe::CoreConfig;
use url::Url;

use super::section::section;
use super::setting::Setting;

/// The public address, which `lethe doctor` looks at too.
pub const URL: Setting = Setting::new("LETHE_URL")
    .example("https://privacy.example.org")
    .accepts("the public URL, such as https://privacy.example.org");

section! {
    "General" for CoreConfig {
        /// Public URL of this installation. Browsers send its origin, and Clerk redirects to it.
        public_url: Url = URL;
        /// Name of the application, as its users know it.
        brand: String = Setting::new("LETHE_BRAND").default("Privacy center");
        /// E-mail address that is notified when a deletion needs attention.
        alert_address: Option<String> = Setting::new("LETHE_ALERT_TO")
            .unset("nobody is notified")
            .example("privacy@example.org");
        /// Number of background jobs that run at the same time.
        workers: usize = Setting::new("LETHE_WORKERS").default("4");
    }
}
