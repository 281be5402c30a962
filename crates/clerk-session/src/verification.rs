//! Verifies session tokens and handshake tokens: everything that must be true before a token's claims are trusted.

use crate::keys::{KeyError, KeySource, PublicKey};
use crate::reason::{Reason, TokenError};
use crate::session::Session;
use crate::token::Token;
use crate::validated_config::ValidatedConfig;

/// Why a token does not sign in.
pub(crate) enum VerifyError {
    FetchKeys,
    Token(TokenError),
    Reason(Reason),
}

/// Verifies a handshake token and returns its `Set-Cookie` lines.
pub(crate) fn verify_handshake(
    text: &str,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
) -> Result<Vec<String>, VerifyError> {
    let token = Token::parse(text).ok_or(VerifyError::Token(TokenError::Invalid))?;
    let key = find_key(&token, config, keys)?;
    let algorithm = token.algorithm().map_err(VerifyError::Token)?;
    // The author of a JWT template can add a claim `handshake`.
    if token.has_other_category() {
        return Err(VerifyError::Token(TokenError::Invalid));
    }
    key.verify(algorithm, token.signed, &token.signature).map_err(VerifyError::Token)?;
    Ok(token.handshake())
}

/// Verifies a session token in the SDK's order: category, key, type, algorithm, signature, claims. `now` and `skew` are
/// in milliseconds.
pub(crate) fn verify(
    token: &Token<'_>,
    config: &ValidatedConfig,
    keys: KeySource<'_>,
    now: i64,
    skew: i64,
) -> Result<Session, VerifyError> {
    if token.has_other_type() {
        return Err(VerifyError::Reason(Reason::TokenTypeMismatch));
    }
    let key = find_key(token, config, keys)?;
    let algorithm = token.algorithm().map_err(VerifyError::Token)?;
    key.verify(algorithm, token.signed, &token.signature).map_err(VerifyError::Token)?;
    token.verify_claims(config, now, skew).map_err(VerifyError::Token)?;
    token.session().map_err(VerifyError::Reason)
}

fn find_key<'a>(
    token: &Token<'_>,
    config: &'a ValidatedConfig,
    keys: KeySource<'a>,
) -> Result<&'a PublicKey, VerifyError> {
    match &config.jwt_key {
        Some(key) => Ok(key),
        None => keys.find(token.key_id()).map_err(|error| match error {
            KeyError::FetchRequired => VerifyError::FetchKeys,
            KeyError::Token(error) => VerifyError::Token(error),
        }),
    }
}
