//! Client, session and user as the Frontend API has them.

use serde_json::{Value, json};

use super::sign_in_attempt;
use crate::{
    StandIn, TokenOptions,
    api_error::ApiResult,
    clients::Client,
    sessions::{self, Session},
    users,
};

/// The client with its active session.
pub(super) async fn client(stand_in: &StandIn, client: &Client, origin: Option<&str>) -> ApiResult<Value> {
    let active = sessions::active_session(stand_in, client).await?;
    let all = match &active {
        Some(active) => vec![session(stand_in, active, origin).await?],
        None => Vec::new(),
    };
    Ok(json!({
        "object": "client",
        "id": client.id,
        "sessions": all,
        "sign_in": sign_in_attempt::unfinished(stand_in, client).await?,
        "sign_up": null,
        "last_active_session_id": active.as_ref().map(|session| &session.id),
        "last_authentication_strategy": null,
        "cookie_expires_at": null,
        "captcha_bypass": false,
        "created_at": client.created_at,
        "updated_at": client.updated_at,
    }))
}

/// A session with its user and, while it is active, a token.
pub(super) async fn session(stand_in: &StandIn, session: &Session, origin: Option<&str>) -> ApiResult<Value> {
    let data = users::find(stand_in.pool(), &session.user_id).await?;
    let options = TokenOptions { authorized_party: origin.map(ToOwned::to_owned), ..TokenOptions::default() };
    let mut object = bare_session(session);
    if session.status == "active" {
        object["last_active_token"] = json!({ "object": "token", "jwt": stand_in.session_token(session, options) });
    }
    object["last_active_organization_id"] = Value::Null;
    object["public_user_data"] = public_user(&data);
    object["factor_verification_age"] = json!([(stand_in.now() - session.verified_at).max(0) / 60_000, -1]);
    object["created_at"] = session.created_at.into();
    object["updated_at"] = session.updated_at.into();
    object["user"] = user(data);
    Ok(object)
}

/// A session without user and token.
pub(super) fn bare_session(session: &Session) -> Value {
    json!({
        "object": "session",
        "id": session.id,
        "status": session.status,
        "expire_at": session.expire_at,
        "abandon_at": session.abandon_at,
        "last_active_at": session.last_active_at,
        "last_active_token": null,
        "actor": null,
        "tasks": null,
    })
}

/// The user without the fields that are for the application's server only.
pub(super) fn user(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        for name in ["private_metadata", "locale", "bypass_client_trust"] {
            fields.remove(name);
        }
        if fields.get("create_organizations_limit").is_some_and(Value::is_null) {
            fields.remove("create_organizations_limit");
        }
    }
    data["organization_memberships"] = json!([]);
    data
}

fn public_user(data: &Value) -> Value {
    let identifier = data["email_addresses"][0]["email_address"].as_str().or(data["username"].as_str());
    json!({
        "user_id": data["id"],
        "first_name": data["first_name"],
        "last_name": data["last_name"],
        "image_url": data["image_url"],
        "has_image": data["has_image"],
        "identifier": identifier.unwrap_or_default(),
        "username": data["username"],
    })
}
