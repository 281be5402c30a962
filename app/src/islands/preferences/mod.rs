//! The preference form. It works as a plain form; the island reports what becomes of a choice, stores what couldn't be
//! saved on the device, and what wasn't sent yet in the tab. This module is the view, and carries out the commands of
//! [`state`].

mod draft_store;
mod state;

use std::time::Duration;

use leptos::ev::{self, SubmitEvent};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;
use web_sys::HtmlInputElement;
use web_sys::wasm_bindgen::JsCast;

use self::draft_store::DraftStore;
use self::state::{Choice, Command, Event, State, Status, Submission};
use super::browser;
use crate::components::Check;
use crate::dto::{Preferences, PurposeChoice, UserHandle};
use crate::server_fns::{SavePreferences, save_preferences};

/// Pause before a stored choice is sent again.
const RETRY_DELAY: Duration = Duration::from_secs(20);

/// The form.
#[island]
#[expect(clippy::needless_pass_by_value, reason = "the properties of an island are owned")]
pub(crate) fn PreferenceForm(
    /// The consent state that the server has.
    record: Preferences,
    /// The user for whom the page was rendered.
    user_handle: UserHandle,
    /// Whether a form sent without script was saved just now.
    saved: bool,
    /// Why a form sent without script was not saved.
    unsaved: Option<ErrorCode>,
    /// The purposes that were ticked in a form sent after the session had ended.
    draft: Option<Vec<String>>,
) -> impl IntoView {
    let status = match unsaved {
        _ if draft.is_some() => Status::Restored,
        Some(code) => Status::NotSaved(code),
        None if saved => Status::Saved,
        None => Status::Unchanged,
    };
    let purposes = record.purposes.clone();
    let ticked: Vec<Choice> = purposes.iter().map(|purpose| initial_choice(purpose, draft.as_deref())).collect();
    let form_owner = user_handle.as_str().to_owned();
    let form = FormController {
        state: RwSignal::new(State { saved: record, ticked, status }),
        user_handle: StoredValue::new(user_handle),
    };
    Effect::new(move |_| form.start());

    view! {
        <form
            method="post"
            action=SavePreferences::url()
            autocomplete="off"
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                form.dispatch(Event::Submitted);
            }
        >
            <input type="hidden" name="person" value=form_owner/>
            <fieldset class="choices">
                <legend class="sr-only">"What we may use your data for"</legend>
                {purposes.into_iter().map(|purpose| view! { <PurposeBox purpose form/> }).collect_view()}
            </fieldset>
            <Show when=move || form.state.with(|state| matches!(state.status, Status::Conflict(_)))>
                <ConflictNote form/>
            </Show>
            <div class="card-foot">
                <StatusLine form/>
                // Not `disabled`: that would take the focus from a button that was just pressed.
                <button
                    class="button"
                    aria-disabled=move || {
                        form.state.with(|state| matches!(state.status, Status::Saving(_))).then_some("true")
                    }
                >
                    "Save preferences"
                </button>
            </div>
        </form>
    }
}

/// The choice that a box shows at first. In the browser that is what the box shows already: the user may have ticked it
/// before this script arrived.
fn initial_choice(purpose: &PurposeChoice, draft: Option<&[String]>) -> Choice {
    let rendered = match draft {
        Some(draft) => draft.contains(&purpose.key) && !purpose.locked,
        None => purpose.granted && !purpose.locked,
    };
    let granted = if cfg!(feature = "hydrate") { is_checked(&purpose.key).unwrap_or(rendered) } else { rendered };
    Choice { purpose: purpose.key.clone(), granted }
}

fn is_checked(purpose: &str) -> Option<bool> {
    let input: HtmlInputElement = document().get_element_by_id(&box_id(purpose))?.dyn_into().ok()?;
    Some(input.checked())
}

fn box_id(purpose: &str) -> String {
    format!("purpose-{purpose}")
}

/// One purpose: its box, its text, the current choice. The hidden field tells the server, if it receives a plain form,
/// that the purpose was granted when the form was rendered.
#[component]
fn PurposeBox(purpose: PurposeChoice, form: FormController) -> impl IntoView {
    let PurposeChoice { key, title, text, granted, locked, .. } = purpose;
    let id = box_id(&key);
    let text_id = format!("{id}-text");
    let is_ticked = {
        let key = key.clone();
        move || form.state.with(|state| state.is_ticked(&key))
    };
    let checked = untrack(&is_ticked);
    let tick = {
        let purpose = key.clone();
        move |event: web_sys::Event| {
            form.dispatch(Event::Ticked(Choice { purpose: purpose.clone(), granted: event_target_checked(&event) }));
        }
    };
    let status = {
        let key = key.clone();
        move || {
            form.state.with(|state| state.saved.purposes.iter().find(|it| it.key == key).map(|it| it.status.clone()))
        }
    };
    view! {
        <div class="choice">
            <input
                type="checkbox"
                id=id.clone()
                name="granted[]"
                value=key.clone()
                checked=checked
                prop:checked=is_ticked
                disabled=locked
                aria-describedby=text_id.clone()
                on:change=tick
            />
            <label for=id>{title}</label>
            <p id=text_id>{text}</p>
            <span class="tag">{status}</span>
            {granted.then(|| view! { <input type="hidden" name="shown[]" value=key/> })}
        </div>
    }
}

/// What became of the choice. Screen readers announce each change.
#[component]
fn StatusLine(form: FormController) -> impl IntoView {
    let state = form.state;
    view! {
        <p
            class="state"
            role="status"
            data-state=move || state.with(|state| match state.status {
                Status::Saved => "good",
                Status::Stored(_) | Status::Conflict(_) | Status::Restored => "kept",
                Status::NotSaved(_) => "bad",
                Status::Unchanged | Status::Edited | Status::Saving(_) => "rest",
            })
        >
            <Show when=move || state.with(|state| state.status == Status::Saved)>
                <Check/>
            </Show>
            <span>
                {move || state.with(status_text)}
                <Show when=move || state.with(|state| needs_sign_in(&state.status))>
                    " " <a class="link" href="/">"Sign in again"</a>
                </Show>
            </span>
        </p>
    }
}

fn status_text(state: &State) -> String {
    match &state.status {
        Status::Unchanged => match &state.saved.changed {
            Some(at) => format!("Last changed {at}"),
            None => "You have not chosen yet".to_owned(),
        },
        Status::Edited => "Changed, not saved yet".to_owned(),
        Status::Saving(_) => "Saving…".to_owned(),
        Status::Saved => "Saved".to_owned(),
        Status::Stored(code) => format!("Couldn't save, kept on this device. {}", code.message()),
        Status::NotSaved(code) => format!("Couldn't save. {}", code.message()),
        Status::Conflict(_) => "Not yet saved, kept on this device".to_owned(),
        Status::Restored => "Not saved: your session had ended. Your choice is filled in again.".to_owned(),
    }
}

const fn needs_sign_in(status: &Status) -> bool {
    matches!(status, Status::Stored(ErrorCode::NotSignedIn) | Status::NotSaved(ErrorCode::NotSignedIn))
}

/// Asks what to do with a stored choice if the server's state is newer.
#[component]
fn ConflictNote(form: FormController) -> impl IntoView {
    view! {
        <div class="note note-kept" role="group" aria-label="A choice kept on this device">
            <p>
                "On this device you chose: " <strong>{move || form.state.with(describe_conflict)}</strong>
                ". Your preferences were changed elsewhere since then. The form shows what holds now."
            </p>
            <div class="flex flex-wrap gap-3 mt-3">
                <button type="button" class="button button-quiet" on:click=move |_| form.dispatch(Event::ConflictApplied)>
                    "Save the choice from this device"
                </button>
                <button type="button" class="button button-quiet" on:click=move |_| form.dispatch(Event::ConflictDiscarded)>
                    "Forget it"
                </button>
            </div>
        </div>
    }
}

/// The stored choice in words, e.g. `Analytics on`.
fn describe_conflict(state: &State) -> String {
    let Status::Conflict(stored) = &state.status else { return String::new() };
    let choices = state.pending(stored).into_iter().map(|choice| {
        let title = state.saved.purposes.iter().find(|it| it.key == choice.purpose).map_or("", |it| &it.title);
        format!("{title} {}", if choice.granted { "on" } else { "off" })
    });
    choices.collect::<Vec<_>>().join(", ")
}

/// Feeds events to the state and carries out its commands.
#[derive(Clone, Copy)]
struct FormController {
    state: RwSignal<State>,
    user_handle: StoredValue<UserHandle>,
}

impl FormController {
    fn start(self) {
        let online = window_event_listener(ev::online, move |_| self.retry());
        on_cleanup(move || online.remove());
        let (failed, unsent) =
            self.user_handle.with_value(|user| (DraftStore::Failed.read(user), DraftStore::Unsent.read(user)));
        self.dispatch(Event::Opened { failed, unsent });
    }

    fn dispatch(self, event: Event) {
        let commands = self.state.try_update(|state| state.reduce(event)).unwrap_or_default();
        for command in commands {
            self.run(command);
        }
    }

    fn run(self, command: Command) {
        match command {
            Command::Save(submission) => self.save(submission),
            Command::StoreFailed(choices) => {
                let stored = self.user_handle.with_value(|user| DraftStore::Failed.write(user, &choices));
                self.dispatch(Event::StoreFinished { stored });
            }
            Command::StoreUnsent(choices) => {
                self.user_handle.with_value(|user| DraftStore::Unsent.write(user, &choices));
            }
            Command::RemoveUnsent => self.user_handle.with_value(|user| DraftStore::Unsent.remove(user)),
            Command::RemoveStored => self.user_handle.with_value(|user| {
                DraftStore::Failed.remove(user);
                DraftStore::Unsent.remove(user);
            }),
            Command::ScheduleRetry => set_timeout(move || self.retry(), RETRY_DELAY),
            Command::Reload => browser::reload(),
        }
    }

    fn retry(self) {
        self.dispatch(Event::RetryDue(self.user_handle.with_value(|user| DraftStore::Failed.read(user))));
    }

    fn save(self, submission: Submission) {
        let user_handle = self.user_handle.get_value();
        spawn_local(async move {
            let call = || {
                let Submission { granted, previously_granted, base } = submission.clone();
                save_preferences(granted, previously_granted, base, user_handle.clone())
            };
            self.dispatch(match browser::with_session(call).await {
                Ok(saved) => Event::SaveSucceeded(saved),
                Err(error) => Event::SaveFailed(error.code),
            });
        });
    }
}
