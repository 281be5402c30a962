//! By what a data subject's rows are found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::ClerkUserId;

/// The Clerk user id, and addresses that nobody else can have: those that Clerk has verified, and those in columns that the data
/// map names. `Debug` shows none of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Identifiers {
    user_id: ClerkUserId,
    email_addresses: Vec<String>,
    phone_numbers: Vec<String>,
}

/// The form in which they are sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    user_id: String,
    email_addresses: Vec<String>,
    phone_numbers: Vec<String>,
}

impl Identifiers {
    /// Adds e-mail addresses. Letter case doesn't tell them apart.
    #[must_use]
    pub fn with_email_addresses<Text: AsRef<str>>(mut self, addresses: impl IntoIterator<Item = Text>) -> Self {
        add(&mut self.email_addresses, addresses, |address| address.trim().to_lowercase());
        self
    }

    /// Adds phone numbers in international form (E.164): `+49 151 23456789`. Spaces and punctuation don't tell them apart.
    #[must_use]
    pub fn with_phone_numbers<Text: AsRef<str>>(mut self, numbers: impl IntoIterator<Item = Text>) -> Self {
        add(&mut self.phone_numbers, numbers, |number| {
            number.chars().filter(|letter| letter.is_ascii_digit() || *letter == '+').collect()
        });
        self
    }

    /// Those of no person: Clerk's ids are longer.
    pub(crate) fn of_unused_user() -> Self {
        const UNUSED_USER_ID: &str = "user_0";
        Self::from(&ClerkUserId::parse(UNUSED_USER_ID).expect("it has the form of an id"))
    }

    /// The Clerk user id.
    #[must_use]
    pub const fn user_id(&self) -> &ClerkUserId {
        &self.user_id
    }

    /// In lower case.
    #[must_use]
    pub fn email_addresses(&self) -> &[String] {
        &self.email_addresses
    }

    /// Digits after a plus sign.
    #[must_use]
    pub fn phone_numbers(&self) -> &[String] {
        &self.phone_numbers
    }

    pub(crate) fn to_json(&self) -> String {
        let Self { user_id, email_addresses, phone_numbers } = self;
        let user_id = user_id.as_str();
        serde_json::json!({ "user_id": user_id, "email_addresses": email_addresses, "phone_numbers": phone_numbers })
            .to_string()
    }

    /// Reads what [`to_json`](Self::to_json) returned, or a Clerk user id alone, which older versions stored.
    pub(crate) fn from_stored(text: &str) -> Option<Self> {
        if let Ok(user_id) = ClerkUserId::parse(text) {
            return Some(Self::from(&user_id));
        }
        let Stored { user_id, email_addresses, phone_numbers } = serde_json::from_str(text).ok()?;
        Some(Self { user_id: ClerkUserId::parse(&user_id).ok()?, email_addresses, phone_numbers })
    }
}

fn add<Text: AsRef<str>>(
    known: &mut Vec<String>,
    texts: impl IntoIterator<Item = Text>,
    normal_form: impl Fn(&str) -> String,
) {
    for text in texts {
        let text = normal_form(text.as_ref());
        if !text.is_empty() && !known.contains(&text) {
            known.push(text);
        }
    }
}

impl From<&ClerkUserId> for Identifiers {
    fn from(user_id: &ClerkUserId) -> Self {
        Self { user_id: user_id.clone(), email_addresses: Vec::new(), phone_numbers: Vec::new() }
    }
}

impl fmt::Debug for Identifiers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Identifiers(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_id() -> ClerkUserId {
        ClerkUserId::parse("user_a").unwrap()
    }

    #[test]
    fn addresses_have_one_form() {
        let identifiers = Identifiers::from(&user_id())
            .with_email_addresses(["Ada@Example.org ", "ada@example.org", ""])
            .with_phone_numbers(["+49 (151) 234-567", "+49151234567"]);
        assert_eq!(identifiers.email_addresses(), ["ada@example.org"]);
        assert_eq!(identifiers.phone_numbers(), ["+49151234567"]);
    }

    #[test]
    fn stored_forms_are_read() {
        let identifiers = Identifiers::from(&user_id()).with_email_addresses(["ada@example.org"]);
        assert_eq!(Identifiers::from_stored(&identifiers.to_json()), Some(identifiers));
        assert_eq!(Identifiers::from_stored("user_a"), Some(Identifiers::from(&user_id())));
        assert_eq!(Identifiers::from_stored("ada@example.org"), None);
    }
}
