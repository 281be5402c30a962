//! Random numbers, from the operating system. In one place, so that nothing else chooses a
//! weaker source.

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
    /// The operating system's.
    #[must_use]
    pub fn system() -> Self {
        Self(SystemRandom::new())
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// When the operating system gives none: nothing safe could be done then.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes).expect("the operating system gives random bytes");
        bytes
    }

    /// A random (version 4) id.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }
}
