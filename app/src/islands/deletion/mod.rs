//! The dialog that shows what a deletion would do and asks for a typed confirmation. Its button is a link to the page
//! with the same table and the same form. This module is the view, and carries out the commands of [`state`].

mod state;

use std::time::Duration;

use leptos::ev::{MouseEvent, SubmitEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

use self::state::{Command, Event, Found, Obstacle, Phase, Preview, State};
use super::browser;
use super::held_data::Skeleton;
use super::http::{Call, Method, Reply};
use crate::components::{LiveText, WithPhrase, quoted_phrase};
use crate::error::PublicError;
use crate::server_fns::{GiveUpDeletion, PreviewDeletion, RequestDeletion};
use crate::texts;

/// Pause before the server is asked whether a deletion has started.
const CHECK_DELAY: Duration = Duration::from_millis(1500);
/// The section around the island, which says whose account it is about.
const SECTION_ID: &str = "deletion";
const TITLE_ID: &str = "deletion-title";
const FIELD_ID: &str = "deletion-confirmation";

/// The button and the dialog.
#[island]
pub(crate) fn DeletionDialog() -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    let opener = NodeRef::<html::A>::new();
    let controller = DialogController { state: RwSignal::new(State::new()) };
    let state = controller.state;
    let is_busy = move || state.with(State::is_busy);

    // Returns whether the browser could open it.
    let show = move || dialog.get_untracked().is_some_and(|dialog| dialog.show_modal().is_ok());
    let open = move || {
        let is_open = show();
        if is_open {
            controller.dispatch(Event::Opened);
        }
        is_open
    };
    // The user returns to the dialog after verifying who they are.
    Effect::new(move |_| {
        if !browser::attribute(SECTION_ID, "data-reopened").is_empty() {
            open();
        }
    });
    let close = move |_| {
        if let Some(dialog) = dialog.get_untracked() {
            dialog.close();
        }
    };
    let after_close = move |_| {
        if untrack(is_busy) {
            // Browsers close a dialog at the second press of Escape, whatever the page wants.
            show();
        } else if let Some(opener) = opener.get_untracked() {
            // The link is part of the page, so it takes the focus.
            let _ = opener.focus();
        }
    };
    let keep_open = move |event: web_sys::Event| {
        if untrack(is_busy) {
            event.prevent_default();
        }
    };

    // Neither Escape nor a phone's back gesture closes it then.
    Effect::new(move |_| {
        if let Some(dialog) = dialog.get() {
            let _ = dialog.set_attribute("closedby", if is_busy() { "none" } else { "closerequest" });
        }
    });

    view! {
        <a class="button button-stop" href="/delete" aria-haspopup="dialog" node_ref=opener on:click=move |event: MouseEvent| {
            if open() {
                event.prevent_default();
            }
        }>
            {texts::DELETE_OPEN}
        </a>
        <dialog
            node_ref=dialog
            aria-labelledby=TITLE_ID
            on:cancel=keep_open
            on:close=after_close
        >
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
                    <h2 id=TITLE_ID tabindex="-1" autofocus=true>{texts::DELETE_QUESTION}</h2>
                    <Plan state/>
                    <Confirmation controller/>
                </div>
                <div class="dialog-foot">
                    <button type="button" class="button button-quiet" hidden=is_busy on:click=close>
                        <LiveText text=move || {
                            if state.with(State::is_unknown) { texts::CLOSE } else { texts::CANCEL }.to_owned()
                        }/>
                    </button>
                    // The page has the form for it.
                    <button class="button" form="confirm-identity" hidden=move || !state.with(asks_to_sign_in)>
                        {texts::SIGN_IN_AGAIN}
                    </button>
                    // The first page says whether a deletion is under way.
                    <a class="button" href="/" hidden=move || !state.with(State::is_signed_out)>{texts::SIGN_IN_AGAIN}</a>
                    <SubmitButton state/>
                </div>
            </form>
        </dialog>
    }
}

fn asks_to_sign_in(state: &State) -> bool {
    matches!(&state.phase, Phase::Ready(preview, _) if preview.refused == Some(ErrorCode::ReverificationNeeded))
}

/// The button that deletes. It is never `disabled`, which would take the focus from whoever just pressed it.
#[component]
fn SubmitButton(state: RwSignal<State>) -> impl IntoView {
    let is_idle = move || state.with(|state| state.has_failed() || matches!(state.phase, Phase::Ready(..)));
    view! {
        <button
            class=move || if state.with(State::has_failed) { "button" } else { "button button-destroy" }
            aria-disabled=move || (!is_idle()).then_some("true")
            hidden=move || state.with(|state| state.is_refused() || state.is_unknown())
        >
            <LiveText text=move || state.with(button_text).to_owned()/>
        </button>
    }
}

const fn button_text(state: &State) -> &'static str {
    match state.phase {
        Phase::Failed(_) => texts::TRY_AGAIN,
        Phase::Submitting(_) | Phase::Checking { .. } => texts::DELETING,
        Phase::Loading(_) | Phase::Ready(..) => texts::DELETE,
    }
}

/// The plan, or what stands in its place.
#[component]
fn Plan(state: RwSignal<State>) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let table = Memo::new(move |_| state.with(|state| state.preview().map(|preview| preview.table.clone())));
    Effect::new(move |_| {
        if let Some(frame) = frame.get() {
            browser::set_markup(&frame, &table.get().unwrap_or_default());
        }
    });
    // Whatever had the focus may be gone.
    let phase = Memo::new(move |_| state.with(|state| state.phase.clone()));
    Effect::new(move |_| {
        // Not `track`, which doesn't compute a memo, so that nothing would be tracked.
        phase.with(|_| ());
        browser::focus_if_lost(TITLE_ID);
    });
    let is_waiting = move || state.with(State::is_waiting);
    let receipt = move || state.with(|state| state.preview().map(|preview| ["/receipt/", &preview.receipt].concat()));
    view! {
        <p class="lead" role="status">
            <span class="spinner" aria-hidden="true" hidden=move || !is_waiting()></span>
            <LiveText text=move || state.with(lead)/>
        </p>
        <p class="mt-3" hidden=move || !state.with(State::is_unknown)>
            <a class="link" href=receipt target="_blank">{texts::RECEIPT_LINK}</a>
        </p>
        // What is to be known about the plan stands above it, an error of the button beside the button.
        <Notice state is_above=true/>
        <Skeleton hidden=move || state.with(|state| !matches!(state.phase, Phase::Loading(_)))/>
        <div class="plan-frame" node_ref=frame></div>
        <Notice state is_above=false/>
    }
}

fn lead(state: &State) -> String {
    match &state.phase {
        Phase::Loading(_) => texts::PLAN_LOADING.to_owned(),
        Phase::Ready(preview, _) if preview.is_unlisted() => texts::PLAN_UNLISTED.to_owned(),
        Phase::Ready(preview, _) => {
            let lead = texts::plan_lead(&browser::attribute(SECTION_ID, "data-account"));
            if preview.is_obstructed { [lead.as_str(), texts::PLAN_OBSTRUCTED].join(" ") } else { lead }
        }
        Phase::Submitting(_) => texts::DELETING.to_owned(),
        Phase::Checking { obstacle: Some(Obstacle::Unreachable), .. } => texts::UNKNOWN.to_owned(),
        Phase::Checking { obstacle: Some(Obstacle::SignedOut), .. } => texts::UNKNOWN_SIGNED_OUT.to_owned(),
        Phase::Checking { obstacle: None, .. } => texts::CHECKING.to_owned(),
        Phase::Failed(_) => texts::PLAN_FAILED.to_owned(),
    }
}

/// The message of an error, and the step that helps.
#[component]
fn Notice(state: RwSignal<State>, is_above: bool) -> impl IntoView {
    let error = Memo::new(move |_| {
        let is_here =
            |state: &State, error: &PublicError| is_above == (state.has_failed() || concerns_plan(error.code));
        state.with(|state| state.error().filter(|error| is_here(state, error)).cloned())
    });
    let class = move || match error.get() {
        // A step that helps is no failure, and doesn't look like one.
        Some(error) if error.code == ErrorCode::ReverificationNeeded => "note note-action",
        _ => "note note-error",
    };
    let has_incident = move || error.with(|error| error.as_ref().is_some_and(|error| !error.incident.is_empty()));
    view! {
        <div class=class role="alert" hidden=move || error.with(Option::is_none)>
            <p><LiveText text=move || error.with(|error| error.as_ref().map(message).unwrap_or_default())/></p>
            <p class="text-soft" hidden=move || !has_incident()>
                <LiveText text=move || {
                    error.with(|error| error.as_ref().map(|error| texts::reference(&error.incident)).unwrap_or_default())
                }/>
            </p>
            // In a new tab, so that what was typed stays.
            <a
                class="button button-quiet mt-3"
                href="/"
                target="_blank"
                hidden=move || error.with(|error| error.as_ref().is_none_or(|error| error.code != ErrorCode::NotSignedIn))
            >
                {texts::SIGN_IN_AGAIN_NEW_TAB}
            </a>
        </div>
    }
}

fn message(error: &PublicError) -> String {
    let text = error.code.message();
    if concerns_plan(error.code) { text.to_owned() } else { [text, texts::NOTHING_DELETED].join(" ") }
}

const fn concerns_plan(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::PlanChanged) || state::needs_verification(code)
}

/// The field for the words that confirm.
#[component]
fn Confirmation(controller: DialogController) -> impl IntoView {
    let state = controller.state;
    let inactive = move || state.with(|state| !matches!(state.phase, Phase::Ready(..)));
    let hidden = move || state.with(|state| state.is_refused() || state.has_failed() || state.is_unknown());
    let has_mismatch = move || state.with(|state| state.has_mismatch);
    view! {
        <div hidden=hidden>
            <label class="confirm" for=FIELD_ID><WithPhrase sentence=texts::type_to_confirm(quoted_phrase())/></label>
            <input
                id=FIELD_ID
                class="field"
                type="text"
                name="confirmation"
                autocomplete="off"
                autocapitalize="none"
                spellcheck="false"
                readonly=inactive
                aria-invalid=move || has_mismatch().then_some("true")
                aria-describedby="deletion-hint"
                prop:value=move || state.with(|state| state.typed.clone())
                on:input=move |event| controller.dispatch(Event::Typed(event_target_value(&event)))
            />
            <p id="deletion-hint" class="field-hint" role="status" data-invalid=move || has_mismatch().then_some("true")>
                <span hidden=has_mismatch>{texts::CANT_BE_UNDONE}</span>
                <span hidden=move || !has_mismatch()>
                    <WithPhrase sentence=ErrorCode::ConfirmationMissing.message().to_owned()/>
                </span>
            </p>
        </div>
    }
}

/// Feeds events to the state and carries out its commands.
#[derive(Clone, Copy)]
struct DialogController {
    state: RwSignal<State>,
}

impl DialogController {
    fn dispatch(self, event: Event) {
        match self.state.try_update(|state| state.reduce(event)).flatten() {
            Some(Command::LoadPlan) => self.load_plan(),
            Some(Command::RequestDeletion { preview, confirmation }) => self.request(&preview, &confirmation),
            Some(Command::Check(receipt)) => self.check(receipt),
            Some(Command::FocusField) => browser::focus(FIELD_ID),
            Some(Command::Navigate(path)) => browser::navigate(&path),
            Some(Command::Reload) => browser::reload(),
            None => {}
        }
    }

    fn send(self, call: Call, event: fn(Result<Reply, PublicError>) -> Event) {
        spawn_local(async move { self.dispatch(event(call.send().await)) });
    }

    fn load_plan(self) {
        let person = browser::attribute(SECTION_ID, "data-person");
        let call = Call::new(Method::Get, PreviewDeletion::PATH, &[("person", &person)]);
        self.send(call, |result| match result {
            Ok(reply) => Event::PlanLoaded(preview(&reply)),
            Err(error) => Event::LoadFailed(error),
        });
    }

    fn request(self, preview: &Preview, confirmation: &str) {
        let person = browser::attribute(SECTION_ID, "data-person");
        let fields = [
            ("plan", preview.plan.as_str()),
            ("attempt", &preview.idempotency_key),
            ("confirmation", confirmation),
            ("person", &person),
        ];
        self.send(Call::new(Method::Post, RequestDeletion::PATH, &fields), |result| match result {
            Ok(reply) => Event::Started(reply.text("receipt")),
            Err(error) => Event::RequestFailed(error),
        });
    }

    fn check(self, idempotency_key: String) {
        let look = move || {
            spawn_local(async move {
                let person = browser::attribute(SECTION_ID, "data-person");
                let fields = [("attempt", idempotency_key.as_str()), ("person", &person)];
                let given_up = Call::new(Method::Post, GiveUpDeletion::PATH, &fields).send().await;
                self.dispatch(Event::Checked(match given_up {
                    Ok(reply) => {
                        Found::Nothing { idempotency_key: reply.text("attempt"), receipt: reply.text("receipt") }
                    }
                    Err(PublicError { code: ErrorCode::AccountDeleted, .. }) => Found::Started,
                    // The session couldn't be renewed either.
                    Err(PublicError { code: ErrorCode::NotSignedIn | ErrorCode::OtherUser, .. }) => {
                        Found::Unknown(Obstacle::SignedOut)
                    }
                    Err(_) => Found::Unknown(Obstacle::Unreachable),
                }));
            });
        };
        set_timeout(look, CHECK_DELAY);
    }
}

fn preview(reply: &Reply) -> Preview {
    let refused = reply.text("refused");
    Preview {
        plan: reply.text("plan"),
        idempotency_key: reply.text("attempt"),
        receipt: reply.text("receipt"),
        table: reply.text("table"),
        is_obstructed: reply.is("is_obstructed"),
        refused: (!refused.is_empty()).then(|| ErrorCode::parse(&refused)),
    }
}
