//! The page that shows what a deletion would do and takes the confirmation: all that the dialog
//! does, without script.

use leptos::either::Either;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos_router::hooks::use_query_map;

use super::confirm::{Dropped, Note, Refused};
use super::frame::Frame;
use super::landing::Landing;
use super::trouble::trouble;
use crate::api::answer::{self, Caller};
use crate::api::context::Visitor;
use crate::api::errand::{self, Errand, Place, Returned};
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
    let now = caller.may_act().err();
    let shown = Shown {
        // What the address says about the way here may be over by now.
        refused: now.or(refused.filter(|code| !matches!(code, Code::NotSignedIn | Code::ReverificationNeeded))),
        was_interrupted: refused == Some(Code::NotSignedIn),
        returned: errand::take(&caller, |errand| matches!(errand, Errand::Confirm(Place::Page) | Errand::Deletion(_))),
        person: caller.mark(),
    };
    Some(Either::Right(Suspend::new(async move {
        match lethe::deletion::preview(&caller.lethe, &caller.person.subject).await {
            Ok(plan) => Either::Left(view! { <Confirm preview=load::preview(&plan, now) shown/> }),
            Err(error) => Either::Right(trouble(error.into())),
        }
    })))
}

/// What the page shows beside the plan.
#[derive(Default)]
struct Shown {
    /// The mark of whom it is made for.
    person: String,
    /// Why nothing was, or could be, deleted.
    refused: Option<Code>,
    /// Whether the session was over when the form was sent.
    was_interrupted: bool,
    /// What the person came back for.
    returned: Option<Returned>,
}

#[component]
fn Confirm(preview: Preview, shown: Shown) -> impl IntoView {
    let Shown { person, refused, was_interrupted, returned } = shown;
    // Nothing to type where it would be refused.
    let is_open = preview.refused.is_none();
    let typed = match &returned {
        Some(Returned::GoesOn(Errand::Deletion(typed))) => Some(typed.clone()),
        _ => None,
    };
    view! {
        <Frame title="Delete your account">
            <h1>"Delete your account?"</h1>
            <p class="lead">"This is what will happen, counted on " {preview.counted} "."</p>
            <Notes refused was_interrupted returned/>
            <form class="card mt-6" method="post" action=RequestDeletion::url() autocomplete="off">
                <div class="card-body">
                    <PlanTable lines=preview.lines becomes="Becomes"/>
                    <input type="hidden" name="plan" value=preview.plan/>
                    <input type="hidden" name="person" value=person/>
                    {is_open.then(|| view! { <Field refused typed/> })}
                </div>
                <div class="card-foot card-foot-end">
                    <a class="button button-quiet" href="/">"Cancel"</a>
                    {is_open.then(|| view! { <button class="button button-destroy">"Delete account"</button> })}
                </div>
            </form>
        </Frame>
    }
}

/// What became of the last attempt, and of the way by the sign-in.
#[component]
fn Notes(refused: Option<Code>, was_interrupted: bool, returned: Option<Returned>) -> impl IntoView {
    let is_dropped = returned == Some(Returned::SomebodyElse);
    let has_confirmed = matches!(returned, Some(Returned::GoesOn(Errand::Confirm(_))));
    (refused.is_some() || was_interrupted || is_dropped || has_confirmed).then(|| view! {
        <div class="grid gap-3 mt-6">
            {is_dropped.then(|| view! { <Dropped/> })}
            {has_confirmed.then(|| view! { <Note words="You confirmed that it's you. Nothing is deleted yet."/> })}
            {was_interrupted.then(|| view! {
                <Note words="Your session had ended in between, so nothing was deleted. Look at the table again, then confirm."/>
            })}
            {refused.map(|code| view! { <Refused code id="deletion-refused" place=Place::Page/> })}
        </div>
    })
}

/// The field for the words that confirm.
#[component]
fn Field(refused: Option<Code>, typed: Option<String>) -> impl IntoView {
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
            aria-invalid=(refused == Some(Code::ConfirmationMissing)).then_some("true")
            aria-describedby=refused.map(|_| "deletion-refused")
        />
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::api::{Line, Tone};
    use crate::rendering::{HOSTILE, Page, page};

    async fn confirm(label: &'static str, refused: Option<Code>) -> Page {
        let needs_step = refused.filter(|code| matches!(code, Code::ReverificationNeeded | Code::NotConfirmed));
        let shown = move || Shown { person: "00ff00ff".to_owned(), refused, ..Shown::default() };
        page(move || view! { <Confirm preview=preview(label, needs_step) shown=shown()/> }).await
    }

    async fn came_back(returned: Returned) -> Page {
        let shown = move || Shown { returned: Some(returned.clone()), ..Shown::default() };
        page(move || view! { <Confirm preview=preview("Comments", None) shown=shown()/> }).await
    }

    fn preview(label: &str, refused: Option<Code>) -> Preview {
        Preview {
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
            refused,
        }
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
        assert!(page.tag(r#"value="page""#).contains(r#"name="for""#));
        assert!(page.html.contains(r#"action="/confirm-identity""#));
        assert!(!page.html.contains(r#"name="confirmation""#), "nothing to type where it would be refused");
    }

    #[tokio::test]
    async fn who_could_not_confirm_is_not_sent_round_again() {
        let page = confirm("Comments", Some(Code::NotConfirmed)).await;
        assert!(page.html.contains("write to us"));
        assert!(!page.html.contains("/confirm-identity"));
    }

    #[tokio::test]
    async fn who_comes_back_hears_what_became_of_it() {
        let page = came_back(Returned::GoesOn(Errand::Confirm(Place::Page))).await;
        assert!(page.html.contains("You confirmed that it's you."));
        let page = came_back(Returned::SomebodyElse).await;
        assert!(page.html.contains("was for another account, and was dropped."));
        let page = came_back(Returned::GoesOn(Errand::Deletion("delete my".to_owned()))).await;
        assert!(page.tag(r#"name="confirmation""#).contains(r#"value="delete my""#));
        let page = came_back(Returned::GoesOn(Errand::Deletion(HOSTILE.to_owned()))).await;
        assert!(!page.html.contains("<script>alert"));
    }

    #[tokio::test]
    async fn a_label_is_never_markup() {
        assert!(!confirm(HOSTILE, None).await.html.contains("<script>alert"));
    }
}
