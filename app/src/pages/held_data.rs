//! `/data`: what is held about the user. The card of the center shows the same where script runs.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::Lethe;
use lethe_error_code::ErrorCode;

use super::error_page::error_page;
use super::landing::Landing;
use super::layout::Layout;
use crate::components::PlanTable;
use crate::dto::UserHandle;
use crate::islands;
use crate::response::set_status;
use crate::server::current_user::Authentication;
use crate::server::view_model;
use crate::texts;

/// The card of the center.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "the properties of a component are owned")]
pub(super) fn HeldDataCard(user_handle: UserHandle) -> impl IntoView {
    view! {
        <section class="card" id="data" aria-labelledby="data-title" data-person=user_handle.as_str().to_owned()>
            <div class="card-head">
                <h2 id="data-title">{texts::HELD}</h2>
                <p>{texts::HELD_LEAD}</p>
            </div>
            <islands::HeldData/>
        </section>
    }
}

/// The page.
#[component]
pub(crate) fn HeldData() -> impl IntoView {
    // Without a context the routes are being listed.
    let authentication = use_context::<Authentication>()?;
    let (Ok(user), Some(lethe)) = (authentication, use_context::<Lethe>()) else {
        set_status(ErrorCode::NotSignedIn.status());
        return Some(Either::Left(view! { <Landing/> }));
    };
    Some(Either::Right(Suspend::new(async move {
        match lethe::deletion::preview(&lethe, &user.clerk_user_id).await {
            Ok(plan) => {
                let rows = view_model::planned_rows(&plan);
                Either::Left(view! {
                    <Layout title=texts::HELD>
                        <h1>{texts::HELD}</h1>
                        <p class="lead">{texts::HELD_LEAD}</p>
                        <section class="card mt-6" aria-label=texts::HELD>
                            <div class="card-body">
                                <div class="plan-frame"><PlanTable rows caption=texts::PLAN_CAPTION outcome_heading=texts::COLUMN_IF_DELETED/></div>
                            </div>
                        </section>
                        <p class="mt-6"><a class="button button-quiet" href="/">{texts::BACK_TO_CENTER}</a></p>
                    </Layout>
                })
            }
            Err(error) => Either::Right(error_page(&error)),
        }
    })))
}
