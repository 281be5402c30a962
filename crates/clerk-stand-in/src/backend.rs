//! The Backend API, which an application's server calls with the secret key.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State},
    http::{header::AUTHORIZATION, request::Parts},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::{get, patch, post},
};
use serde_json::{Map, Value, json};

use crate::{
    StandIn, TokenOptions,
    api_error::{ApiError, ApiResult},
    clients,
    frontend::session_directives,
    handshakes,
    openapi::{check_body, check_query, operation_of},
    query::QueryParameters,
    sessions::{self, SessionEnd},
    sign_in_tokens,
    users::{self, MetadataWrite},
};

const BODY_LIMIT: usize = 1024 * 1024;

pub(crate) fn router(stand_in: &StandIn) -> Router<StandIn> {
    Router::new()
        .route("/v1/jwks", get(jwks))
        .route("/v1/users", get(list_users).post(create_user))
        .route("/v1/users/count", get(count_users))
        .route("/v1/users/{user_id}", get(get_user).patch(update_user).delete(delete_user))
        .route("/v1/users/{user_id}/metadata", patch(merge_metadata).put(replace_metadata))
        .route("/v1/sessions", get(list_sessions).post(create_session))
        .route("/v1/sessions/{session_id}", get(get_session))
        .route("/v1/sessions/{session_id}/tokens", post(create_token))
        .route("/v1/sessions/{session_id}/revoke", post(revoke_session))
        .route("/v1/sessions/{session_id}/refresh", post(refresh_session))
        .route("/v1/sign_in_tokens", post(create_sign_in_token))
        .route("/v1/clients/handshake_payload", get(handshake_payload))
        .route_layer(from_fn_with_state(stand_in.clone(), require_secret_key))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
}

async fn require_secret_key(
    State(stand_in): State<StandIn>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let bearer = request
        .headers()
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match bearer {
        Some(bearer) if stand_in.accepts_secret_key(bearer) => Ok(next.run(request).await),
        Some(_) => Err(ApiError::wrong_key()),
        None => Err(ApiError::unauthenticated()),
    }
}

async fn jwks(State(stand_in): State<StandIn>) -> Json<Value> {
    Json(stand_in.key_set())
}

async fn list_users(State(stand_in): State<StandIn>, Query(query): Query) -> ApiResult {
    let users = users::list(&stand_in, &query).await?;
    Ok(Json(users.into()))
}

async fn create_user(State(stand_in): State<StandIn>, body: Body) -> ApiResult {
    users::create(&stand_in, &body.0).await.map(Json)
}

async fn count_users(State(stand_in): State<StandIn>, Query(query): Query) -> ApiResult {
    let count = users::count(&stand_in, &query).await?;
    Ok(Json(json!({ "object": "total_count", "total_count": count })))
}

async fn get_user(State(stand_in): State<StandIn>, Path(id): Path<String>) -> ApiResult {
    users::find(stand_in.pool(), &id).await.map(Json)
}

async fn update_user(State(stand_in): State<StandIn>, Path(id): Path<String>, body: Body) -> ApiResult {
    users::update(&stand_in, &id, &body.0).await.map(Json)
}

async fn delete_user(State(stand_in): State<StandIn>, Path(id): Path<String>) -> ApiResult {
    users::delete(&stand_in, &id).await.map(Json)
}

async fn merge_metadata(State(stand_in): State<StandIn>, Path(id): Path<String>, body: Body) -> ApiResult {
    users::update_metadata(&stand_in, &id, &body.0, MetadataWrite::Merge).await.map(Json)
}

async fn replace_metadata(State(stand_in): State<StandIn>, Path(id): Path<String>, body: Body) -> ApiResult {
    users::update_metadata(&stand_in, &id, &body.0, MetadataWrite::Replace).await.map(Json)
}

async fn list_sessions(State(stand_in): State<StandIn>, Query(query): Query) -> ApiResult {
    let (sessions, total) = sessions::list(&stand_in, &query).await?;
    let sessions: Vec<Value> = sessions.iter().map(sessions::Session::json).collect();
    Ok(Json(match query.first("paginated") {
        Some("true") => json!({ "data": sessions, "total_count": total }),
        _ => sessions.into(),
    }))
}

async fn create_session(State(stand_in): State<StandIn>, body: Body) -> ApiResult {
    let user_id = body.required("user_id")?;
    let client = clients::create(&stand_in).await?;
    Ok(Json(sessions::create(&stand_in, &client, user_id).await?.json()))
}

async fn get_session(State(stand_in): State<StandIn>, Path(id): Path<String>) -> ApiResult {
    Ok(Json(sessions::find(&stand_in, &id).await?.json()))
}

/// Clerk sets `azp` to the browser's origin. There is no browser here, so it is the application's.
async fn create_token(State(stand_in): State<StandIn>, Path(id): Path<String>, body: Body) -> ApiResult {
    let session = sessions::find(&stand_in, &id).await?;
    if session.status != "active" {
        return Err(ApiError::not_found("session", &id));
    }
    let lifetime = body.0.get("expires_in_seconds").and_then(Value::as_i64);
    let authorized_party = stand_in.endpoints().application_origins.into_iter().next();
    let jwt = stand_in.session_token(&session, TokenOptions { lifetime, authorized_party, ..TokenOptions::default() });
    Ok(Json(json!({ "object": "token", "jwt": jwt })))
}

async fn revoke_session(State(stand_in): State<StandIn>, Path(id): Path<String>) -> ApiResult {
    Ok(Json(sessions::end(&stand_in, &id, SessionEnd::Revoked).await?.json()))
}

/// Exchanges an expired token for a new one. Every error is a 401, after which the SDKs fall back to the handshake.
async fn refresh_session(State(stand_in): State<StandIn>, Path(id): Path<String>, body: Body) -> ApiResult {
    let (expired_token, refresh_token) = (body.required("expired_token")?, body.required("refresh_token")?);
    let origin = body.required("request_origin")?.to_owned();
    let session = sessions::find(&stand_in, &id).await.map_err(|_| ApiError::refresh_refused("session_not_found"))?;
    let claims = stand_in.claims(expired_token).ok_or_else(|| ApiError::refresh_refused("expired_token_invalid"))?;
    if claims["sid"] != id.as_str() {
        return Err(ApiError::refresh_refused("expired_token_session_mismatch"));
    }
    if refresh_token != session.refresh_token {
        return Err(ApiError::refresh_refused("refresh_token_invalid"));
    }
    if session.status != "active" || session.expire_at <= stand_in.now() {
        return Err(ApiError::refresh_refused("session_not_active"));
    }
    let jwt = stand_in
        .session_token(&session, TokenOptions { authorized_party: Some(origin.clone()), ..TokenOptions::default() });
    Ok(Json(match body.text("format") {
        Some("cookie") => {
            json!({ "object": "cookies", "cookies": session_directives(&stand_in, &session, &jwt, &origin) })
        }
        _ => json!({ "object": "token", "jwt": jwt }),
    }))
}

async fn create_sign_in_token(State(stand_in): State<StandIn>, body: Body) -> ApiResult {
    let lifetime = body.0.get("expires_in_seconds").and_then(Value::as_i64);
    sign_in_tokens::create(&stand_in, body.required("user_id")?, lifetime).await.map(Json)
}

async fn handshake_payload(State(stand_in): State<StandIn>, Query(query): Query) -> ApiResult {
    let nonce = query.first("nonce").ok_or_else(|| ApiError::missing_parameter("nonce"))?;
    Ok(Json(json!({ "directives": handshakes::take(&stand_in, nonce).await? })))
}

/// A query string that the operation's description allows.
struct Query(QueryParameters);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = QueryParameters::parse(parts.uri.query());
        check_query(&operation_of(&parts.method, &parts.extensions), query.pairs())?;
        Ok(Self(query))
    }
}

/// A JSON object that the operation's description allows; an absent body is an empty object.
struct Body(Map<String, Value>);

impl Body {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// The text of a required field.
    fn required(&self, name: &str) -> ApiResult<&str> {
        self.text(name).ok_or_else(|| ApiError::missing_parameter(name))
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let operation = operation_of(request.method(), request.extensions());
        let bytes = Bytes::from_request(request, state).await.map_err(|_| ApiError::body_too_large())?;
        let body = match &bytes[..] {
            [] => Map::new(),
            bytes => serde_json::from_slice(bytes).map_err(|_| ApiError::bad_body())?,
        };
        check_body(&operation, &body)?;
        Ok(Self(body))
    }
}
