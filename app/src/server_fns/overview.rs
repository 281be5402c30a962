//! What the center shows and reads again: activity, preferences, and what is held about the user.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use crate::dto::{ActivityList, HeldDataTable, Preferences, UserHandle};
use crate::error::PublicError;

/// Returns the newest entries of the user's activity.
#[server(prefix = "/api/_", endpoint = "recent_activity", input = GetUrl)]
pub async fn recent_activity() -> Result<ActivityList, PublicError> {
    use crate::server::activity_text::{self, RECENT_ACTIVITY};
    use crate::server::{context, markup, respond};

    let activity = async {
        let user = context::current_user()?;
        let lethe = context::lethe()?;
        let log = lethe::overview::activity(&lethe, &user.clerk_user_id, i64::MAX, RECENT_ACTIVITY).await?;
        Ok(ActivityList { list: markup::recent_activity(activity_text::activity(&log, &lethe.purposes)) })
    };
    respond::respond(activity.await)
}

/// Returns the user's consent state.
#[server(prefix = "/api/_", endpoint = "preferences", input = GetUrl)]
pub async fn read_preferences(
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<Preferences, PublicError> {
    use crate::server::{context, respond, view_model};

    let state = async {
        let user = context::form_owner(&user_handle)?;
        let gpc = user.sends_opt_out_signal(context::gpc());
        lethe::consent::current(&context::lethe()?, &user.clerk_user_id, gpc).await
    };
    respond::respond(state.await.map(|state| view_model::preferences(&state)))
}

/// Returns what is held about the user, and what a deletion would do with it.
#[server(prefix = "/api/_", endpoint = "held_data", input = GetUrl)]
pub async fn held_data(
    /// The user for whom the page was rendered.
    #[server(default)]
    #[server(rename = "person")]
    user_handle: UserHandle,
) -> Result<HeldDataTable, PublicError> {
    use crate::server::{context, markup, respond, view_model};
    use crate::texts;

    let rows = async {
        let user = context::form_owner(&user_handle)?;
        let plan = lethe::deletion::preview(&context::lethe()?, &user.clerk_user_id).await?;
        let table = markup::plan_table(view_model::planned_rows(&plan), texts::COLUMN_IF_DELETED);
        Ok(HeldDataTable { table })
    };
    respond::respond(rows.await)
}
