//! Identifiers and secrets, shaped as Clerk's are.

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use crate::people::base62;

/// `prefix`, an underscore and 27 random characters.
pub(super) fn random(prefix: &str) -> String {
    format!("{prefix}_{}", base62(&bytes::<27>()))
}

/// A trace id for an error document.
pub(super) fn trace() -> String {
    HEXLOWER.encode(&bytes::<16>())
}

/// Random bytes.
pub(super) fn bytes<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    bytes
}
