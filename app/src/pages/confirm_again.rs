//! The page of a user whose deletion waits because what would happen isn't what they confirmed: it shows what has changed and
//! takes a new confirmation. It needs no script.

use leptos::either::{Either, EitherOf3};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use lethe::Lethe;
use lethe::deletion::{self, PlanChange};
use lethe_error_code::ErrorCode;

use super::confirmation_field::ConfirmationField;
use super::error_page::error_page;
use super::landing::Landing;
use super::layout::Layout;
use crate::components::{ErrorNotice, OperatorText, PlanTable};
use crate::dto::{PlanChangeRow, PlanRow};
use crate::response::set_status;
use crate::server::context;
use crate::server::current_user::CurrentUser;
use crate::server::flash;
use crate::server::view_model;
use crate::server_fns::ConfirmChangedPlan;
use crate::texts;

/// What there is to confirm, or, where nothing waits for the user, the way to the progress.
#[component]
pub(super) fn ConfirmAgain(lethe: Lethe, user: CurrentUser) -> impl IntoView {
    let refused = flash::take_refused_deletion(&lethe, &user);
    Suspend::new(async move {
        match deletion::pending_change(&lethe, &user.clerk_user_id).await {
            Ok(Some(change)) => EitherOf3::A(view! { <Question question=Question::new(&change, &user, refused)/> }),
            Ok(None) => {
                set_status(ErrorCode::AccountDeleted.status());
                EitherOf3::B(view! { <Landing/> })
            }
            Err(error) => EitherOf3::C(error_page(&error)),
        }
    })
}

/// What the page asks.
struct Question {
    user: CurrentUser,
    /// The hash of what would happen now.
    plan: String,
    changes: Vec<PlanChangeRow>,
    rows: Vec<PlanRow>,
    receipt: String,
    /// Why the last confirmation wasn't accepted.
    refused: Option<ErrorCode>,
    /// What was typed instead of the phrase.
    mistyped: Option<String>,
}

impl Question {
    fn new(change: &PlanChange, user: &CurrentUser, (refused, mistyped): (Option<ErrorCode>, Option<String>)) -> Self {
        Self {
            user: user.clone(),
            mistyped,
            plan: change.current.hash.to_string(),
            changes: view_model::plan_changes(change),
            rows: view_model::planned_rows(&change.current),
            receipt: change.receipt.as_str().to_owned(),
            refused: refused.or(user.is_impersonated().then_some(ErrorCode::Impersonated)),
        }
    }
}

#[component]
fn Question(question: Question) -> impl IntoView {
    let Question { user, plan, changes, rows, receipt, refused, mistyped } = question;
    let is_open = refused != Some(ErrorCode::Impersonated);
    let lead = texts::plan_lead(user.account().unwrap_or_default());
    let user_handle = user.user_handle.as_str().to_owned();
    // What is wrong with the field stands at the field.
    let notice = refused.filter(|code| *code != ErrorCode::ConfirmationMissing);
    view! {
        <Layout title=texts::CHANGE_TITLE departing=user>
            <h1>{texts::CHANGE_TITLE}</h1>
            <p class="lead">{texts::CHANGE_LEAD} " " {texts::CHANGE_WAITS}</p>
            {notice.map(|code| view! { <div class="mt-6"><ErrorNotice code id="deletion-refused"/></div> })}
            <section class="card mt-6" aria-labelledby="changes-title">
                <div class="card-head"><h2 id="changes-title">{texts::CHANGES_CAPTION}</h2></div>
                <div class="card-body">
                    {if changes.is_empty() {
                        Either::Left(view! { <p>{texts::CHANGE_DETAILS_ONLY}</p> })
                    } else {
                        Either::Right(view! { <Changes changes/> })
                    }}
                </div>
            </section>
            <form class="card mt-6" method="post" action=ConfirmChangedPlan::url() autocomplete="off" data-once=texts::DELETING>
                <div class="card-body">
                    <p class="mb-4">{lead} " " {texts::CANT_BE_UNDONE}</p>
                    <div class="plan-frame">
                        <PlanTable rows caption=texts::PLAN_CAPTION outcome_heading=texts::COLUMN_NOW/>
                    </div>
                    <input type="hidden" name="plan" value=plan/>
                    <input type="hidden" name="person" value=user_handle/>
                    {is_open.then(|| view! { <ConfirmationField refused typed=mistyped/> })}
                </div>
                <div class="card-foot card-foot-end">
                    <p class="state" role="status"></p>
                    <a class="button button-quiet" href=format!("/receipt/{receipt}")>{texts::SEE_PROGRESS}</a>
                    {is_open.then(|| view! { <button class="button button-destroy">{texts::DELETE}</button> })}
                </div>
            </form>
        </Layout>
    }
}

/// What was confirmed beside what would happen now.
#[component]
fn Changes(changes: Vec<PlanChangeRow>) -> impl IntoView {
    let rows = changes.into_iter().map(|change| {
        view! {
            <tr role="row">
                <th scope="row" role="rowheader" dir="auto"><OperatorText text=change.label language=context::content_language()/></th>
                <td class="outcome" role="cell">
                    <span><OperatorText text=change.current language=context::content_language()/></span>
                    <small><OperatorText text=texts::confirmed_before(change.confirmed) language=context::content_language()/></small>
                </td>
            </tr>
        }
    });
    view! {
        <div class="plan-frame">
            <table class="plan" role="table">
                <caption class="sr-only">{texts::CHANGES_CAPTION}</caption>
                <thead role="rowgroup">
                    <tr role="row">
                        <th scope="col" role="columnheader">{texts::COLUMN_DATA}</th>
                        <th scope="col" role="columnheader">{texts::COLUMN_NOW}</th>
                    </tr>
                </thead>
                <tbody role="rowgroup">{rows.collect_view()}</tbody>
            </table>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dto::Disposition;
    use crate::rendering::{HOSTILE, Page, page, user};

    async fn question(label: &'static str, refused: Option<ErrorCode>) -> Page {
        let question = move || Question {
            user: user("Ada Lovelace"),
            mistyped: None,
            plan: "5f0ca91e".to_owned(),
            changes: vec![PlanChangeRow {
                label: label.to_owned(),
                confirmed: texts::DELETED.to_owned(),
                current: "Kept until 22 November 2028".to_owned(),
            }],
            rows: vec![PlanRow {
                language: None,
                label: label.to_owned(),
                rows: "5".to_owned(),
                since: None,
                outcome: "Kept until 22 November 2028".to_owned(),
                reason: Some("billing disputes".to_owned()),
                keeps_user_id: true,
                disposition: Disposition::Retained,
            }],
            receipt: "7Q2M-9KXA-41TD-0000-ABCD".to_owned(),
            refused,
        };
        page(move || view! { <Question question=question()/> }).await
    }

    #[tokio::test]
    async fn the_page_shows_what_changed_and_takes_a_new_confirmation() {
        let page = question("Usage log", None).await;
        assert!(page.html.contains("You confirmed: Deleted") && page.html.contains("Kept until 22 November 2028"));
        assert!(page.tag(r#"name="plan""#).contains(r#"value="5f0ca91e""#));
        assert!(page.tag(r#"name="confirmation""#).contains("required") && page.html.contains(texts::CHANGE_LEAD));
        assert!(page.html.contains(&texts::plan_of("ada@example.org")) && page.html.contains(texts::CANT_BE_UNDONE));
    }

    #[tokio::test]
    async fn wrong_words_are_reported_at_the_field_and_another_plan_above_it() {
        let wrong = question("Usage log", Some(ErrorCode::ConfirmationMissing)).await;
        assert!(wrong.tag(r#"name="confirmation""#).contains(r#"aria-invalid="true""#));
        let changed = question("Usage log", Some(ErrorCode::PlanChanged)).await;
        assert!(changed.html.contains(ErrorCode::PlanChanged.message()));
    }

    #[tokio::test]
    async fn who_acts_for_the_user_cannot_confirm() {
        let page = question("Usage log", Some(ErrorCode::Impersonated)).await;
        assert!(!page.html.contains(r#"name="confirmation""#));
    }

    #[tokio::test]
    async fn label_is_never_markup() {
        assert!(!question(HOSTILE, None).await.html.contains("<script>alert"));
    }
}
