//! The state of the export. The file itself is an ordinary route of the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::{CompletedExport, PublicError};

/// The last finished export of the person who asks.
#[server(prefix = "/api/_", endpoint = "latest_export", input = GetUrl)]
pub async fn latest_export() -> Result<Option<CompletedExport>, PublicError> {
    use super::{respond, view_model};

    let latest = async {
        let caller = respond::Caller::current()?;
        Ok(lethe::export::latest(&caller.lethe, &caller.person.clerk_user_id).await?)
    };
    respond::respond(latest.await.map(|latest| latest.map(|completed| view_model::completed_export(&completed))))
}
