//! Before and after a download. The file itself is an ordinary route of the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::dto::CompletedExport;
use crate::error::PublicError;

/// Returns the user's latest completed export.
#[server(prefix = "/api/_", endpoint = "latest_export", input = GetUrl)]
pub async fn latest_export() -> Result<Option<CompletedExport>, PublicError> {
    use crate::server::{context, respond, view_model};

    let latest = async {
        let user = context::current_user()?;
        lethe::export::latest(&context::lethe()?, &user.clerk_user_id).await
    };
    respond::respond(latest.await.map(|latest| latest.as_ref().map(view_model::completed_export)))
}

/// Checks what would refuse a download now: the session, the verification of the user, and the sign-in service.
#[server(prefix = "/api/_", endpoint = "prepare_export")]
pub async fn prepare_export() -> Result<(), PublicError> {
    use lethe_error_code::ErrorCode;

    use crate::server::{context, respond};

    let ready = async {
        let user = context::current_user()?;
        user.require_fresh_sign_in()?;
        let lethe = context::lethe()?;
        if !lethe.clerk.is_reachable() {
            return Err(ErrorCode::Unavailable.into());
        }
        Ok(())
    };
    respond::respond(ready.await)
}
