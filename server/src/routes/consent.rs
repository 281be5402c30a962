//! `/api/privacy/consent`: reads and changes the user's preferences.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::{Extension, Json};
use lethe::Error;
use lethe::consent::{self, Choice, ConsentState, PurposeState, Source};
use lethe::purposes::TextId;
use lethe_app::server::context::RequestContext;
use lethe_app::server::current_user::CurrentUser;
use serde::{Deserialize, Serialize};
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
    marketing: Option<PurposeChange>,
    analytics: Option<PurposeChange>,
    third_party: Option<PurposeChange>,
}

/// A choice, alone or with the text on which it was made.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `parse_choice` reads")]
#[schema(as = ConsentPurposeChange)]
#[serde(untagged)]
pub(super) enum PurposeChange {
    /// On the present text.
    Choice(bool),
    /// On the text with this id.
    OnText {
        /// Whether it is granted.
        granted: bool,
        /// The `textId` of the text that was displayed, from `/api/privacy/purposes`.
        text: String,
    },
}

/// A purpose, its present text, and the user's choice.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PurposeText {
    /// The key in the other documents.
    #[schema(example = "marketing")]
    key: String,
    title: String,
    text: String,
    /// The version that the operator gave to the text.
    version: String,
    /// Identifies the text: a change that names it is recorded as made on this text.
    text_id: String,
    /// Whether it is on.
    granted: bool,
}

/// Returns the purposes with their texts, for an application that displays them itself.
#[utoipa::path(
    get,
    path = "/api/privacy/purposes",
    responses(
        (status = 200, body = Vec<PurposeText>),
        (status = 401, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn purposes(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
) -> Result<Json<Vec<PurposeText>>, Problem> {
    let gpc = user.sends_opt_out_signal(context.gpc);
    let consent = consent::current(&state.lethe.with_incident(&context.incident), &user.clerk_user_id, gpc).await?;
    let text = |state: &PurposeState| PurposeText {
        key: state.purpose.key.clone(),
        title: state.purpose.title.clone(),
        text: state.purpose.text.clone(),
        version: state.purpose.version.clone(),
        text_id: state.purpose.text_id().to_string(),
        granted: state.granted,
    };
    Ok(Json(consent.purposes.iter().map(text).collect()))
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
    let gpc = user.sends_opt_out_signal(context.gpc);
    let consent = consent::current(&state.lethe.with_incident(&context.incident), &user.clerk_user_id, gpc).await?;
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
        (status = 409, body = ProblemDocument, content_type = "application/problem+json",
            description = "consent would be given to a text that isn't the present one"),
        (status = 429, body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(state): State<AppState>,
    Extension(context): Extension<RequestContext>,
    user: CurrentUser,
    body: Bytes,
) -> Result<Json<ConsentState>, Problem> {
    let (choices, texts) = parse_choices(&body)?;
    state.rate_limits.consent_changes.check(&state.lethe, &user.clerk_user_id).await?;
    let lethe = state.lethe.with_incident(&context.incident);
    let (source, gpc) = (user.source(Source::Api), user.sends_opt_out_signal(context.gpc));
    let consent = consent::set_on_texts(&lethe, &user.clerk_user_id, &choices, &texts, source, gpc).await?;
    Ok(Json(consent))
}

/// A choice with the text on which it was made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceOnText {
    granted: bool,
    text: String,
}

/// Accepts an object of booleans, or of choices with their texts.
fn parse_choices(body: &[u8]) -> Result<(Vec<Choice>, BTreeMap<String, TextId>), Error> {
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Error::InvalidInput("an object of purposes is expected"))?;
    let (mut choices, mut texts) = (Vec::new(), BTreeMap::new());
    for (purpose, value) in body {
        let granted = match value {
            Value::Bool(granted) => granted,
            value => {
                let invalid = Error::InvalidInput("a purpose must be true, false, or an object with granted and text");
                let Ok(ChoiceOnText { granted, text }) = serde_json::from_value(value) else { return Err(invalid) };
                texts.insert(purpose.clone(), TextId::parse(&text).map_err(|_| invalid)?);
                granted
            }
        };
        choices.push(Choice { purpose, granted });
    }
    Ok((choices, texts))
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
    #[case(r#"{"marketing":{"granted":true}}"#)]
    #[case(r#"{"marketing":{"granted":true,"text":"2026-11-01"}}"#)]
    #[case(r#"{"marketing":{"granted":true,"text":"00ff:1","at":0}}"#)]
    fn body_other_than_an_object_of_booleans_is_refused(#[case] body: &str) {
        assert!(matches!(parse_choices(body.as_bytes()), Err(Error::InvalidInput(_))));
    }

    #[test]
    fn empty_change_is_accepted() {
        assert_eq!(parse_choices(b"{}").unwrap(), (Vec::new(), BTreeMap::new()));
    }

    proptest! {
        #[test]
        fn object_of_booleans_is_read_completely(granted in prop::collection::btree_map("[a-zA-Z]{1,12}", any::<bool>(), 0..8)) {
            let body = serde_json::to_vec(&granted).unwrap();
            let (choices, texts) = parse_choices(&body).unwrap();
            prop_assert!(texts.is_empty());
            let read: std::collections::BTreeMap<_, _> =
                choices.into_iter().map(|choice| (choice.purpose, choice.granted)).collect();
            prop_assert_eq!(read, granted);
        }
    }
}
