//! The state of the export. The file itself is an ordinary route of the server.

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
