//! The dialog that shows what a deletion would do and asks for a typed confirmation. Its button is
//! a link to the page with the same table and the same form.

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;

use super::browser;
use super::plan_table::PlanTable;
use crate::api::{CONFIRMATION, Code, Preview, PublicError, RequestDeletion, preview_deletion, request_deletion};

/// What the dialog shows.
#[derive(Clone)]
enum State {
    /// The plan is on its way.
    Counting,
    /// The plan, and why it is shown again.
    Shown(Preview, Option<Code>),
    /// Confirmed, and on its way.
    Confirmed(Preview),
    /// There is no plan to show.
    Failed(PublicError),
}

/// The button and the dialog.
#[island]
pub(crate) fn DeletionDialog() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let opener = NodeRef::<html::A>::new();
    let state = RwSignal::new(State::Counting);
    let typed = RwSignal::new(String::new());

    let open = move |event: MouseEvent| {
        let Some(dialog) = dialog.get_untracked() else { return };
        if dialog.show_modal().is_ok() {
            event.prevent_default();
            typed.set(String::new());
            count(state, None);
        }
    };
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let closed = move |_| {
        if let Some(opener) = opener.get_untracked() {
            // The link is part of the page, so it takes the focus.
            let _ = opener.focus();
        }
    };

    view! {
        <a class="button button-stop" href="/delete" aria-haspopup="dialog" node_ref=opener on:click=open>
            "Delete account…"
        </a>
        <dialog node_ref=dialog aria-labelledby="deletion-title" on:close=closed>
            <form
                method="post"
                action=RequestDeletion::url()
                autocomplete="off"
                on:submit=move |event: SubmitEvent| {
                    event.prevent_default();
                    confirm(state, typed);
                }
            >
                <div class="dialog-body">
                    <h2 id="deletion-title" tabindex="-1" autofocus=true>"Delete your account?"</h2>
                    <Plan state/>
                    <Confirmation state typed/>
                </div>
                <div class="dialog-foot">
                    <button type="button" class="button button-quiet" on:click=close>"Cancel"</button>
                    <button class="button button-destroy" disabled=move || !ready(state, typed)>
                        "Delete account"
                    </button>
                </div>
            </form>
        </dialog>
    }
}

/// The plan, or what stands in its place.
#[component]
fn Plan(state: RwSignal<State>) -> impl IntoView {
    let lead = move || {
        state.with(|state| match state {
            State::Counting => "Counting what we hold…".to_owned(),
            State::Shown(preview, _) => format!("This is what will happen, counted on {}.", preview.counted),
            State::Confirmed(_) => "Deleting. The receipt follows.".to_owned(),
            State::Failed(_) => "What would happen can't be shown now, so nothing can be deleted.".to_owned(),
        })
    };
    let body = move || match state.get() {
        State::Counting => view! { <Skeleton/> }.into_any(),
        State::Shown(preview, _) | State::Confirmed(preview) => {
            view! { <PlanTable lines=preview.lines becomes="Becomes"/> }.into_any()
        }
        State::Failed(error) => view! { <Refusal error/> }.into_any(),
    };
    view! {
        <p class="lead" role="status">{lead}</p>
        {move || match state.get() {
            State::Shown(_, Some(code)) => Some(view! { <Refusal error=PublicError { code, incident: String::new() }/> }),
            _ => None,
        }}
        {body}
    }
}

/// Lines of the size of what comes.
#[component]
fn Skeleton() -> impl IntoView {
    let line = || view! { <span class="skeleton"></span> };
    view! { <div class="skeletons" aria-hidden="true">{(0..5).map(|_| line()).collect_view()}</div> }
}

/// Why not, and what helps.
#[component]
fn Refusal(error: PublicError) -> impl IntoView {
    let incident = (!error.incident.is_empty()).then(|| format!(" Incident {}.", error.incident));
    view! {
        <div class="note note-bad" role="alert">
            <p>{error.code.sentence()} {incident}</p>
            {(error.code == Code::ReverificationNeeded)
                .then(|| view! { <a class="button button-quiet mt-3" href="/delete?refused=reverification_needed">"Sign in again"</a> })}
        </div>
    }
}

/// The field for the words that confirm.
#[component]
fn Confirmation(state: RwSignal<State>, typed: RwSignal<String>) -> impl IntoView {
    let inactive = move || state.with(|state| !matches!(state, State::Shown(..)));
    view! {
        <label class="confirm" for="deletion-confirmation">
            "Type " <span class="goes">{CONFIRMATION}</span> " to confirm"
        </label>
        <input
            id="deletion-confirmation"
            class="field"
            type="text"
            name="confirmation"
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            readonly=inactive
            prop:value=move || typed.get()
            on:input=move |event| typed.set(event_target_value(&event))
        />
    }
}

/// Whether the button acts.
fn ready(state: RwSignal<State>, typed: RwSignal<String>) -> bool {
    state.with(|state| matches!(state, State::Shown(..)))
        && typed.with(|typed| typed.trim().eq_ignore_ascii_case(CONFIRMATION))
}

/// Asks for the plan; `why` it is asked for again.
fn count(state: RwSignal<State>, why: Option<Code>) {
    state.set(State::Counting);
    spawn_local(async move {
        match preview_deletion().await {
            Ok(preview) => {
                browser::session_works();
                state.set(State::Shown(preview, why));
            }
            Err(error) => failed(state, error),
        }
    });
}

/// Begins the deletion, and goes to its receipt.
fn confirm(state: RwSignal<State>, typed: RwSignal<String>) {
    if !ready(state, typed) {
        return;
    }
    let State::Shown(preview, _) = state.get_untracked() else { return };
    state.set(State::Confirmed(preview.clone()));
    spawn_local(async move {
        match request_deletion(preview.plan.clone(), typed.get_untracked()).await {
            Ok(begun) => browser::go(&begun.receipt),
            Err(PublicError { code: Code::PlanChanged, .. }) => {
                typed.set(String::new());
                count(state, Some(Code::PlanChanged));
            }
            Err(error) if matches!(error.code, Code::NotSignedIn | Code::Gone) => failed(state, error),
            Err(error) => state.set(State::Shown(preview, Some(error.code))),
        }
    });
}

fn failed(state: RwSignal<State>, error: PublicError) {
    match error.code {
        Code::Gone => browser::reload(),
        Code::NotSignedIn if browser::renew_session() => {}
        _ => state.set(State::Failed(error)),
    }
}
