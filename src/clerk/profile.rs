//! The part of a Clerk user that belongs in an export. It is a list of allowed fields: one that Clerk adds later,
//! perhaps a credential, is left out until it is added here.

use serde_json::{Map, Value};

use super::{Session, User};

const USER: &[&str] = &[
    "id",
    "external_id",
    "username",
    "first_name",
    "last_name",
    "locale",
    "image_url",
    "has_image",
    "primary_email_address_id",
    "primary_phone_number_id",
    "primary_web3_wallet_id",
    "password_enabled",
    "password_last_updated_at",
    "two_factor_enabled",
    "totp_enabled",
    "backup_code_enabled",
    "mfa_enabled_at",
    "mfa_disabled_at",
    "public_metadata",
    "unsafe_metadata",
    "legal_accepted_at",
    "last_sign_in_at",
    "last_active_at",
    "created_at",
    "updated_at",
    "banned",
    "locked",
];

/// Arrays in the user object, with the allowed fields of their entries.
const LISTS: &[(&str, &[&str])] = &[
    ("email_addresses", &["id", "email_address", "verification", "linked_to", "reserved", "created_at", "updated_at"]),
    (
        "phone_numbers",
        &[
            "id",
            "phone_number",
            "reserved_for_second_factor",
            "default_second_factor",
            "verification",
            "linked_to",
            "reserved",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "external_accounts",
        &[
            "id",
            "provider",
            "provider_user_id",
            "email_address",
            "email_address_verified",
            "first_name",
            "last_name",
            "username",
            "phone_number",
            "image_url",
            "approved_scopes",
            "label",
            "public_metadata",
            "verification",
            "created_at",
            "updated_at",
        ],
    ),
    ("web3_wallets", &["id", "web3_wallet", "verification", "created_at", "updated_at"]),
    ("passkeys", &["id", "name", "last_used_at", "verification"]),
    (
        "saml_accounts",
        &[
            "id",
            "provider",
            "provider_user_id",
            "active",
            "email_address",
            "first_name",
            "last_name",
            "last_authenticated_at",
            "public_metadata",
            "verification",
        ],
    ),
    (
        "enterprise_accounts",
        &[
            "id",
            "protocol",
            "provider",
            "provider_user_id",
            "active",
            "email_address",
            "first_name",
            "last_name",
            "last_authenticated_at",
            "public_metadata",
            "verification",
        ],
    ),
    ("organization_memberships", &["id", "role", "organization", "created_at", "updated_at"]),
];

/// Objects within those entries, with their allowed fields. A verification also holds nonces and links.
const NESTED: &[(&str, &[&str])] = &[
    ("verification", &["status", "strategy", "expire_at"]),
    ("organization", &["id", "name", "slug"]),
    (
        "latest_activity",
        &["device_type", "is_mobile", "browser_name", "browser_version", "ip_address", "city", "country"],
    ),
];

const SESSION: &[&str] =
    &["id", "status", "latest_activity", "last_active_at", "expire_at", "abandon_at", "created_at", "updated_at"];

/// Returns the part of `user` and of their `sessions` that an export may contain: no private metadata, tokens, digests
/// or backup codes.
#[must_use]
pub fn profile(user: &User, sessions: &[Session]) -> Value {
    let mut profile = pick(user.raw(), USER);
    for (list, fields) in LISTS {
        if let Some(entries) = user.raw().get(list).and_then(Value::as_array) {
            profile
                .insert((*list).to_owned(), entries.iter().map(|entry| Value::Object(pick(entry, fields))).collect());
        }
    }
    let sessions = sessions.iter().map(|session| Value::Object(pick(session.raw(), SESSION))).collect();
    profile.insert("sessions".to_owned(), sessions);
    Value::Object(profile)
}

fn pick(from: &Value, fields: &[&str]) -> Map<String, Value> {
    let mut picked = Map::new();
    for field in fields {
        let Some(value) = from.get(field) else { continue };
        let nested = NESTED.iter().find(|(name, _)| name == field).map(|(_, fields)| *fields);
        let value = match nested {
            Some(fields) if value.is_object() => Value::Object(pick(value, fields)),
            Some(_) => Value::Null,
            None => value.clone(),
        };
        picked.insert((*field).to_owned(), value);
    }
    picked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn profile_holds_no_secrets() {
        let user = User::from_value(json!({
            "id": "user_1", "first_name": "Ada", "password_digest": "POISON", "totp_secret": "POISON",
            "private_metadata": {"a": "POISON"}, "public_metadata": {"consent": {"marketing": true}}, "unsafe_metadata": {"b": 1},
            "field_of_tomorrow": "POISON",
            "email_addresses": [{"id": "idn_1", "email_address": "ada@example.org",
                "verification": {"status": "verified", "strategy": "email_code", "nonce": "POISON", "token": "POISON"}}],
            "phone_numbers": [{"id": "idn_2", "phone_number": "+4930", "backup_codes": ["POISON"], "verification": "POISON"}],
            "external_accounts": [{"provider": "oauth_google", "provider_user_id": "1", "approved_scopes": "email", "access_token": "POISON"}],
            "saml_accounts": [{"provider": "saml_okta", "saml_connection": {"idp_certificate": "POISON"}}],
        }))
        .unwrap();
        let session = Session::from_value(json!({
            "id": "sess_1", "status": "active", "client_id": "POISON", "last_active_token": {"jwt": "POISON"},
            "latest_activity": {"id": "POISON", "ip_address": "192.0.2.1", "city": "Berlin"},
        }))
        .unwrap();
        let exported = profile(&user, &[session]);
        assert!(!exported.to_string().contains("POISON"), "{exported}");
        assert_eq!(
            exported,
            json!({
                "id": "user_1", "first_name": "Ada",
                "public_metadata": {"consent": {"marketing": true}}, "unsafe_metadata": {"b": 1},
                "email_addresses": [{"id": "idn_1", "email_address": "ada@example.org", "verification": {"status": "verified", "strategy": "email_code"}}],
                "phone_numbers": [{"id": "idn_2", "phone_number": "+4930", "verification": null}],
                "external_accounts": [{"provider": "oauth_google", "provider_user_id": "1", "approved_scopes": "email"}],
                "saml_accounts": [{"provider": "saml_okta"}],
                "sessions": [{"id": "sess_1", "status": "active", "latest_activity": {"ip_address": "192.0.2.1", "city": "Berlin"}}],
            })
        );
    }

    #[test]
    fn profile_tolerates_objects_of_another_shape() {
        let user =
            User::from_value(json!({"id": "user_1", "email_addresses": [5, null, "x"], "phone_numbers": {}})).unwrap();
        assert_eq!(profile(&user, &[]), json!({"id": "user_1", "email_addresses": [{}, {}, {}], "sessions": []}));
    }
}
