//! What the core needs of its surroundings: time, randomness, cryptography, the database, the job queue, mail and
//! the archive store. Knows nothing of consent, exports and deletions.

pub(crate) mod clock;
pub mod connection;
pub mod crockford;
pub mod database;
pub(crate) mod database_failure;
pub mod error_chain;
pub mod keys;
pub mod loopback;
pub mod mail;
pub mod queue;
pub(crate) mod random;
pub mod secrets;
mod session_check;
pub mod storage;

pub use clock::Clock;
pub use database_failure::is_database_away;
pub use error_chain::error_chain;
pub use loopback::is_loopback;
pub use random::Random;
