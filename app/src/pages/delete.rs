//! The page that shows what a deletion would do and takes the confirmation. It does what the dialog does, without
//! script.

use leptos::either::Either;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;
use lethe::Lethe;
use lethe_error_code::ErrorCode;

use super::error_page::error_page;
use super::landing::Landing;
use super::layout::Layout;
use super::notices::{OtherUserNotice, RefusalNotice, StatusNotice};
use crate::components::PlanTable;
use crate::dto::{CONFIRMATION, DeletionPreview, UserHandle};
use crate::response::set_status;
use crate::server::current_user::Authentication;
use crate::server::resume::{self, PendingAction, Resumed, ReturnTo};
use crate::server::view_model;
use crate::server_fns::RequestDeletion;

/// `/delete`.
#[component]
pub(crate) fn Delete() -> impl IntoView {
    // Without a context the routes are being listed.
    let authentication = use_context::<Authentication>()?;
    let (Ok(user), Some(lethe)) = (authentication, use_context::<Lethe>()) else {
        set_status(ErrorCode::NotSignedIn.status());
        return Some(Either::Left(view! { <Landing/> }));
    };
    let redirected = use_query_map().with_untracked(|query| query.get_str("refused").map(ErrorCode::parse));
    let refused_now = resume::require_fresh_sign_in(&lethe, &user).err();
    // Since the redirect to this address the user may have signed in.
    let outdated = [ErrorCode::NotSignedIn, ErrorCode::ReverificationNeeded];
    let data = DeletePageData {
        refused: refused_now.or(redirected.filter(|code| !outdated.contains(code))),
        was_interrupted: redirected == Some(ErrorCode::NotSignedIn),
        resumed: resume::take(&lethe, &user, |action| {
            matches!(action, PendingAction::Confirm(ReturnTo::Page) | PendingAction::Deletion(_))
        }),
        user_handle: user.user_handle,
    };
    Some(Either::Right(Suspend::new(async move {
        match lethe::deletion::preview(&lethe, &user.clerk_user_id).await {
            Ok(plan) => Either::Left(view! { <ConfirmDeletion preview=view_model::preview(&plan, refused_now) data/> }),
            Err(error) => Either::Right(error_page(&error)),
        }
    })))
}

/// What the page shows beside the plan.
#[derive(Default)]
struct DeletePageData {
    /// The user for whom the page is rendered.
    user_handle: UserHandle,
    /// Why nothing was, or can be, deleted.
    refused: Option<ErrorCode>,
    /// Whether the session had ended when the form was sent.
    was_interrupted: bool,
    /// What the user was about to do before signing in.
    resumed: Option<Resumed>,
}

#[component]
fn ConfirmDeletion(preview: DeletionPreview, data: DeletePageData) -> impl IntoView {
    let DeletePageData { user_handle, refused, was_interrupted, resumed } = data;
    // There is nothing to type if it would be refused.
    let is_open = preview.refused.is_none();
    let typed = match &resumed {
        Some(Resumed::Continue(PendingAction::Deletion(typed))) => Some(typed.clone()),
        _ => None,
    };
    view! {
        <Layout title="Delete your account">
            <h1>"Delete your account?"</h1>
            <p class="lead">"This is what will happen, counted on " {preview.counted_at} "."</p>
            <Notes refused was_interrupted resumed/>
            <form class="card mt-6" method="post" action=RequestDeletion::url() autocomplete="off">
                <div class="card-body">
                    <PlanTable rows=preview.lines outcome_heading="Becomes"/>
                    <input type="hidden" name="plan" value=preview.plan/>
                    <input type="hidden" name="person" value=user_handle.as_str().to_owned()/>
                    {is_open.then(|| view! { <ConfirmationField refused typed/> })}
                </div>
                <div class="card-foot card-foot-end">
                    <a class="button button-quiet" href="/">"Cancel"</a>
                    {is_open.then(|| view! { <button class="button button-destroy">"Delete account"</button> })}
                </div>
            </form>
        </Layout>
    }
}

/// The result of the last attempt, and of signing in again.
#[component]
fn Notes(refused: Option<ErrorCode>, was_interrupted: bool, resumed: Option<Resumed>) -> impl IntoView {
    let is_other_user = resumed == Some(Resumed::OtherUser);
    let has_confirmed = matches!(resumed, Some(Resumed::Continue(PendingAction::Confirm(_))));
    (refused.is_some() || was_interrupted || is_other_user || has_confirmed).then(|| view! {
        <div class="grid gap-3 mt-6">
            {is_other_user.then(|| view! { <OtherUserNotice/> })}
            {has_confirmed.then(|| view! { <StatusNotice text="You confirmed that it's you. Nothing is deleted yet."/> })}
            {was_interrupted.then(|| view! {
                <StatusNotice text="Your session had ended in between, so nothing was deleted. Look at the table again, then confirm."/>
            })}
            {refused.map(|code| view! { <RefusalNotice code id="deletion-refused" return_to=ReturnTo::Page/> })}
        </div>
    })
}

/// The field for the words that confirm.
#[component]
fn ConfirmationField(refused: Option<ErrorCode>, typed: Option<String>) -> impl IntoView {
    view! {
        <label class="confirm" for="deletion-confirmation">
            "Type " <span class="goes">{CONFIRMATION}</span> " to confirm"
        </label>
        <input
            id="deletion-confirmation"
            class="field"
            type="text"
            name="confirmation"
            value=typed
            required
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            aria-invalid=(refused == Some(ErrorCode::ConfirmationMissing)).then_some("true")
            aria-describedby=refused.map(|_| "deletion-refused")
        />
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::dto::{Disposition, PlanRow};
    use crate::rendering::{HOSTILE, Page, page};

    async fn confirm(label: &'static str, refused: Option<ErrorCode>) -> Page {
        let verification =
            refused.filter(|code| matches!(code, ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified));
        let data = move || DeletePageData {
            user_handle: UserHandle::new("00ff00ff".to_owned()),
            refused,
            ..DeletePageData::default()
        };
        page(move || view! { <ConfirmDeletion preview=preview(label, verification) data=data()/> }).await
    }

    async fn resumed_page(resumed: Resumed) -> Page {
        let data = move || DeletePageData { resumed: Some(resumed.clone()), ..DeletePageData::default() };
        page(move || view! { <ConfirmDeletion preview=preview("Comments", None) data=data()/> }).await
    }

    fn preview(label: &str, refused: Option<ErrorCode>) -> DeletionPreview {
        DeletionPreview {
            plan: "5f0ca91e".to_owned(),
            counted_at: "22 November 2026, 09:58 UTC".to_owned(),
            lines: vec![
                PlanRow {
                    label: label.to_owned(),
                    rows: "1,904".to_owned(),
                    outcome: "deleted".to_owned(),
                    reason: None,
                    disposition: Disposition::Removed,
                },
                PlanRow {
                    label: "Usage log".to_owned(),
                    rows: "5,310".to_owned(),
                    outcome: "kept until 22 November 2028".to_owned(),
                    reason: Some("billing disputes, Art. 17(3)(e)".to_owned()),
                    disposition: Disposition::Retained,
                },
            ],
            refused,
        }
    }

    #[tokio::test]
    async fn the_page_shows_the_plan_and_takes_the_confirmation() {
        assert_snapshot!(confirm("Comments", None).await.lines());
    }

    #[tokio::test]
    async fn wrong_confirmation_is_reported_at_the_field() {
        let page = confirm("Comments", Some(ErrorCode::ConfirmationMissing)).await;
        assert!(page.html.contains(ErrorCode::ConfirmationMissing.message()));
        let field = page.tag(r#"name="confirmation""#);
        assert!(field.contains(r#"aria-invalid="true""#) && field.contains(r#"aria-describedby="deletion-refused""#));
    }

    #[tokio::test]
    async fn old_sign_in_is_offered_verification() {
        let page = confirm("Comments", Some(ErrorCode::ReverificationNeeded)).await;
        assert!(page.tag(r#"value="page""#).contains(r#"name="for""#));
        assert!(page.html.contains(r#"action="/confirm-identity""#));
        assert!(!page.html.contains(r#"name="confirmation""#), "nothing to type where it would be refused");
    }

    #[tokio::test]
    async fn user_without_verification_is_not_asked_again() {
        let page = confirm("Comments", Some(ErrorCode::StillUnverified)).await;
        assert!(page.html.contains("write to us"));
        assert!(!page.html.contains("/confirm-identity"));
    }

    #[tokio::test]
    async fn returning_user_continues_where_they_were() {
        let page = resumed_page(Resumed::Continue(PendingAction::Confirm(ReturnTo::Page))).await;
        assert!(page.html.contains("You confirmed that it's you."));
        let page = resumed_page(Resumed::OtherUser).await;
        assert!(page.html.contains("was for another account, and was dropped."));
        let page = resumed_page(Resumed::Continue(PendingAction::Deletion("delete my".to_owned()))).await;
        assert!(page.tag(r#"name="confirmation""#).contains(r#"value="delete my""#));
        let page = resumed_page(Resumed::Continue(PendingAction::Deletion(HOSTILE.to_owned()))).await;
        assert!(!page.html.contains("<script>alert"));
    }

    #[tokio::test]
    async fn label_is_never_markup() {
        assert!(!confirm(HOSTILE, None).await.html.contains("<script>alert"));
    }
}
