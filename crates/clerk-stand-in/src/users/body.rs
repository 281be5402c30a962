//! Applies the bodies of requests to the User object.

use serde_json::{Map, Value, json};

use crate::api_error::{ApiError, ApiResult};

/// The limit of each metadata field.
const METADATA_BYTES: usize = 8 * 1024;
const METADATA_FIELDS: [&str; 3] = ["public_metadata", "private_metadata", "unsafe_metadata"];

/// Fields that POST and PATCH set to a text or to null.
const TEXTS: [&str; 5] = ["external_id", "first_name", "last_name", "username", "locale"];
/// Boolean fields; null leaves them unchanged.
const FLAGS: [&str; 5] =
    ["delete_self_enabled", "create_organization_enabled", "bypass_client_trust", "banned", "locked"];
/// Timestamps, which requests have as RFC 3339 text and the object in milliseconds.
const TIMESTAMPS: [&str; 2] = ["legal_accepted_at", "created_at"];
/// Fields that select one of the user's identifications, and the list that has them.
const PRIMARY: [(&str, &str); 3] = [
    ("primary_email_address_id", "email_addresses"),
    ("primary_phone_number_id", "phone_numbers"),
    ("primary_web3_wallet_id", "web3_wallets"),
];

/// Whether metadata is merged or replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MetadataWrite {
    Merge,
    Replace,
}

pub(super) fn email_addresses(body: &Map<String, Value>) -> ApiResult<Vec<String>> {
    let emails: Vec<String> = texts(body, "email_address").map(str::to_lowercase).collect();
    let valid = |email: &String| {
        email
            .split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains(['@', ' ']))
    };
    if emails.iter().all(valid) { Ok(emails) } else { Err(ApiError::wrong_format("email_address")) }
}

pub(super) fn phone_numbers(body: &Map<String, Value>) -> ApiResult<Vec<String>> {
    let phones: Vec<String> = texts(body, "phone_number").map(ToOwned::to_owned).collect();
    let valid = |phone: &String| {
        phone
            .strip_prefix('+')
            .is_some_and(|digits| digits.len() > 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if phones.iter().all(valid) { Ok(phones) } else { Err(ApiError::wrong_format("phone_number")) }
}

fn texts<'a>(body: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a str> {
    body.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Sets the fields of a POST or PATCH body, whose names and types have been validated. Fields that matter only to real
/// sign-ins have no effect: there are no passwords here.
pub(super) fn set_fields(data: &mut Value, body: &Map<String, Value>, now: i64) -> ApiResult<()> {
    for (name, value) in body {
        let name = name.as_str();
        if TEXTS.contains(&name) || name == "create_organizations_limit" {
            // A blank name or username removes it.
            data[name] = if value == "" { Value::Null } else { value.clone() };
        } else if FLAGS.contains(&name) && value.is_boolean() {
            data[name] = value.clone();
        } else if TIMESTAMPS.contains(&name)
            && let Some(text) = value.as_str()
        {
            data[name] = milliseconds(name, text)?.into();
        } else if let Some((_, list)) = PRIMARY.iter().find(|(primary, _)| *primary == name) {
            let mut owned = data[list].as_array().into_iter().flatten();
            if !value.is_null() && !owned.any(|entry| entry["id"] == *value) {
                return Err(ApiError::invalid_parameter(name, &format!("{name} is not one of the person's.")));
            }
            data[name] = value.clone();
        } else if matches!(name, "password" | "password_digest") && value.is_string() {
            data["password_enabled"] = true.into();
            data["password_last_updated_at"] = now.into();
        }
    }
    Ok(())
}

pub(super) fn write_metadata(data: &mut Value, body: &Map<String, Value>, write: MetadataWrite) -> ApiResult<()> {
    for (name, value) in body.iter().filter(|(name, _)| METADATA_FIELDS.contains(&name.as_str())) {
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

/// Merges objects at every level; `null` removes a key, every other value replaces.
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

fn milliseconds(name: &str, text: &str) -> ApiResult<i64> {
    let time = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok();
    time.and_then(|time| i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok())
        .ok_or_else(|| ApiError::invalid_parameter(name, &format!("{name} must be an RFC 3339 timestamp.")))
}
