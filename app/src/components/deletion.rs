//! The dialog that shows what a deletion would do and asks for a typed confirmation. Its button is
//! a link to the page with the same table and the same form.

use leptos::either::Either;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;

use super::browser;
use super::plan_table::PlanTable;
use crate::api::{
    CONFIRMATION, DeletionPreview, ErrorCode, PublicError, RequestDeletion, preview_deletion, request_deletion,
};

/// What the dialog shows.
#[derive(Clone)]
enum State {
    /// The plan is on its way.
    Loading,
    /// The plan, and why it is shown again.
    Ready(DeletionPreview, Option<ErrorCode>),
    /// Confirmed, and on its way.
    Submitting(DeletionPreview),
    /// There is no plan to show.
    Failed(PublicError),
}

/// The button and the dialog.
#[island]
pub(crate) fn DeletionDialog(
    /// The mark of the person for whom the page was made.
    user_handle: String,
    /// Whether the person comes back to it after confirming who they are.
    reopened: bool,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let opener = NodeRef::<html::A>::new();
    let state = RwSignal::new(State::Loading);
    let typed = RwSignal::new(String::new());
    let user_handle = StoredValue::new(user_handle);

    // Whether it could be opened.
    let open = move || {
        let is_open = dialog.get_untracked().is_some_and(|dialog| dialog.show_modal().is_ok());
        if is_open {
            typed.set(String::new());
            load_plan(state, user_handle, None);
        }
        is_open
    };
    if reopened {
        Effect::new(move |_| {
            open();
        });
    }
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
        <a class="button button-stop" href="/delete" aria-haspopup="dialog" node_ref=opener on:click=move |event: MouseEvent| {
            if open() {
                event.prevent_default();
            }
        }>
            "Delete account…"
        </a>
        <dialog node_ref=dialog aria-labelledby="deletion-title" on:close=closed>
            <form
                method="post"
                action=RequestDeletion::url()
                autocomplete="off"
                on:submit=move |event: SubmitEvent| {
                    event.prevent_default();
                    if has_failed(state) {
                        load_plan(state, user_handle, None);
                    } else {
                        submit(state, typed, user_handle);
                    }
                }
            >
                <div class="dialog-body">
                    <h2 id="deletion-title" tabindex="-1" autofocus=true>"Delete your account?"</h2>
                    <Plan state/>
                    <Confirmation state typed/>
                </div>
                <div class="dialog-foot">
                    <button type="button" class="button button-quiet" on:click=close>"Cancel"</button>
                    <button
                        class=move || if has_failed(state) { "button" } else { "button button-destroy" }
                        disabled=move || !has_failed(state) && !can_submit(state, typed)
                    >
                        {move || if has_failed(state) { "Try again" } else { "Delete account" }}
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
            State::Loading => "Counting what we hold…".to_owned(),
            State::Ready(preview, _) => format!("This is what will happen, counted on {}.", preview.counted_at),
            State::Submitting(_) => "Deleting. The receipt follows.".to_owned(),
            State::Failed(_) => "What would happen can't be shown now, so nothing can be deleted.".to_owned(),
        })
    };
    let body = move || match state.get() {
        State::Loading => view! { <Skeleton/> }.into_any(),
        State::Ready(preview, _) | State::Submitting(preview) => {
            view! { <PlanTable rows=preview.lines outcome_heading="Becomes"/> }.into_any()
        }
        State::Failed(error) => view! { <ErrorNotice error/> }.into_any(),
    };
    // What comes with the plan stands before it, what comes of the button beside the button.
    let note = move |is_before| match state.get() {
        State::Ready(_, Some(code)) if is_before == (code == ErrorCode::PlanChanged || needs_reverification(code)) => {
            Some(view! { <ErrorNotice error=PublicError { code, incident: String::new() }/> })
        }
        _ => None,
    };
    view! {
        <p class="lead" role="status">{lead}</p>
        {move || note(true)}
        {body}
        {move || note(false)}
    }
}

/// Whether the person must confirm first who they are.
const fn needs_reverification(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified)
}

/// Lines of the size of what comes.
#[component]
fn Skeleton() -> impl IntoView {
    let line = || view! { <span class="skeleton"></span> };
    view! { <div class="skeletons" aria-hidden="true">{(0..5).map(|_| line()).collect_view()}</div> }
}

/// Why not, and what helps.
#[component]
fn ErrorNotice(error: PublicError) -> impl IntoView {
    let incident = (!error.incident.is_empty()).then(|| format!(" Incident {}.", error.incident));
    let help = match error.code {
        // The page has the form for it.
        ErrorCode::ReverificationNeeded => Some(Either::Left(view! {
            <button class="button button-quiet mt-3" form="confirm-identity">"Confirm that it's you"</button>
        })),
        // Beside this page, so that what was typed stays.
        ErrorCode::NotSignedIn => Some(Either::Right(view! {
            <a class="button button-quiet mt-3" href="/" target="_blank">"Sign in again, in a new tab"</a>
        })),
        _ => None,
    };
    // A step that helps is no failure, and doesn't look like one.
    let class = if error.code == ErrorCode::ReverificationNeeded { "note note-step" } else { "note note-bad" };
    view! {
        <div class=class role="alert">
            <p>{error.code.message()} {incident}</p>
            {help}
        </div>
    }
}

/// The field for the words that confirm.
#[component]
fn Confirmation(state: RwSignal<State>, typed: RwSignal<String>) -> impl IntoView {
    let inactive = move || state.with(|state| !matches!(state, State::Ready(..)));
    let hidden = move || match state.get() {
        State::Ready(preview, _) => preview.refused.is_some(),
        State::Failed(_) => true,
        State::Loading | State::Submitting(_) => false,
    };
    view! {
        <div hidden=hidden>
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
        </div>
    }
}

/// Whether there is no plan to confirm, and the button asks for it again.
fn has_failed(state: RwSignal<State>) -> bool {
    state.with(|state| matches!(state, State::Failed(_)))
}

/// Whether the button confirms.
fn can_submit(state: RwSignal<State>, typed: RwSignal<String>) -> bool {
    state.with(|state| matches!(state, State::Ready(preview, _) if preview.refused.is_none()))
        && typed.with(|typed| typed.trim().eq_ignore_ascii_case(CONFIRMATION))
}

/// Asks for the plan; `why` it is asked for again.
fn load_plan(state: RwSignal<State>, user_handle: StoredValue<String>, why: Option<ErrorCode>) {
    state.set(State::Loading);
    spawn_local(async move {
        match browser::with_session(|| preview_deletion(user_handle.get_value())).await {
            Ok(preview) => {
                let refused = preview.refused;
                state.set(State::Ready(preview, refused.or(why)));
            }
            Err(PublicError { code: ErrorCode::AccountDeleted, .. }) => browser::reload(),
            Err(error) => state.set(State::Failed(error)),
        }
    });
}

/// Begins the deletion, and goes to its receipt.
fn submit(state: RwSignal<State>, typed: RwSignal<String>, user_handle: StoredValue<String>) {
    if !can_submit(state, typed) {
        return;
    }
    let State::Ready(preview, _) = state.get_untracked() else { return };
    state.set(State::Submitting(preview.clone()));
    spawn_local(async move {
        let request = || request_deletion(preview.plan.clone(), typed.get_untracked(), user_handle.get_value());
        match browser::with_session(request).await {
            Ok(started) => browser::navigate(&started.receipt),
            Err(PublicError { code: ErrorCode::PlanChanged, .. }) => {
                typed.set(String::new());
                load_plan(state, user_handle, Some(ErrorCode::PlanChanged));
            }
            Err(PublicError { code: ErrorCode::AccountDeleted, .. }) => browser::reload(),
            Err(error) => {
                let code = error.code;
                let refused = needs_reverification(code).then_some(code);
                state.set(State::Ready(DeletionPreview { refused, ..preview }, Some(code)));
            }
        }
    });
}
