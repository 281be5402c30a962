//! Random numbers from the operating system, in one place so that nothing uses a weaker source.

use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;

/// A source of unpredictable bytes.
#[derive(Clone, Debug)]
pub struct Random(SystemRandom);

impl Default for Random {
    fn default() -> Self {
        Self::system()
    }
}

impl Random {
    /// The operating system's source.
    #[must_use]
    pub fn system() -> Self {
        Self(SystemRandom::new())
    }

    /// Returns `N` random bytes.
    ///
    /// # Panics
    /// If the operating system returns none, since nothing could be done safely without them.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }

    /// Returns a random (version 4) UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}
