//! The page that shows what a deletion would do and takes the confirmation. It does what the dialog does, without
//! script.

use leptos::either::Either;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use lethe::Lethe;
use lethe_error_code::ErrorCode;

use super::confirm_again::ConfirmAgain;
use super::confirmation_field::ConfirmationField;
use super::error_page::error_page;
use super::landing::Landing;
use super::layout::Layout;
use super::notices::{OtherUserNotice, RefusalNotice, StatusNotice};
use crate::dto::{DeletionPreview, UserHandle};
use crate::response::set_status;
use crate::server::context;
use crate::server::current_user::{Authentication, CurrentUser};
use crate::server::flash;
use crate::server::resume::{self, PendingAction, Resumed, ReturnTo};
use crate::server::view_model;
use crate::server_fns::RequestDeletion;
use crate::texts;

/// `/delete`.
#[component]
pub(crate) fn Delete() -> impl IntoView {
    // Without a context the routes are being listed.
    let authentication = use_context::<Authentication>()?;
    Some(match (use_context::<Lethe>(), authentication, context::departing_user()) {
        (Some(lethe), Ok(user), _) => delete_page(lethe, user).into_any(),
        (Some(lethe), Err(_), Ok(user)) => view! { <ConfirmAgain lethe user/> }.into_any(),
        _ => {
            set_status(ErrorCode::NotSignedIn.status());
            view! { <Landing/> }.into_any()
        }
    })
}

fn delete_page(lethe: Lethe, user: CurrentUser) -> impl IntoView {
    let (refused_before, mistyped) = flash::take_refused_deletion(&lethe, &user);
    let refused_now = resume::require_fresh_sign_in(&lethe, &user).err();
    // The user may have signed in since.
    let outdated = [ErrorCode::NotSignedIn, ErrorCode::ReverificationNeeded];
    let data = DeletePageData {
        refused: refused_now.or(refused_before.filter(|code| !outdated.contains(code))),
        resumed: resume::take(&lethe, &user, |action| {
            matches!(action, PendingAction::Confirm(ReturnTo::Page) | PendingAction::Deletion(_))
        }),
        mistyped,
        account: user.account().unwrap_or_default().to_owned(),
        user_handle: user.user_handle.clone(),
    };
    Suspend::new(async move {
        let preview = lethe::deletion::preview_with_obstacles(&lethe, &user.clerk_user_id).await;
        match view_model::available(preview) {
            Ok(preview) => {
                let preview = view_model::preview(&lethe, &user, preview.as_ref(), refused_now);
                Either::Left(view! { <ConfirmDeletion preview data/> })
            }
            Err(error) => Either::Right(error_page(&error)),
        }
    })
}

/// What the page shows beside the plan.
#[derive(Default)]
struct DeletePageData {
    /// The user for whom the page is rendered.
    user_handle: UserHandle,
    /// What the user calls the account.
    account: String,
    /// Why nothing was, or can be, deleted.
    refused: Option<ErrorCode>,
    /// What was typed instead of the phrase.
    mistyped: Option<String>,
    /// What the user was about to do before signing in.
    resumed: Option<Resumed>,
}

#[component]
fn ConfirmDeletion(preview: DeletionPreview, data: DeletePageData) -> impl IntoView {
    let DeletePageData { user_handle, account, refused, mistyped, resumed } = data;
    // There is nothing to type if it would be refused.
    let is_open = preview.refused.is_none();
    let typed = match &resumed {
        Some(Resumed::Continue(PendingAction::Deletion(typed))) => Some(typed.clone()),
        _ => mistyped,
    };
    let has_failed = refused.is_some_and(|code| code != ErrorCode::ReverificationNeeded);
    let title = if has_failed { [texts::ERROR_PREFIX, texts::DELETION].concat() } else { texts::DELETION.to_owned() };
    let is_unlisted = preview.plan.is_empty();
    let lead = if is_unlisted { String::new() } else { texts::plan_lead(&account) + " " };
    view! {
        <Layout title>
            <h1>{texts::DELETE_QUESTION}</h1>
            <p class="lead">{lead} {texts::CANT_BE_UNDONE}</p>
            {is_unlisted.then(|| view! { <div class="mt-6"><StatusNotice text=texts::PLAN_UNLISTED/></div> })}
            {preview.is_obstructed.then(|| view! { <div class="mt-6"><StatusNotice text=texts::PLAN_OBSTRUCTED/></div> })}
            <Notes refused resumed/>
            <form class="card mt-6" method="post" action=RequestDeletion::url() autocomplete="off" data-once=texts::DELETING>
                <div class="card-body">
                    {(!is_unlisted).then(|| view! { <div class="plan-frame" inner_html=preview.table></div> })}
                    <input type="hidden" name="plan" value=preview.plan/>
                    <input type="hidden" name="attempt" value=preview.idempotency_key/>
                    <input type="hidden" name="person" value=user_handle.as_str().to_owned()/>
                    {is_open.then(|| view! { <ConfirmationField refused typed/> })}
                </div>
                <div class="card-foot card-foot-end">
                    <p class="state" role="status"></p>
                    // Not "Cancel", which would pretend to stop a deletion that was confirmed before.
                    <a class="button button-quiet" href="/">{texts::BACK_TO_CENTER}</a>
                    {is_open.then(|| view! { <button class="button button-destroy">{texts::DELETE}</button> })}
                </div>
            </form>
        </Layout>
    }
}

/// The result of the last attempt, and of signing in again.
#[component]
fn Notes(refused: Option<ErrorCode>, resumed: Option<Resumed>) -> impl IntoView {
    let is_other_user = matches!(resumed, Some(Resumed::OtherUser(_)));
    let has_confirmed = matches!(resumed, Some(Resumed::Continue(PendingAction::Confirm(_))));
    let was_interrupted = matches!(resumed, Some(Resumed::Continue(PendingAction::Deletion(_))));
    // What is wrong with the field stands at the field.
    let refused = refused.filter(|code| *code != ErrorCode::ConfirmationMissing);
    let addition = match refused {
        Some(ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified | ErrorCode::PlanChanged) | None => "",
        Some(_) => texts::NOTHING_DELETED,
    };
    (refused.is_some() || was_interrupted || is_other_user || has_confirmed).then(|| {
        view! {
            <div class="grid gap-3 mt-6">
                {is_other_user.then(|| view! { <OtherUserNotice/> })}
                {has_confirmed.then(|| view! { <StatusNotice text=texts::CONFIRMED_PAGE/> })}
                {was_interrupted.then(|| view! { <StatusNotice text=texts::INTERRUPTED/> })}
                {refused.map(|code| view! {
                    <RefusalNotice code addition id="deletion-refused" return_to=ReturnTo::Page/>
                })}
            </div>
        }
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::dto::{Disposition, PlanRow};
    use crate::isolation::isolate;
    use crate::rendering::{HOSTILE, Page, page};
    use crate::server::markup;

    async fn confirm(label: &'static str, refused: Option<ErrorCode>) -> Page {
        let verification =
            refused.filter(|code| matches!(code, ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified));
        let data = move || DeletePageData {
            user_handle: UserHandle::new("00ff00ff".to_owned()),
            account: "ada@example.org".to_owned(),
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
            idempotency_key: "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned(),
            receipt: "7Q2M-9KXA-41TD-0000-ABCD".to_owned(),
            table: markup::plan_table(
                vec![
                    PlanRow {
                        label: isolate(label),
                        language: Some("de".to_owned()),
                        rows: "1,904".to_owned(),
                        since: Some("3 March 2024".to_owned()),
                        outcome: texts::DELETED.to_owned(),
                        reason: None,
                        keeps_user_id: false,
                        disposition: Disposition::Deleted,
                    },
                    PlanRow {
                        label: isolate("Usage log"),
                        language: None,
                        rows: "5,310".to_owned(),
                        since: None,
                        outcome: "Kept until 22 November 2028".to_owned(),
                        reason: Some("billing disputes, Art. 17(3)(e)".to_owned()),
                        keeps_user_id: true,
                        disposition: Disposition::Retained,
                    },
                ],
                texts::COLUMN_PLANNED,
            ),
            is_obstructed: false,
            refused,
        }
    }

    #[tokio::test]
    async fn deletion_that_would_wait_for_an_operator_is_announced() {
        let preview = |is_obstructed| DeletionPreview { is_obstructed, ..preview("Comments", None) };
        for is_obstructed in [true, false] {
            let page = page(move || {
                view! { <ConfirmDeletion preview=preview(is_obstructed) data=DeletePageData::default()/> }
            });
            assert_eq!(page.await.html.contains(texts::PLAN_OBSTRUCTED), is_obstructed);
        }
    }

    #[tokio::test]
    async fn the_page_shows_the_plan_and_takes_the_confirmation() {
        assert_snapshot!(confirm("Comments", None).await.lines());
    }

    #[tokio::test]
    async fn wrong_confirmation_is_reported_at_the_field() {
        let page = confirm("Comments", Some(ErrorCode::ConfirmationMissing)).await;
        assert!(page.html.contains("exactly as shown."));
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
        assert!(page.html.contains("contact us"));
        assert!(!page.html.contains("/confirm-identity"));
    }

    #[tokio::test]
    async fn returning_user_continues_where_they_were() {
        let page = resumed_page(Resumed::Continue(PendingAction::Confirm(ReturnTo::Page))).await;
        assert!(page.html.contains(texts::CONFIRMED_PAGE));
        assert!(page.html.contains(texts::PLAN_OF_READER), "an account whose name isn't known");
        let page = resumed_page(Resumed::OtherUser(PendingAction::Confirm(ReturnTo::Page))).await;
        assert!(page.html.contains("We’ve canceled what you started"));
        let page = resumed_page(Resumed::Continue(PendingAction::Deletion("delete my".to_owned()))).await;
        assert!(page.tag(r#"name="confirmation""#).contains(r#"value="delete my""#));
        let page = resumed_page(Resumed::Continue(PendingAction::Deletion(HOSTILE.to_owned()))).await;
        assert!(!page.html.contains("<script>alert"));
    }

    #[tokio::test]
    async fn without_a_plan_the_page_says_what_it_cannot_say_and_takes_the_confirmation() {
        let preview = || DeletionPreview { plan: String::new(), table: String::new(), ..preview("Comments", None) };
        let page = page(move || view! { <ConfirmDeletion preview=preview() data=DeletePageData::default()/> }).await;
        assert!(page.html.contains(texts::PLAN_UNLISTED) && !page.html.contains("plan-frame"), "{}", page.html);
        assert!(page.tag(r#"name="confirmation""#).contains("required") && page.html.contains(texts::DELETE));
    }

    #[tokio::test]
    async fn label_is_never_markup() {
        assert!(!confirm(HOSTILE, None).await.html.contains("<script>alert"));
    }
}
