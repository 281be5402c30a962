//! The environment variables of a demo's processes, and `run.env`, with which a shell can run `lethe`.

use std::fmt::Write;
use std::path::Path;

use data_encoding::BASE64;

use crate::data_folder::Secrets;
use crate::ports::Ports;

/// Environment variables, as names and values.
#[derive(Clone)]
pub(crate) struct Environment {
    /// For `lethe`.
    pub(crate) lethe: Vec<(&'static str, String)>,
    /// For the Clerk stand-in.
    pub(crate) clerk: Vec<(&'static str, String)>,
    /// For shells and tests only.
    extra: Vec<(&'static str, String)>,
}

/// Addresses and paths of a demo's parts.
pub(crate) struct Addresses<'a> {
    pub(crate) ports: Ports,
    pub(crate) secrets: &'a Secrets,
    /// The sample application's database, in which Lethe has its schema.
    pub(crate) database: String,
    /// The stand-in's database.
    pub(crate) stand_in_database: String,
    pub(crate) data: &'a Path,
    pub(crate) root: &'a Path,
    pub(crate) site: &'a Path,
    /// The number of users that the stand-in creates in an empty database.
    pub(crate) people: u32,
}

impl Environment {
    pub(crate) fn new(addresses: &Addresses<'_>) -> Self {
        let Addresses { ports, secrets, .. } = addresses;
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        let url = at(ports.server);
        let clerk_url = at(ports.clerk);
        let publishable_key = publishable_key(ports.clerk);
        let lethe = vec![
            ("LETHE_URL", url.clone()),
            ("LETHE_LISTEN", format!("127.0.0.1:{}", ports.server)),
            ("DATABASE_URL", addresses.database.clone()),
            ("CLERK_API_URL", clerk_url.clone()),
            ("CLERK_PROXY_URL", clerk_url.clone()),
            ("CLERK_SIGN_IN_URL", format!("{clerk_url}/sign-in")),
            ("CLERK_SECRET_KEY", secrets.clerk_secret_key.clone()),
            ("CLERK_PUBLISHABLE_KEY", publishable_key.clone()),
            ("CLERK_WEBHOOK_SIGNING_SECRET", secrets.webhook_secret.clone()),
            // The limit of a Clerk production instance.
            ("CLERK_REQUESTS_PER_TEN_SECONDS", "1000".to_owned()),
            ("LETHE_SECRET", secrets.lethe_secret.clone()),
            ("LETHE_DATA_MAP", addresses.root.join("demo/data-map.toml").display().to_string()),
            ("LETHE_STORAGE", addresses.data.join("storage").display().to_string()),
            ("LETHE_SITE", addresses.site.display().to_string()),
            ("LETHE_SMTP_URL", format!("smtp://127.0.0.1:{}", ports.smtp)),
            ("LETHE_MAIL_FROM", "Northwind Journal <privacy@northwind.example>".to_owned()),
            ("LETHE_ALERT_TO", "operators@northwind.example".to_owned()),
            ("LETHE_BRAND", "Northwind Journal".to_owned()),
            // The benchmark saves far more often than a person.
            ("LETHE_CONSENT_CHANGES_PER_MINUTE", "1000000".to_owned()),
        ];
        let clerk = vec![
            ("STAND_IN_DATABASE_URL", addresses.stand_in_database.clone()),
            ("STAND_IN_URL", clerk_url),
            ("STAND_IN_WEBHOOK_URL", format!("{url}/api/webhooks/clerk")),
            ("STAND_IN_PEOPLE", addresses.people.to_string()),
            ("CLERK_SECRET_KEY", secrets.clerk_secret_key.clone()),
            ("CLERK_PUBLISHABLE_KEY", publishable_key),
            ("CLERK_WEBHOOK_SIGNING_SECRET", secrets.webhook_secret.clone()),
        ];
        Self { lethe, clerk, extra: vec![("INBOX_URL", at(ports.inbox))] }
    }

    /// Returns the variables of `run.env`.
    pub(crate) fn exported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.lethe.iter().chain(&self.extra).map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the content of `run.env`, which a shell can source.
    pub(crate) fn to_text(&self) -> String {
        let mut text =
            String::from("# For a shell: set -a; . this file; set +a. Overwritten by each `cargo xtask run`.\n");
        for (name, value) in self.exported() {
            writeln!(text, "{name}={}", quoted(value)).expect("writing to a string does not fail");
        }
        text
    }
}

/// The demo instance's publishable key: its Frontend API's host and port, encoded as Clerk does.
fn publishable_key(port: u16) -> String {
    format!("pk_test_{}", BASE64.encode(format!("127.0.0.1:{port}$").as_bytes()))
}

/// Quotes a value for a shell.
fn quoted(value: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "_-./:@%+=,".contains(character);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn values_are_quoted_for_a_shell() {
        assert_eq!(quoted("http://127.0.0.1:3000"), "http://127.0.0.1:3000");
        assert_eq!(quoted("Northwind Journal"), "'Northwind Journal'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn values_survive_sourcing_in_a_shell() {
        let secrets = Secrets {
            postgres_password: "password".into(),
            clerk_secret_key: "sk_test_x".into(),
            webhook_secret: "whsec_a+b/c==".into(),
            lethe_secret: "x+/=".into(),
        };
        let environment = Environment::new(&Addresses {
            ports: Ports::from(3000).expect("three ports follow it"),
            secrets: &secrets,
            database: "postgres://lethe:password@127.0.0.1:5/northwind".into(),
            stand_in_database: "postgres://lethe:password@127.0.0.1:5/clerk_stand_in".into(),
            data: Path::new("/tmp/it's here"),
            root: Path::new("/src"),
            site: Path::new("/site"),
            people: 3,
        });
        let script = format!(
            "set -a\n{}printf '%s|%s|%s|%s' \"$LETHE_STORAGE\" \"$LETHE_MAIL_FROM\" \"$CLERK_WEBHOOK_SIGNING_SECRET\" \"$INBOX_URL\"",
            environment.to_text()
        );
        let output = Command::new("sh").args(["-c", &script]).output().expect("sh runs");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "/tmp/it's here/storage|Northwind Journal <privacy@northwind.example>|whsec_a+b/c==|http://127.0.0.1:3002"
        );
    }

    #[test]
    fn publishable_key_encodes_the_stand_ins_address() {
        assert_eq!(publishable_key(3001), "pk_test_MTI3LjAuMC4xOjMwMDEk");
    }
}
