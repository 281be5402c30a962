//! What happened, from the audit log: the card with the newest entries, and the page with all of them.

use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lethe::Lethe;
use lethe::overview;
use lethe_error_code::ErrorCode;

use super::error_page::error_page;
use super::landing::Landing;
use super::layout::Layout;
use crate::dto::ActivityItem;
use crate::islands::RecentActivity;
use crate::response::set_status;
use crate::server::activity_text;
use crate::server::current_user::Authentication;
use crate::server::markup::ActivityItems;
use crate::texts;

/// Number of entries on one page.
const PAGE_SIZE: u32 = 100;

/// The newest entries, newest first.
#[component]
pub(super) fn ActivityCard(items: Vec<ActivityItem>) -> impl IntoView {
    view! {
        <section class="card" id="activity" aria-labelledby="activity-title">
            <div class="card-head">
                <h2 id="activity-title">{texts::ACTIVITY}</h2>
            </div>
            <div class="card-body"><RecentActivity><ActivityItems items/></RecentActivity></div>
            <div class="card-foot"><a class="link" href="/activity">{texts::ACTIVITY_ALL}</a></div>
        </section>
    }
}

/// `/activity`: every entry, newest first, in pages.
#[component]
pub(crate) fn Activity() -> impl IntoView {
    // Without a context the routes are being listed.
    let authentication = use_context::<Authentication>()?;
    let (Ok(user), Some(lethe)) = (authentication, use_context::<Lethe>()) else {
        set_status(ErrorCode::NotSignedIn.status());
        return Some(Either::Left(view! { <Landing/> }));
    };
    let before = use_query_map().with_untracked(|query| query.get_str("before").and_then(|id| id.parse().ok()));
    Some(Either::Right(Suspend::new(async move {
        match overview::activity(&lethe, &user.clerk_user_id, before.unwrap_or(i64::MAX), PAGE_SIZE).await {
            Ok(log) => {
                let oldest = log.entries.last().map(|entry| entry.id).filter(|_| log.has_more);
                let items = activity_text::activity(&log, &lethe.purposes);
                Either::Left(view! { <AllActivity items oldest is_first=before.is_none()/> })
            }
            Err(error) => Either::Right(error_page(&error)),
        }
    })))
}

#[component]
fn AllActivity(
    items: Vec<ActivityItem>,
    /// The id of the last entry, if there are older ones.
    oldest: Option<i64>,
    is_first: bool,
) -> impl IntoView {
    view! {
        <Layout title=texts::ACTIVITY>
            <h1>{texts::ACTIVITY}</h1>
            <p class="lead">{texts::ACTIVITY_LEAD}</p>
            <section class="card mt-6" aria-label=texts::ACTIVITY>
                <div class="card-body"><ActivityItems items/></div>
            </section>
            <p class="mt-6 card-actions">
                {oldest.map(|id| view! {
                    <a class="button button-quiet" href=format!("/activity?before={id}")>{texts::ACTIVITY_OLDER}</a>
                })}
                {(!is_first).then(|| view! {
                    <a class="button button-quiet" href="/activity">{texts::ACTIVITY_NEWEST}</a>
                })}
                <a class="button button-quiet" href="/">{texts::BACK_TO_CENTER}</a>
            </p>
        </Layout>
    }
}
