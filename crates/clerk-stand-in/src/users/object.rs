//! The User object.

use serde_json::{Value, json};

use crate::people::Person;

/// A User object with addresses and phone numbers, of which the first are the primary ones, and nothing else.
pub(super) fn object(id: &str, emails: &[String], phones: &[String], now: i64, created_at: i64) -> Value {
    let addresses: Vec<Value> = emails
        .iter()
        .enumerate()
        .map(|(number, email)| {
            let mut address = identification(id, number, created_at);
            address["object"] = "email_address".into();
            address["email_address"] = email.as_str().into();
            address["matches_sso_connection"] = false.into();
            address
        })
        .collect();
    let numbers: Vec<Value> = phones
        .iter()
        .enumerate()
        .map(|(number, phone)| {
            let mut entry = identification(id, emails.len() + number, created_at);
            entry["object"] = "phone_number".into();
            entry["phone_number"] = phone.as_str().into();
            entry["reserved_for_second_factor"] = false.into();
            entry["default_second_factor"] = false.into();
            entry["backup_codes"] = Value::Null;
            entry
        })
        .collect();
    json!({
        "id": id,
        "object": "user",
        "external_id": null,
        "primary_email_address_id": addresses.first().map(|address| address["id"].clone()),
        "primary_phone_number_id": numbers.first().map(|number| number["id"].clone()),
        "primary_web3_wallet_id": null,
        "username": null,
        "first_name": null,
        "last_name": null,
        "locale": null,
        "profile_image_url": "https://img.example.org/nobody.png",
        "image_url": "https://img.example.org/nobody.png",
        "has_image": false,
        "public_metadata": {},
        "private_metadata": {},
        "unsafe_metadata": {},
        "email_addresses": addresses,
        "phone_numbers": numbers,
        "web3_wallets": [],
        "passkeys": [],
        "password_enabled": false,
        "two_factor_enabled": false,
        "totp_enabled": false,
        "backup_code_enabled": false,
        "mfa_enabled_at": null,
        "mfa_disabled_at": null,
        "password_last_updated_at": null,
        "external_accounts": [],
        "saml_accounts": [],
        "enterprise_accounts": [],
        "last_sign_in_at": null,
        "banned": false,
        "locked": false,
        "lockout_expires_in_seconds": null,
        "verification_attempts_remaining": 100,
        "updated_at": now,
        "created_at": created_at,
        "delete_self_enabled": true,
        "create_organization_enabled": true,
        "create_organizations_limit": null,
        "last_active_at": null,
        "legal_accepted_at": null,
        "bypass_client_trust": false,
    })
}

/// The fields that addresses and phone numbers share.
fn identification(user_id: &str, number: usize, created_at: i64) -> Value {
    json!({
        "id": format!("idn_{}{number}", &user_id["user_".len()..user_id.len() - 1]),
        "reserved": false,
        "verification": {
            "object": "verification_admin", "status": "verified", "strategy": "admin", "attempts": null, "expire_at": null,
        },
        "linked_to": [],
        "created_at": created_at,
        "updated_at": created_at,
    })
}

/// The User object of a made-up person.
pub(super) fn person_object(person: &Person) -> Value {
    // One second apart, so that the order by creation is unambiguous.
    let created_at = 1_704_096_000_000 + i64::try_from(person.index).expect("a number of people fits") * 1000;
    let mut data = object(&person.id, std::slice::from_ref(&person.email), &[], created_at, created_at);
    data["first_name"] = person.first_name.as_str().into();
    data["last_name"] = person.last_name.as_str().into();
    data["public_metadata"] = person.public_metadata.clone().into();
    data
}
