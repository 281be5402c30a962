//! How people prove who they are: by a code that is the same for everybody, as for the test addresses of Clerk's
//! development instances. No mail is sent.

use serde_json::{Value, json};

use crate::clerk::errors::{ApiError, ApiResult};

/// The one code.
const CODE: &str = "424242";
const ATTEMPTS: i32 = 3;
const LIFETIME: i64 = 10 * 60 * 1000;

/// The ways that a person has: a code to each of their addresses.
pub(super) fn supported(user: &Value) -> Vec<Value> {
    let addresses = user["email_addresses"].as_array().into_iter().flatten();
    addresses
        .map(|address| {
            json!({
                "strategy": "email_code",
                "email_address_id": address["id"],
                "safe_identifier": address["email_address"],
                "primary": address["id"] == user["primary_email_address_id"],
            })
        })
        .collect()
}

/// Refuses everything but a code to one of the person's addresses; the first one where none is named.
pub(super) fn check_preparation(user: &Value, strategy: Option<&str>, address_id: Option<&str>) -> ApiResult<()> {
    if strategy != Some("email_code") {
        return Err(ApiError::invalid_parameter(
            "strategy",
            "The stand-in knows email_code and, for signing in, ticket.",
        ));
    }
    let is_own = |id: &str| supported(user).iter().any(|factor| factor["email_address_id"] == id);
    if address_id.is_some_and(|id| !is_own(id)) {
        return Err(ApiError::invalid_parameter("email_address_id", "email_address_id is not one of the person's."));
    }
    Ok(())
}

/// Refuses all codes but the right one, and that one too after three wrong ones.
pub(super) fn check_code(strategy: Option<&str>, code: Option<&str>, attempts: i32) -> ApiResult<()> {
    if strategy != Some("email_code") {
        return Err(ApiError::invalid_parameter("strategy", "strategy is not the one that was prepared."));
    }
    if attempts >= ATTEMPTS {
        return Err(ApiError::verification_refused("verification_failed", "Too many failed attempts. Start anew."));
    }
    match code {
        None => Err(ApiError::missing_parameter("code")),
        Some(CODE) => Ok(()),
        Some(_) => Err(ApiError::unprocessable("form_code_incorrect", "code", "is incorrect", "Incorrect code")),
    }
}

/// The state of a verification by code.
pub(super) fn verification(status: &str, attempts: i32, begun_at: i64) -> Value {
    json!({
        "object": "verification_otp",
        "status": status,
        "strategy": "email_code",
        "attempts": attempts,
        "expire_at": begun_at + LIFETIME,
    })
}
