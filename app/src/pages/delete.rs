//! The page that shows what a deletion would do and takes the confirmation: all that the dialog
//! does, without script.

use leptos::either::Either;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;

use super::frame::Frame;
use super::landing::Landing;
use super::trouble::trouble;
use crate::api::answer::{self, Caller};
use crate::api::context::Visitor;
use crate::api::{CONFIRMATION, Code, Preview, RequestDeletion, load};
use crate::components::PlanTable;

/// `/delete`.
#[component]
pub(crate) fn Delete() -> impl IntoView {
    let visitor = use_context::<Visitor>()?;
    let refused = use_query_map().with_untracked(|query| query.get_str("refused").map(Code::parse));
    let Ok(caller) = Caller::current() else {
        answer::set_status(401);
        return Some(Either::Left(view! { <Landing visitor/> }));
    };
    Some(Either::Right(Suspend::new(async move {
        let refused = caller.may_delete().err().map(|failure| answer::public(failure).code).or(refused);
        match lethe::deletion::preview(&caller.lethe, &caller.person.subject).await {
            Ok(plan) => Either::Left(view! { <Confirm preview=load::preview(&plan) refused/> }),
            Err(error) => Either::Right(trouble(error.into())),
        }
    })))
}

#[component]
fn Confirm(preview: Preview, refused: Option<Code>) -> impl IntoView {
    view! {
        <Frame title="Delete your account">
            <h1>"Delete your account?"</h1>
            <p class="lead">"This is what will happen, counted on " {preview.counted} "."</p>
            {refused.map(|code| view! { <Refused code/> })}
            <form class="card mt-6" method="post" action=RequestDeletion::url() autocomplete="off">
                <div class="card-body">
                    <PlanTable lines=preview.lines becomes="Becomes"/>
                    <input type="hidden" name="plan" value=preview.plan/>
                    <label class="confirm" for="deletion-confirmation">
                        "Type " <span class="goes">{CONFIRMATION}</span> " to confirm"
                    </label>
                    <input
                        id="deletion-confirmation"
                        class="field"
                        type="text"
                        name="confirmation"
                        required
                        autocomplete="off"
                        autocapitalize="none"
                        spellcheck="false"
                        aria-invalid=(refused == Some(Code::ConfirmationMissing)).then_some("true")
                        aria-describedby=refused.map(|_| "deletion-refused")
                    />
                </div>
                <div class="card-foot card-foot-end">
                    <a class="button button-quiet" href="/">"Cancel"</a>
                    <button class="button button-destroy">"Delete account"</button>
                </div>
            </form>
        </Frame>
    }
}

/// Why the last attempt deleted nothing, and what helps.
#[component]
fn Refused(code: Code) -> impl IntoView {
    view! {
        <div class="note note-bad mt-6" role="alert" id="deletion-refused">
            <p>{code.sentence()}</p>
            {(code == Code::ReverificationNeeded).then(|| view! {
                <form method="post" action="/sign-out" class="mt-3">
                    <button class="button button-quiet">"Sign out, then in again"</button>
                </form>
            })}
        </div>
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::api::{Line, Tone};
    use crate::rendering::{HOSTILE, Page, page};

    async fn confirm(label: &'static str, refused: Option<Code>) -> Page {
        let preview = move || Preview {
            plan: "5f0ca91e".to_owned(),
            counted: "22 November 2026, 09:58 UTC".to_owned(),
            lines: vec![
                Line {
                    label: label.to_owned(),
                    rows: "1,904".to_owned(),
                    becomes: "deleted".to_owned(),
                    why: None,
                    tone: Tone::Goes,
                },
                Line {
                    label: "Usage log".to_owned(),
                    rows: "5,310".to_owned(),
                    becomes: "kept until 22 November 2028".to_owned(),
                    why: Some("billing disputes, Art. 17(3)(e)".to_owned()),
                    tone: Tone::Stays,
                },
            ],
        };
        page(move || view! { <Confirm preview=preview() refused/> }).await
    }

    #[tokio::test]
    async fn the_page_shows_the_plan_and_takes_the_confirmation() {
        assert_snapshot!(confirm("Comments", None).await.lines());
    }

    #[tokio::test]
    async fn wrong_words_are_told_at_the_field() {
        let page = confirm("Comments", Some(Code::ConfirmationMissing)).await;
        assert!(page.html.contains(Code::ConfirmationMissing.sentence()));
        let field = page.tag(r#"name="confirmation""#);
        assert!(field.contains(r#"aria-invalid="true""#) && field.contains(r#"aria-describedby="deletion-refused""#));
    }

    #[tokio::test]
    async fn an_old_sign_in_is_offered_a_new_one() {
        let page = confirm("Comments", Some(Code::ReverificationNeeded)).await;
        assert!(page.html.contains(r#"action="/sign-out""#));
    }

    #[tokio::test]
    async fn a_label_is_never_markup() {
        assert!(!confirm(HOSTILE, None).await.html.contains("<script>alert"));
    }
}
