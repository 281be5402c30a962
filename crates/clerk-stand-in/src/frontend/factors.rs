//! Verification by e-mail code. The code is the same for every address, as for the test addresses of Clerk's
//! development instances, and no mail is sent.

use serde_json::{Value, json};

use crate::api_error::{ApiError, ApiResult};

/// The code for Clerk's test addresses.
const CODE: &str = "424242";
const MAX_ATTEMPTS: i32 = 3;
const LIFETIME_MS: i64 = 10 * 60 * 1000;

/// The user's first factors: a code to each e-mail address.
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

/// Accepts only a code to one of the user's addresses, by default the first one.
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

/// Accepts the right code only, and none after three wrong ones.
pub(super) fn check_code(strategy: Option<&str>, code: Option<&str>, attempts: i32) -> ApiResult<()> {
    if strategy != Some("email_code") {
        return Err(ApiError::invalid_parameter("strategy", "strategy is not the one that was prepared."));
    }
    if attempts >= MAX_ATTEMPTS {
        return Err(ApiError::verification_failed("verification_failed", "Too many failed attempts. Start anew."));
    }
    match code {
        None => Err(ApiError::missing_parameter("code")),
        Some(CODE) => Ok(()),
        Some(_) => Err(ApiError::unprocessable("form_code_incorrect", "code", "is incorrect", "Incorrect code")),
    }
}

/// The verification object of a code.
pub(super) fn verification(status: &str, attempts: i32, started_at: i64) -> Value {
    json!({
        "object": "verification_otp",
        "status": status,
        "strategy": "email_code",
        "attempts": attempts,
        "expire_at": started_at + LIFETIME_MS,
    })
}
