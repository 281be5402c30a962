//! The configuration: one file per section, one declaration per setting. The list of known names, the table in
//! `docs/configuration.md` and `lethe.example.toml` are made from the declarations.
//! Knows what is accepted, not what is done with the values.

pub mod clerk;
pub mod data;
pub mod database;
pub mod docs;
pub mod general;
pub mod http;
pub mod limits;
pub mod log;
pub mod mail;
pub mod pages;
mod proxies;
mod section;
mod setting;
#[cfg(test)]
mod tests;
mod types;
mod values;

use std::path::Path;

use lethe::CoreConfig;

pub use clerk::ClerkConfig;
pub use data::DataConfig;
pub use database::DatabaseConfig;
pub use http::HttpConfig;
pub use limits::LimitConfig;
pub use log::LogConfig;
pub use mail::MailConfig;
pub use pages::PagesConfig;
pub use proxies::TrustedProxies;
pub use section::{Section, SectionDoc};
pub use setting::{Setting, SettingDoc, Syntax, Value};
pub use types::{DatabaseTls, LogFormat, PostgresUrl};
pub use values::{ConfigError, Values};

/// Every section, in the order of the documentation.
pub const SECTIONS: &[SectionDoc] = &[
    CoreConfig::DOC,
    PagesConfig::DOC,
    DatabaseConfig::DOC,
    DataConfig::DOC,
    ClerkConfig::DOC,
    HttpConfig::DOC,
    MailConfig::DOC,
    LimitConfig::DOC,
    LogConfig::DOC,
];

/// Returns every setting.
pub fn settings() -> impl Iterator<Item = &'static SettingDoc> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// Reads the file that `LETHE_CONFIG` names, if any, and the environment.
pub fn load() -> Result<Values, ConfigError> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    let read = |name: &str| std::env::var(name).ok();
    let file = read("LETHE_CONFIG").filter(|path| !path.is_empty());
    let names = settings().flat_map(|doc| std::iter::once(doc.setting.name.to_owned()).chain(doc.setting.file_name()));
    let environment = names.filter_map(|name| read(&name).map(|value| (name, value)));
    from_sources(file.as_deref().map(Path::new), environment)
}

/// Reads the given sources in place of the process's own.
pub fn from_sources(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (impl AsRef<str>, String)>,
) -> Result<Values, ConfigError> {
    Values::from_sources(settings().map(|doc| doc.setting).collect(), file, environment)
}

/// What `lethe serve`, `lethe work` and the operators' commands need.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What the core needs to know.
    pub core: CoreConfig,
    /// What the pages need to know of the operator.
    pub pages: PagesConfig,
    /// The connection to Postgres.
    pub database: DatabaseConfig,
    /// The data map, the master secret and the archive store.
    pub data: DataConfig,
    /// The Clerk instance.
    pub clerk: ClerkConfig,
    /// The HTTP server.
    pub http: HttpConfig,
    /// Outgoing mail.
    pub mail: MailConfig,
    /// Rate limits.
    pub limits: LimitConfig,
}

impl ServerConfig {
    /// Reads all sections. Problems are recorded in `values`.
    pub fn read(values: &mut Values) -> Option<Self> {
        // Every section is read before the first `?`, so that all problems are reported at once.
        let core = CoreConfig::read(values);
        let pages = PagesConfig::read(values);
        let database = DatabaseConfig::read(values);
        let data = DataConfig::read(values);
        let clerk = ClerkConfig::read(values);
        let http = HttpConfig::read(values);
        let mail = MailConfig::read(values);
        let limits = LimitConfig::read(values);
        if let (Some(clerk), Some(core)) = (&clerk, &core) {
            clerk.check(&core.public_url, values);
        }
        // Links in mails and redirects begin at the origin.
        if let Some(core) = core.as_ref().filter(|core| core.public_url.path() != "/") {
            let problem = format!(
                "is `{}`; it must have no path: give Lethe a host of its own, such as https://privacy.example.org",
                core.public_url
            );
            values.report(&general::URL, &problem);
        }
        if let Some(mail) = &mail {
            mail.check(values);
        }
        Some(Self {
            core: core?,
            pages: pages?,
            database: database?,
            data: data?,
            clerk: clerk?,
            http: http?,
            mail: mail?,
            limits: limits?,
        })
    }
}
