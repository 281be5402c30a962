//! The dialog that shows what a deletion would do and asks for a typed confirmation. Its button is a link to the page
//! with the same table and the same form. This module is the view, and carries out the commands of [`state`].

mod state;

use leptos::either::Either;
use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

use self::state::{Command, Event, Phase, State};
use super::browser;
use crate::components::{ErrorNotice, PlanTable};
use crate::dto::{CONFIRMATION, UserHandle};
use crate::server_fns::{RequestDeletion, preview_deletion, request_deletion};

/// The button and the dialog.
#[island]
pub(crate) fn DeletionDialog(
    /// The user for whom the page was rendered.
    user_handle: UserHandle,
    /// Whether the dialog opens by itself, because the user returns to it after verifying who they are.
    reopened: bool,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let opener = NodeRef::<html::A>::new();
    let controller =
        DialogController { state: RwSignal::new(State::new()), user_handle: StoredValue::new(user_handle) };
    let state = controller.state;

    // Returns whether the browser could open it.
    let open = move || {
        let is_open = dialog.get_untracked().is_some_and(|dialog| dialog.show_modal().is_ok());
        if is_open {
            controller.dispatch(Event::Opened);
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
    let focus_opener = move |_| {
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
        <dialog node_ref=dialog aria-labelledby="deletion-title" on:close=focus_opener>
            <form
                method="post"
                action=RequestDeletion::url()
                autocomplete="off"
                on:submit=move |event: SubmitEvent| {
                    event.prevent_default();
                    controller.dispatch(Event::Submitted);
                }
            >
                <div class="dialog-body">
                    <h2 id="deletion-title" tabindex="-1" autofocus=true>"Delete your account?"</h2>
                    <Plan state/>
                    <Confirmation controller/>
                </div>
                <div class="dialog-foot">
                    <button type="button" class="button button-quiet" on:click=close>"Cancel"</button>
                    <button
                        class=move || if state.with(State::has_failed) { "button" } else { "button button-destroy" }
                        disabled=move || state.with(|state| !state.has_failed() && !state.can_submit())
                    >
                        {move || if state.with(State::has_failed) { "Try again" } else { "Delete account" }}
                    </button>
                </div>
            </form>
        </dialog>
    }
}

/// The plan, or what stands in its place.
#[component]
fn Plan(state: RwSignal<State>) -> impl IntoView {
    // The form's field changes the state with each key, but not the phase.
    let phase = Memo::new(move |_| state.with(|state| state.phase.clone()));
    let lead = move || {
        phase.with(|phase| match phase {
            Phase::Loading(_) => "Counting what we hold…".to_owned(),
            Phase::Ready(preview, _) => format!("This is what will happen, counted on {}.", preview.counted_at),
            Phase::Submitting(_) => "Deleting. The receipt follows.".to_owned(),
            Phase::Failed(_) => "What would happen can't be shown now, so nothing can be deleted.".to_owned(),
        })
    };
    let body = move || match phase.get() {
        Phase::Loading(_) => view! { <Skeleton/> }.into_any(),
        Phase::Ready(preview, _) | Phase::Submitting(preview) => {
            view! { <PlanTable rows=preview.lines outcome_heading="Becomes"/> }.into_any()
        }
        Phase::Failed(error) => view! { <Refusal code=error.code incident=error.incident/> }.into_any(),
    };
    // An error of the plan stands above it, an error of the button beside the button.
    let note = move |is_above| match phase.get() {
        Phase::Ready(_, Some(code))
            if is_above == (code == ErrorCode::PlanChanged || state::needs_verification(code)) =>
        {
            Some(view! { <Refusal code incident=""/> })
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

/// Gray lines of the size of a plan.
#[component]
fn Skeleton() -> impl IntoView {
    let line = || view! { <span class="skeleton"></span> };
    view! { <div class="skeletons" aria-hidden="true">{(0..5).map(|_| line()).collect_view()}</div> }
}

/// The message of an error, and the step that helps.
#[component]
fn Refusal(code: ErrorCode, #[prop(into)] incident: String) -> impl IntoView {
    let help = match code {
        // The page has the form for it.
        ErrorCode::ReverificationNeeded => Some(Either::Left(view! {
            <button class="button button-quiet mt-3" form="confirm-identity">"Confirm that it's you"</button>
        })),
        // In a new tab, so that what was typed stays.
        ErrorCode::NotSignedIn => Some(Either::Right(view! {
            <a class="button button-quiet mt-3" href="/" target="_blank">"Sign in again, in a new tab"</a>
        })),
        _ => None,
    };
    view! { <ErrorNotice code incident>{help}</ErrorNotice> }
}

/// The field for the words that confirm.
#[component]
fn Confirmation(controller: DialogController) -> impl IntoView {
    let state = controller.state;
    let inactive = move || state.with(|state| !matches!(state.phase, Phase::Ready(..)));
    let hidden = move || {
        state.with(|state| match &state.phase {
            Phase::Ready(preview, _) => preview.refused.is_some(),
            Phase::Failed(_) => true,
            Phase::Loading(_) | Phase::Submitting(_) => false,
        })
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
                prop:value=move || state.with(|state| state.typed.clone())
                on:input=move |event| controller.dispatch(Event::Typed(event_target_value(&event)))
            />
        </div>
    }
}

/// Feeds events to the state and carries out its commands.
#[derive(Clone, Copy)]
struct DialogController {
    state: RwSignal<State>,
    user_handle: StoredValue<UserHandle>,
}

impl DialogController {
    fn dispatch(self, event: Event) {
        match self.state.try_update(|state| state.reduce(event)).flatten() {
            Some(Command::LoadPlan) => self.load_plan(),
            Some(Command::RequestDeletion { plan, confirmation }) => self.request(plan, confirmation),
            Some(Command::Navigate(path)) => browser::navigate(&path),
            Some(Command::Reload) => browser::reload(),
            None => {}
        }
    }

    fn load_plan(self) {
        let user_handle = self.user_handle.get_value();
        spawn_local(async move {
            self.dispatch(match browser::with_session(|| preview_deletion(user_handle.clone())).await {
                Ok(preview) => Event::PlanLoaded(preview),
                Err(error) => Event::LoadFailed(error),
            });
        });
    }

    fn request(self, plan: String, confirmation: String) {
        let user_handle = self.user_handle.get_value();
        spawn_local(async move {
            let call = || request_deletion(plan.clone(), confirmation.clone(), user_handle.clone());
            self.dispatch(match browser::with_session(call).await {
                Ok(started) => Event::Started(started),
                Err(error) => Event::RequestFailed(error.code),
            });
        });
    }
}
