//! What can go wrong when the stand-in is set up.

/// Why the stand-in can't be opened or filled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The database can't be reached, or refuses a statement.
    #[error("the stand-in's database failed")]
    Database(#[from] sqlx::Error),
    /// The webhook signing secret isn't `whsec_` followed by base64.
    #[error("the webhook secret is not `whsec_` and base64")]
    InvalidWebhookSecret,
    /// A signing key in the database can't be read.
    #[error("the signing key {kid} can't be read: {reason}")]
    InvalidSigningKey {
        /// The key's id in the key set.
        kid: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No signing key could be generated.
    #[error("no signing key could be generated: {0}")]
    KeyGeneration(String),
    /// The client that delivers webhooks can't be set up.
    #[error("the HTTP client for webhooks can't be set up")]
    HttpClient(#[source] reqwest::Error),
}
