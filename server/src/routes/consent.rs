//! `/api/privacy/consent`: reads and changes the user's preferences.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use lethe::consent::{self, Choice, ConsentState, Source};
use lethe_error_code::ErrorCode;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;

use crate::error::{Problem, ProblemDocument};
use crate::request_context::{CurrentUser, RequestContext};
use crate::state::AppState;

/// The state by purpose. The purposes are configured in the data map; these are the usual ones.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `ConsentResponse` writes")]
#[schema(rename_all = "camelCase", as = Consent)]
pub(super) struct Consent {
    marketing: bool,
    analytics: bool,
    third_party: bool,
    /// The time of the latest decision; null before the first one.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// Any of the purposes.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `parse_choices` reads")]
#[schema(rename_all = "camelCase", as = ConsentChange)]
pub(super) struct Change {
    marketing: Option<bool>,
    analytics: Option<bool>,
    third_party: Option<bool>,
}

/// The state as the API returns it.
pub struct ConsentResponse(ConsentState);

impl Serialize for ConsentResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.purposes.len() + 1))?;
        for state in &self.0.purposes {
            map.serialize_entry(&state.purpose.key, &state.granted)?;
        }
        let updated_at = self.0.updated_at.and_then(|at| at.format(&Rfc3339).ok());
        map.serialize_entry("updatedAt", &updated_at)?;
        map.end()
    }
}

/// Returns the user's preferences.
#[utoipa::path(
    get,
    path = "/api/privacy/consent",
    responses(
        (status = 200, body = Consent),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn read(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
) -> Result<Json<ConsentResponse>, Problem> {
    let consent = consent::current(&state.lethe, &user.clerk_user_id, context.gpc).await?;
    Ok(Json(ConsentResponse(consent)))
}

/// Changes any of the purposes, all or none, and returns the new state.
#[utoipa::path(
    post,
    path = "/api/privacy/consent",
    request_body = Change,
    responses(
        (status = 200, body = Consent),
        (status = 400, body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
    body: Bytes,
) -> Result<Json<ConsentResponse>, Problem> {
    let choices = parse_choices(&body)?;
    let consent = consent::set(&state.lethe, &user.clerk_user_id, &choices, Source::Api, context.gpc).await?;
    Ok(Json(ConsentResponse(consent)))
}

/// Accepts an object of booleans.
fn parse_choices(body: &[u8]) -> Result<Vec<Choice>, ErrorCode> {
    let body: Map<String, Value> = serde_json::from_slice(body).map_err(|_| ErrorCode::InvalidInput)?;
    let choice = |(purpose, granted): (String, Value)| match granted {
        Value::Bool(granted) => Ok(Choice { purpose, granted }),
        _ => Err(ErrorCode::InvalidInput),
    };
    body.into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("")]
    #[case("[]")]
    #[case("null")]
    #[case("true")]
    #[case(r#"{"marketing":"yes"}"#)]
    #[case(r#"{"marketing":1}"#)]
    #[case(r#"{"marketing":null}"#)]
    #[case(r#"{"marketing":true"#)]
    fn body_other_than_an_object_of_booleans_is_refused(#[case] body: &str) {
        assert_eq!(parse_choices(body.as_bytes()), Err(ErrorCode::InvalidInput));
    }

    #[test]
    fn empty_change_is_accepted() {
        assert_eq!(parse_choices(b"{}"), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn object_of_booleans_is_read_completely(granted in prop::collection::btree_map("[a-zA-Z]{1,12}", any::<bool>(), 0..8)) {
            let body = serde_json::to_vec(&granted).unwrap();
            let choices = parse_choices(&body).unwrap();
            let read: std::collections::BTreeMap<_, _> =
                choices.into_iter().map(|choice| (choice.purpose, choice.granted)).collect();
            prop_assert_eq!(read, granted);
        }
    }
}
