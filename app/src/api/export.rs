//! The state of the export. The file itself is an ordinary route of the server.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::{Download, PublicError};

/// The last finished export of the person who asks.
#[server(prefix = "/api/_", endpoint = "latest_export", input = GetUrl)]
pub async fn latest_export() -> Result<Option<Download>, PublicError> {
    use super::{answer, load};

    let latest = async {
        let caller = answer::Caller::current()?;
        Ok(lethe::export::latest(&caller.lethe, &caller.person.subject).await?)
    };
    answer::plainly(latest.await.map(|latest| latest.map(|completed| load::download(&completed))))
}
