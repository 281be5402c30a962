//! What the bodies of requests about users may hold, and how it changes the object.

use serde_json::{Map, Value, json};

use crate::clerk::errors::{ApiError, ApiResult};

/// The limit of each metadata field.
const METADATA_BYTES: usize = 8 * 1024;
pub(super) const METADATA_FIELDS: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

/// What POST and PATCH take and the stand-in knows what to do with.
pub(super) const SETTABLE: [&str; 9] = [
    "external_id",
    "first_name",
    "last_name",
    "username",
    "locale",
    "delete_self_enabled",
    "create_organization_enabled",
    "create_organizations_limit",
    "bypass_client_trust",
];

/// What POST /users takes beyond [`SETTABLE`] and metadata. What only matters to real sign-ins is accepted
/// and has no effect: nobody types a password here.
pub(super) const CREATE_ONLY: [&str; 18] = [
    "email_address",
    "email_address_identification_status",
    "phone_number",
    "phone_number_identification_status",
    "web3_wallet",
    "password",
    "password_digest",
    "password_hasher",
    "skip_password_checks",
    "skip_password_requirement",
    "totp_secret",
    "backup_codes",
    "legal_accepted_at",
    "skip_legal_checks",
    "skip_user_requirement",
    "created_at",
    "banned",
    "locked",
];

/// How metadata is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::clerk) enum MetadataWrite {
    Merge,
    Replace,
}

pub(super) fn email_addresses(body: &Map<String, Value>) -> ApiResult<Vec<String>> {
    let emails = texts(body, "email_address")?.map(|emails| emails.iter().map(|email| email.to_lowercase()).collect());
    let emails: Vec<String> = emails.unwrap_or_default();
    let valid = |email: &String| {
        email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains(['@', ' ']))
    };
    if emails.iter().all(valid) { Ok(emails) } else { Err(ApiError::wrong_format("email_address")) }
}

pub(super) fn phone_numbers(body: &Map<String, Value>) -> ApiResult<Vec<String>> {
    let phones = texts(body, "phone_number")?.unwrap_or_default();
    let valid = |phone: &String| {
        phone
            .strip_prefix('+')
            .is_some_and(|digits| digits.len() > 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if phones.iter().all(valid) { Ok(phones) } else { Err(ApiError::wrong_format("phone_number")) }
}

fn texts(body: &Map<String, Value>, name: &str) -> ApiResult<Option<Vec<String>>> {
    let texts = body.get(name).map(|given| serde_json::from_value(given.clone()));
    texts.transpose().map_err(|_| ApiError::wrong_type(name))
}

pub(super) fn set_fields(data: &mut Value, body: &Map<String, Value>) -> ApiResult<()> {
    for (name, value) in body.iter().filter(|(name, _)| SETTABLE.contains(&name.as_str())) {
        let fits = match name.as_str() {
            "delete_self_enabled" | "create_organization_enabled" | "bypass_client_trust" => value.is_boolean(),
            "create_organizations_limit" => value.is_i64() || value.is_null(),
            _ => value.is_string() || value.is_null(),
        };
        if !fits {
            return Err(ApiError::wrong_type(name));
        }
        // A blank name or username takes it away.
        data[name] = if value == "" { Value::Null } else { value.clone() };
    }
    Ok(())
}

pub(super) fn write_metadata(data: &mut Value, body: &Map<String, Value>, write: MetadataWrite) -> ApiResult<()> {
    for (name, value) in body.iter().filter(|(name, _)| METADATA_FIELDS.contains(&name.as_str())) {
        if !value.is_object() {
            return Err(ApiError::wrong_type(name));
        }
        match write {
            MetadataWrite::Merge => merge(&mut data[name], value),
            MetadataWrite::Replace => data[name] = value.clone(),
        }
        if data[name].to_string().len() > METADATA_BYTES {
            return Err(ApiError::too_large(name));
        }
    }
    Ok(())
}

/// Objects are merged at every level, `null` takes a key away, everything else replaces.
fn merge(target: &mut Value, changes: &Value) {
    let Some(changes) = changes.as_object() else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let fields = target.as_object_mut().expect("it was made an object");
    for (name, value) in changes {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

pub(super) fn milliseconds(text: &str) -> Option<i64> {
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()
}
