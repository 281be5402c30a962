//! Who asks, and what they send.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use axum_extra::extract::CookieJar;
use serde_json::{Map, Value, json};

use super::{BROWSER, CLIENT, handshake::client_cookie, objects};
use crate::clerk::{
    StandIn, description,
    errors::{ApiError, ApiResult},
    sessions::{self, Client, Session},
    users::Filter,
};

/// The browser's two secrets, where it sent them, the page's origin, and the session that the page means.
pub(in crate::clerk) struct Browser {
    cookie: Option<String>,
    application: Option<String>,
    pub(super) origin: Option<String>,
    session_id: Option<String>,
}

/// What answers most requests: the thing itself, and beside it the client as it is now.
pub(super) type Envelope = (HeaderMap, Json<Value>);

impl Browser {
    pub(in crate::clerk) async fn client(&self, stand_in: &StandIn) -> sqlx::Result<Option<Client>> {
        sessions::find_client(stand_in, self.application.as_deref(), self.cookie.as_deref()).await
    }

    pub(in crate::clerk) async fn client_or_new(&self, stand_in: &StandIn) -> sqlx::Result<Client> {
        match self.client(stand_in).await? {
            Some(client) => Ok(client),
            None => sessions::create_client(stand_in).await,
        }
    }

    /// Whether the page sent a secret, known or not.
    pub(super) fn has_secret(&self) -> bool {
        self.application.is_some()
    }

    pub(super) async fn known_client(&self, stand_in: &StandIn) -> ApiResult<Client> {
        let refusal = if self.has_secret() { ApiError::unknown_browser } else { ApiError::unauthenticated };
        self.client(stand_in).await?.ok_or_else(refusal)
    }

    /// A session of this browser; another's is as good as none.
    pub(super) async fn own_session(&self, stand_in: &StandIn, id: &str) -> ApiResult<(Client, Session)> {
        let client = self.known_client(stand_in).await?;
        let session = sessions::find(stand_in, id).await?;
        if session.client_id == client.id { Ok((client, session)) } else { Err(ApiError::not_found("session", id)) }
    }

    /// The session that the browser is signed in with, which must be the one that the page means, if it names one.
    pub(super) async fn current_session(&self, stand_in: &StandIn) -> ApiResult<(Client, Session)> {
        let client = self.known_client(stand_in).await?;
        let session = sessions::active_session(stand_in, &client).await?;
        let session = session.filter(|session| self.session_id.as_ref().is_none_or(|id| *id == session.id));
        session.map(|session| (client, session)).ok_or_else(ApiError::unauthenticated)
    }

    /// The envelope around an answer.
    pub(super) async fn envelope(&self, stand_in: &StandIn, client: &Client, response: Value) -> ApiResult<Envelope> {
        let object = objects::client(stand_in, client, self.origin.as_deref()).await?;
        let cookie = client_cookie(stand_in, client).parse().expect("ids are header text");
        let headers = [(header::SET_COOKIE, cookie)].into_iter().collect();
        Ok((headers, Json(json!({ "response": response, "client": object }))))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Browser {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let cookie = CookieJar::from_headers(&parts.headers).get(CLIENT).map(|cookie| cookie.value().to_owned());
        let query = Filter::parse(parts.uri.query());
        let parameter = |name| query.first(name).map(ToOwned::to_owned);
        let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        Ok(Self {
            cookie,
            application: parameter(BROWSER),
            origin: origin.map(ToOwned::to_owned),
            session_id: parameter("_clerk_session_id"),
        })
    }
}

/// The fields of a form, checked by the operation's description. Empty ones are as good as none.
pub(super) struct Form(Map<String, Value>);

impl Form {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let operation = description::operation_of(request.method(), request.extensions());
        let body = String::from_request(request, state).await.map_err(|_| ApiError::bad_body())?;
        let fields = url::form_urlencoded::parse(body.as_bytes()).filter(|(_, value)| !value.is_empty());
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        description::check_form(&operation, fields).map(Self)
    }
}
