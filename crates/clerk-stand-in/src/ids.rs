//! Identifiers and secrets in the shape of Clerk's.

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

/// `prefix`, an underscore and 27 random characters.
pub(crate) fn random(prefix: &str) -> String {
    format!("{prefix}_{}", alphanumeric(&random_bytes::<27>()))
}

/// A value for `clerk_trace_id`.
pub(crate) fn trace() -> String {
    HEXLOWER.encode(&random_bytes::<16>())
}

/// One alphanumeric character for each of the first 27 bytes: the length of the random part of Clerk's ids.
pub(crate) fn alphanumeric(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    bytes.iter().take(27).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}

pub(crate) fn random_bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}
