//! What the core needs to know, read straight into its own type.

use std::num::NonZeroU32;
use std::path::PathBuf;

use lethe::CoreConfig;
use url::Url;

use super::section::section;
use super::setting::Setting;

/// The public address, which `lethe doctor` looks at too.
pub const URL: Setting = Setting::new("LETHE_URL")
    .example("https://privacy.example.org")
    .accepts("the public URL, such as https://privacy.example.org");

/// Commands read it that need nothing else of this section.
pub const CONTENT_SEARCH_MEGABYTES: Setting = Setting::new("LETHE_CONTENT_SEARCH_MEGABYTES").default("1000");

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
        /// Number of deletions that run at the same time, and of consent syncs beside them. Purges, e-mails and
        /// housekeeping have slots of their own.
        workers: usize = Setting::new("LETHE_WORKERS").default("4");
        /// How many users may be deleted at Clerk in an hour (`user.deleted` events). The data of further ones is deleted once
        /// an operator runs `lethe deletions resume-clerk-events`.
        clerk_deletions_per_hour: NonZeroU32 = Setting::new("LETHE_CLERK_DELETIONS_PER_HOUR").default("100");
        /// Folder for the temporary files of exports that are larger than 256 KiB. They have no name and are encrypted.
        export_folder: Option<PathBuf> = Setting::new("LETHE_EXPORT_FOLDER").unset("the system's folder for temporary files");
        /// After how many minutes an export that isn't finished is ended.
        export_minutes: NonZeroU32 = Setting::new("LETHE_EXPORT_MINUTES").default("60");
        /// Up to which size of the application's tables, in megabytes, every text, JSON and array in them is searched for a
        /// deleted user's id and addresses. In a larger database only columns for user ids are searched. The receipt says which.
        content_search_megabytes: NonZeroU32 = CONTENT_SEARCH_MEGABYTES;
    }
}
