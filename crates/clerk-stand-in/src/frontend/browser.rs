//! The browser that sent a request, and the request's form.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use axum_extra::extract::CookieJar;
use serde_json::{Map, Value, json};

use super::{
    cookies::{CLIENT_COOKIE, DEV_BROWSER, client_cookie},
    objects,
};
use crate::{
    StandIn,
    api_error::{ApiError, ApiResult},
    clients::{self, Client},
    openapi,
    query::QueryParameters,
    sessions::{self, Session},
};

/// What identifies the browser that sent a request.
pub(crate) struct Browser {
    /// The `__client` cookie.
    client_cookie: Option<String>,
    /// `__clerk_db_jwt`.
    db_jwt: Option<String>,
    /// The `Origin` of the page.
    pub(super) origin: Option<String>,
    /// The session that the page believes to be signed in with.
    session_id: Option<String>,
}

/// Most responses: the requested object, and the client in its present state.
pub(super) type Envelope = (HeaderMap, Json<Value>);

impl Browser {
    pub(crate) async fn client(&self, stand_in: &StandIn) -> sqlx::Result<Option<Client>> {
        clients::find(stand_in, self.db_jwt.as_deref(), self.client_cookie.as_deref()).await
    }

    pub(crate) async fn client_or_new(&self, stand_in: &StandIn) -> sqlx::Result<Client> {
        match self.client(stand_in).await? {
            Some(client) => Ok(client),
            None => clients::create(stand_in).await,
        }
    }

    /// Whether the request has a `__clerk_db_jwt`, known or not.
    pub(super) fn has_dev_browser(&self) -> bool {
        self.db_jwt.is_some()
    }

    pub(super) async fn require_client(&self, stand_in: &StandIn) -> ApiResult<Client> {
        let error = if self.has_dev_browser() { ApiError::unknown_dev_browser } else { ApiError::unauthenticated };
        self.client(stand_in).await?.ok_or_else(error)
    }

    /// A session of this browser; a session of another one is not found.
    pub(super) async fn own_session(&self, stand_in: &StandIn, id: &str) -> ApiResult<(Client, Session)> {
        let client = self.require_client(stand_in).await?;
        let session = sessions::find(stand_in, id).await?;
        if session.client_id == client.id { Ok((client, session)) } else { Err(ApiError::not_found("session", id)) }
    }

    /// The session that the browser is signed in with. If the page names one, it must be this one.
    pub(super) async fn current_session(&self, stand_in: &StandIn) -> ApiResult<(Client, Session)> {
        let client = self.require_client(stand_in).await?;
        let session = sessions::active_session(stand_in, &client).await?;
        let session = session.filter(|session| self.session_id.as_ref().is_none_or(|id| *id == session.id));
        session.map(|session| (client, session)).ok_or_else(ApiError::unauthenticated)
    }

    /// Wraps an object in the envelope that most responses have.
    pub(super) async fn envelope(&self, stand_in: &StandIn, client: &Client, response: Value) -> ApiResult<Envelope> {
        let object = objects::client(stand_in, client, self.origin.as_deref()).await?;
        let cookie = client_cookie(stand_in, client).parse().expect("ids are valid header values");
        let headers = [(header::SET_COOKIE, cookie)].into_iter().collect();
        Ok((headers, Json(json!({ "response": response, "client": object }))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let client_cookie =
            CookieJar::from_headers(&parts.headers).get(CLIENT_COOKIE).map(|cookie| cookie.value().to_owned());
        let query = QueryParameters::parse(parts.uri.query());
        let parameter = |name| query.first(name).map(ToOwned::to_owned);
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        Ok(Self {
            client_cookie,
            db_jwt: parameter(DEV_BROWSER),
            origin: origin.map(ToOwned::to_owned),
            session_id: parameter("_clerk_session_id"),
        })
    }
}

/// The fields of a form that the operation's description allows, without the empty ones.
pub(super) struct Form(Map<String, Value>);

impl Form {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let operation = openapi::operation_of(request.method(), request.extensions());
        let body = String::from_request(request, state).await.map_err(|_| ApiError::bad_body())?;
        let fields = url::form_urlencoded::parse(body.as_bytes()).filter(|(_, value)| !value.is_empty());
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        openapi::check_form(&operation, fields).map(Self)
    }
}
