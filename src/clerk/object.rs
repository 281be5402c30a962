//! Clerk's objects, parsed leniently: unknown fields are preserved, and a field that is missing or has another type
//! is absent instead of failing the call.

use serde::Deserialize;
use serde_json::Value;

use crate::identifiers::Identifiers;
use crate::ids::ClerkUserId;

/// A user. `Debug` shows no personal data.
#[derive(Clone, PartialEq)]
pub struct User {
    id: ClerkUserId,
    raw: Value,
}

impl User {
    /// Parses the object. Only the id is required.
    #[must_use]
    pub fn from_value(raw: Value) -> Option<Self> {
        let id = ClerkUserId::parse(raw.get("id")?.as_str()?).ok()?;
        Some(Self { id, raw })
    }

    /// The user's id.
    #[must_use]
    pub fn id(&self) -> &ClerkUserId {
        &self.id
    }

    /// The primary e-mail address. Another one may not be verified, or belong to somebody else by now.
    #[must_use]
    pub fn primary_email(&self) -> Option<&str> {
        let addresses = self.raw.get("email_addresses")?.as_array()?;
        let primary = self.raw.get("primary_email_address_id").and_then(Value::as_str);
        addresses
            .iter()
            .find(|address| primary.is_some() && address.get("id").and_then(Value::as_str) == primary)?
            .get("email_address")?
            .as_str()
    }

    /// The id, and the e-mail addresses and phone numbers that Clerk has verified.
    #[must_use]
    pub fn identifiers(&self) -> Identifiers {
        Identifiers::from(&self.id)
            .with_email_addresses(self.verified("email_addresses", "email_address"))
            .with_phone_numbers(self.verified("phone_numbers", "phone_number"))
    }

    fn verified<'a>(&'a self, list: &str, field: &'a str) -> impl Iterator<Item = &'a str> {
        let entries = self.raw.get(list).and_then(Value::as_array).into_iter().flatten();
        let verified = entries.filter(|entry| entry["verification"]["status"].as_str() == Some("verified"));
        verified.filter_map(move |entry| entry.get(field)?.as_str())
    }

    /// First and last name, or else the username.
    #[must_use]
    pub fn display_name(&self) -> Option<String> {
        let text =
            |field: &str| self.raw.get(field).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let names: Vec<&str> = [text("first_name"), text("last_name")].into_iter().flatten().collect();
        if names.is_empty() { text("username").map(str::to_owned) } else { Some(names.join(" ")) }
    }

    /// The metadata that the application's frontend can read too.
    #[must_use]
    pub fn public_metadata(&self) -> Option<&Value> {
        self.raw.get("public_metadata")
    }

    /// The object as Clerk sent it.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("User(..)")
    }
}

/// A session. `Debug` shows no personal data.
#[derive(Clone, PartialEq)]
pub struct Session {
    id: String,
    raw: Value,
}

impl Session {
    /// Parses the object. Only the id is required.
    #[must_use]
    pub fn from_value(raw: Value) -> Option<Self> {
        let id = raw.get("id")?.as_str()?.to_owned();
        Some(Self { id, raw })
    }

    /// The session's id, `sess_…`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Clerk's status: `active`, `pending`, `ended`, `revoked`, …
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.raw.get("status").and_then(Value::as_str)
    }

    /// The id of the user who signed in.
    #[must_use]
    pub fn user_id(&self) -> Option<ClerkUserId> {
        ClerkUserId::parse(self.raw.get("user_id")?.as_str()?).ok()
    }

    /// Whether the session can still issue tokens. An unknown status counts as live: an unnecessary revocation does no
    /// harm.
    #[must_use]
    pub fn is_live(&self) -> bool {
        const ENDED: [&str; 6] = ["ended", "revoked", "expired", "removed", "abandoned", "replaced"];
        !self.status().is_some_and(|status| ENDED.contains(&status))
    }

    /// The object as Clerk sent it.
    #[must_use]
    pub fn raw(&self) -> &Value {
        &self.raw
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Session(..)")
    }
}

/// The instance's key set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Jwks {
    /// The keys; unreadable ones are skipped.
    #[serde(default, deserialize_with = "skip_unreadable")]
    pub keys: Vec<Jwk>,
}

/// A public key.
#[derive(Clone, Debug, Deserialize)]
pub struct Jwk {
    /// The key's id.
    pub kid: String,
    /// The key's type, for example `RSA`.
    pub kty: String,
    /// The algorithm that the key is restricted to, if any.
    #[serde(default)]
    pub alg: Option<String>,
    /// What the key is for: `sig`, if it says so.
    #[serde(default, rename = "use")]
    pub usage: Option<String>,
    /// The operations that the key is for, if it names any.
    #[serde(default)]
    pub key_ops: Option<Vec<String>>,
    /// The modulus, in base64url.
    #[serde(default)]
    pub n: String,
    /// The exponent, in base64url.
    #[serde(default)]
    pub e: String,
}

/// A key of a kind that is unknown here doesn't take the others with it.
fn skip_unreadable<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Jwk>, D::Error> {
    let values = Vec::<Value>::deserialize(deserializer)?;
    // A private key has no business there.
    let public = values.into_iter().filter(|value| value.get("d").is_none());
    Ok(public.filter_map(|value| serde_json::from_value(value).ok()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_with_unknown_fields_is_read() {
        let user = User::from_value(json!({
            "id": "user_1", "object": "user_v9", "locked": "sometimes", "new_field": {"a": [1]},
            "first_name": " Ada ", "last_name": null, "username": 5,
            "primary_email_address_id": "idn_2",
            "email_addresses": [
                {"id": "idn_1", "email_address": "old@example.org"},
                {"id": "idn_2", "email_address": "ada@example.org", "verification": "later"},
            ],
        }))
        .unwrap();
        assert_eq!(user.primary_email(), Some("ada@example.org"));
        assert_eq!(user.display_name().as_deref(), Some("Ada"));
        assert!(!format!("{user:?}").contains("ada"));
        // Another address may not be verified.
        let secondary =
            json!({"id": "user_1", "email_addresses": [{"id": "idn_1", "email_address": "old@example.org"}]});
        assert_eq!(User::from_value(secondary).unwrap().primary_email(), None);
        for poor in [json!({"id": "user_1"}), json!({"id": "user_1", "email_addresses": "none"})] {
            let user = User::from_value(poor).unwrap();
            assert_eq!((user.primary_email(), user.display_name()), (None, None));
        }
        for none in [json!({}), json!(null), json!({"id": 7}), json!({"id": "org_1"})] {
            assert!(User::from_value(none).is_none());
        }
    }

    #[test]
    fn unknown_session_status_counts_as_live() {
        for (status, live) in
            [("active", true), ("pending", true), ("dormant", true), ("revoked", false), ("ended", false)]
        {
            let session = Session::from_value(json!({"id": "sess_1", "status": status})).unwrap();
            assert_eq!(session.is_live(), live, "{status}");
        }
        assert!(Session::from_value(json!({"id": "sess_1"})).unwrap().is_live());
    }

    #[test]
    fn unreadable_keys_are_skipped() {
        let jwks: Jwks = serde_json::from_value(json!({"keys": [
            {"kid": 5}, {"kid": "a", "kty": "OKP", "crv": "Ed25519", "x": "…"}, {"kid": "b", "kty": "RSA", "n": "AQ", "e": "AQAB", "use": "sig"},
        ]}))
        .unwrap();
        assert_eq!(jwks.keys.iter().map(|key| key.kid.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
