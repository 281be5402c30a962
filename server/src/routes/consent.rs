//! `/api/privacy/consent`: read and change one's preferences.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use lethe::Error;
use lethe::consent::{self, Choice, ConsentState, Source};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use time::format_description::well_known::Rfc3339;

use crate::auth::CurrentUser;
use crate::problem::{Document, Problem};
use crate::state::AppState;

/// How things stand, by purpose. The purposes are those of the catalogue; these are the usual ones.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `Answer` writes")]
#[schema(rename_all = "camelCase", as = Consent)]
pub(super) struct Consent {
    marketing: bool,
    analytics: bool,
    third_party: bool,
    /// The newest decision; null when nothing was ever decided.
    #[schema(format = DateTime)]
    updated_at: Option<String>,
}

/// Any of the purposes.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape that `choices` reads")]
#[schema(rename_all = "camelCase", as = ConsentChange)]
pub(super) struct Change {
    marketing: Option<bool>,
    analytics: Option<bool>,
    third_party: Option<bool>,
}

/// A record on the wire.
pub struct ConsentResponse(ConsentState);

impl Serialize for ConsentResponse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.purposes.len() + 1))?;
        for standing in &self.0.purposes {
            map.serialize_entry(&standing.purpose.key, &standing.granted)?;
        }
        let updated_at = self.0.updated_at.and_then(|at| at.format(&Rfc3339).ok());
        map.serialize_entry("updatedAt", &updated_at)?;
        map.end()
    }
}

/// Tells how things stand.
#[utoipa::path(
    get,
    path = "/api/privacy/consent",
    responses(
        (status = 200, body = Consent),
        (status = 401, body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn read(State(server): State<AppState>, person: CurrentUser) -> Result<Json<ConsentResponse>, Problem> {
    let record = consent::current(&server.lethe, &person.subject, person.signal).await?;
    Ok(Json(ConsentResponse(record)))
}

/// Changes any of the purposes, all or none, and tells how things stand then.
#[utoipa::path(
    post,
    path = "/api/privacy/consent",
    request_body = Change,
    responses(
        (status = 200, body = Consent),
        (status = 400, body = Document, content_type = "application/problem+json"),
        (status = 401, body = Document, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(server): State<AppState>,
    person: CurrentUser,
    body: Bytes,
) -> Result<Json<ConsentResponse>, Problem> {
    let choices = parse_choices(&body)?;
    let record = consent::set(&server.lethe, &person.subject, &choices, Source::Api, person.signal).await?;
    Ok(Json(ConsentResponse(record)))
}

fn parse_choices(body: &[u8]) -> Result<Vec<Choice>, Error> {
    let body: Map<String, Value> =
        serde_json::from_slice(body).map_err(|_| Error::InvalidInput("an object of purposes is expected"))?;
    let choice = |(purpose, granted): (String, Value)| match granted {
        Value::Bool(granted) => Ok(Choice { purpose, granted }),
        _ => Err(Error::InvalidInput("a purpose is true or false")),
    };
    body.into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn anything_but_booleans_is_refused() {
        for body in ["", "[]", "null", "true", r#"{"marketing":"yes"}"#, r#"{"marketing":1}"#, r#"{"marketing":null}"#]
        {
            assert!(parse_choices(body.as_bytes()).is_err(), "{body}");
        }
        assert_eq!(parse_choices(b"{}").expect("an empty change is a change of nothing"), vec![]);
    }

    proptest! {
        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = parse_choices(&body);
        }
    }
}
