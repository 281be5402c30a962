//! The identities of a data subject. One person has all three, and none may stand in for another:
//!
//! | Type | What it is | Where it is used |
//! |---|---|---|
//! | [`ClerkUserId`] | Clerk's id of the account, personal data | Clerk's API, the application's tables |
//! | [`DataSubjectId`] | a random id, to which nothing leads once the person's row is deleted | the consent ledger, the audit log |
//! | [`UserHandle`] | a keyed hash, meaningless outside this installation | forms, cookies and the browser's storage |

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A Clerk user id, `user_…`. `Debug` doesn't show it: an id is personal data.
///
/// ```
/// use lethe::ClerkUserId;
///
/// let id = ClerkUserId::parse("user_2abcDEF0123456789")?;
/// assert_eq!(id.as_str(), "user_2abcDEF0123456789");
/// assert_eq!(format!("{id:?}"), "ClerkUserId(..)");
/// assert!(ClerkUserId::parse("org_2abcDEF0123456789").is_err());
/// # Ok::<(), lethe::ids::InvalidClerkUserId>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClerkUserId(String);

/// The text isn't a Clerk user id.
#[derive(Debug, thiserror::Error)]
#[error("not a Clerk user id: it must be `user_` and letters, digits or `_`, 64 characters at most")]
pub struct InvalidClerkUserId;

impl ClerkUserId {
    /// Accepts `user_` followed by letters, digits or underscores, 64 characters at most.
    pub fn parse(text: &str) -> Result<Self, InvalidClerkUserId> {
        let rest = text.strip_prefix("user_").ok_or(InvalidClerkUserId)?;
        let valid = !rest.is_empty()
            && text.len() <= 64
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidClerkUserId) }
    }

    /// The id as Clerk writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClerkUserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClerkUserId(..)")
    }
}

/// The random id under which the consent ledger and the audit log refer to a person. The row that leads
/// from it to the person is deleted with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DataSubjectId(pub(crate) Uuid);

impl fmt::Display for DataSubjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Identifies a user to their own browser without telling anything about them: 32 hexadecimal digits of a
/// keyed hash, see [`Keys::user_handle`](crate::keys::Keys::user_handle).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserHandle(pub(crate) String);

impl UserHandle {
    /// The handle's digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl From<UserHandle> for String {
    fn from(handle: UserHandle) -> Self {
        handle.0
    }
}

/// Compares with what a browser sent.
impl PartialEq<str> for UserHandle {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_accepts_only_clerk_user_ids() {
        assert!(ClerkUserId::parse("user_2abcDEF0123456789").is_ok());
        for wrong in ["", "user_", "org_123", "user_a b", "user_é", &format!("user_{}", "a".repeat(60))] {
            assert!(ClerkUserId::parse(wrong).is_err(), "{wrong}");
        }
        let output = format!("{:?}", ClerkUserId::parse("user_2abc").unwrap());
        assert!(!output.contains("2abc"));
    }
}
