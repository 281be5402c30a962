//! `/api/privacy/consent`: reads and changes the user's preferences.

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use lethe::Error;
use lethe::consent::{self, Choice, ConsentState, Source};
use lethe_app::server::context::RequestContext;
use lethe_app::server::current_user::CurrentUser;
use serde_json::{Map, Value};

use crate::error::{Problem, ProblemDocument};
use crate::state::AppState;

/// The state by purpose. The purposes are configured in the data map; these are the usual ones.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `ConsentState` has")]
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
) -> Result<Json<ConsentState>, Problem> {
    let consent = consent::current(&state.lethe, &user.clerk_user_id, context.gpc).await?;
    Ok(Json(consent))
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
        (status = 403, body = ProblemDocument, content_type = "application/problem+json",
            description = "the session is impersonated, and consent would be given"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
    body: Bytes,
) -> Result<Json<ConsentState>, Problem> {
    state.rate_limits.consent_changes.check(&user.clerk_user_id)?;
    let choices = parse_choices(&body)?;
    let lethe = state.lethe.with_incident(&context.incident);
    let source = if user.impersonated { Source::OnBehalf } else { Source::Api };
    let consent = consent::set(&lethe, &user.clerk_user_id, &choices, source, context.gpc).await?;
    Ok(Json(consent))
}

/// Accepts an object of booleans.
fn parse_choices(body: &[u8]) -> Result<Vec<Choice>, Error> {
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Error::InvalidInput("an object of purposes is expected"))?;
    let choice = |(purpose, granted): (String, Value)| match granted {
        Value::Bool(granted) => Ok(Choice { purpose, granted }),
        _ => Err(Error::InvalidInput("a purpose must be true or false")),
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
        assert!(matches!(parse_choices(body.as_bytes()), Err(Error::InvalidInput(_))));
    }

    #[test]
    fn empty_change_is_accepted() {
        assert_eq!(parse_choices(b"{}").unwrap(), []);
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
