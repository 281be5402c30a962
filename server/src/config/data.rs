//! The data map, the master secret and the archive store.

use std::path::PathBuf;

use super::section::section;
use super::setting::Setting;
use super::types::MasterSecret;

/// The data map, which `lethe map check` reads too.
pub const DATA_MAP: Setting =
    Setting::new("LETHE_DATA_MAP").example("data-map.toml").accepts("the path of the data map, such as data-map.toml");

section! {
    "Data"
    /// Where the rules about personal data are, and what erasure leaves behind.
    pub struct DataConfig {
        /// Path of the data map.
        data_map: PathBuf = DATA_MAP;
        /// At least 32 random bytes in base64 (`openssl rand -base64 32`). Tombstones are derived from it, and what is sealed
        /// needs it: keep it, and keep it apart from the database's backups. Several are separated by commas, the newest
        /// first.
        secret: MasterSecret = Setting::new("LETHE_SECRET").secret();
        /// Folder for copies of tombstones, the same for all servers and workers. Back it up apart from the database.
        storage: PathBuf = Setting::new("LETHE_STORAGE").default("storage");
    }
}
