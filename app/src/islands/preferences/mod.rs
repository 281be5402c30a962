//! The preference form. It works as a plain form; the island reports what becomes of a choice, stores what couldn't be
//! saved on the device, and what wasn't sent yet in the tab. The boxes are rendered by the server alone; this module is
//! the view around them, and carries out the commands of [`state`].

mod boxes;
mod draft_store;
mod state;

use std::time::Duration;

use leptos::ev::{self, SubmitEvent};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

pub(crate) use self::boxes::BOXES_ID;
#[cfg(feature = "ssr")]
pub(crate) use self::boxes::{TEXTS_NAME, box_id};
use self::draft_store::DraftStore;
use self::state::{Command, EarlierChoice, Event, Record, State, Status, Submission};
use super::browser;
use super::http::{Call, Method};
use crate::components::{Check, LiveText};
use crate::server_fns::{ReadPreferences, SavePreferences};
use crate::texts;

/// Pause before a stored choice is sent again.
const RETRY_DELAY: Duration = Duration::from_secs(20);

/// The form around the boxes.
#[island]
pub(crate) fn PreferenceForm(children: Children) -> impl IntoView {
    let state = State { saved: Record::default(), ticked: Vec::new(), status: Status::Unchanged, earlier: None };
    let form = FormController { state: RwSignal::new(state), is_hydrated: RwSignal::new(false) };
    let state = form.state;
    Effect::new(move |_| form.start());
    let tick = move |event: web_sys::Event| {
        if let Some(choice) = boxes::ticked(&event) {
            form.dispatch(Event::Ticked(choice));
        }
    };

    view! {
        <form
            method="post"
            action=SavePreferences::url()
            autocomplete="off"
            on:change=tick
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                form.dispatch(Event::Submitted);
            }
        >
            {children()}
            <EarlierChoiceNote form/>
            <div class="card-foot" data-unsaved=move || state.with(|state| has_unsaved(&state.status)).then_some("true")>
                <StatusLine form/>
                <div class="card-actions">
                    // Needs script, and is displayed where script runs.
                    <button
                        type="button"
                        class="button button-quiet"
                        hidden=move || !form.is_hydrated.get()
                        on:click=move |_| form.dispatch(Event::AllTurnedOff)
                    >
                        {texts::TURN_ALL_OFF}
                    </button>
                    // Not `disabled`: that would take the focus from a button that was just pressed.
                    <button
                        class="button"
                        aria-disabled=move || state.with(|state| matches!(state.status, Status::Saving(_))).then_some("true")
                    >
                        {texts::SAVE}
                    </button>
                </div>
            </div>
        </form>
    }
}

const fn has_unsaved(status: &Status) -> bool {
    !matches!(status, Status::Unchanged | Status::Saved | Status::NoChanges)
}

/// What became of the choice. Screen readers announce each change.
#[component]
fn StatusLine(form: FormController) -> impl IntoView {
    let state = form.state;
    let first = browser::first_text();
    let tone = browser::first_tone();
    view! {
        <p
            class="state"
            role="status"
            data-state=move || state.with(|state| match state.status {
                Status::Saved => "success",
                Status::Stored(_) | Status::Restored => "warning",
                Status::NotSaved(_) => "error",
                Status::Unchanged => tone,
                Status::NoChanges | Status::Edited | Status::Saving(_) => "rest",
            })
        >
            <span class="state-icon" hidden=move || state.with(|state| state.status != Status::Saved)><Check/></span>
            <LiveText first text=move || state.with(status_text)/>
        </p>
        <a class="link" href="/" hidden=move || !state.with(|state| needs_sign_in(&state.status))>
            {texts::SIGN_IN_AGAIN}
        </a>
    }
}

fn status_text(state: &State) -> String {
    match &state.status {
        Status::Unchanged if state.earlier.is_some() => texts::NOT_SAVED_YET.to_owned(),
        Status::Unchanged if state.saved.changed.is_empty() => texts::NOT_CHOSEN.to_owned(),
        Status::Unchanged => texts::last_changed(browser::local_time(&state.saved.changed)),
        Status::Edited => texts::UNSAVED.to_owned(),
        Status::Saving(_) => texts::SAVING.to_owned(),
        Status::Saved => texts::SAVED.to_owned(),
        Status::NoChanges => texts::NO_CHANGES.to_owned(),
        Status::Stored(ErrorCode::NotSignedIn) | Status::NotSaved(ErrorCode::NotSignedIn) => {
            texts::SAVE_SIGNED_OUT.to_owned()
        }
        Status::Stored(ErrorCode::Unreachable) => texts::SAVE_OFFLINE.to_owned(),
        Status::Stored(code) => texts::not_saved_but_stored(code.message()),
        Status::NotSaved(code) => texts::not_saved(code.message()),
        Status::Restored => texts::RESTORED.to_owned(),
    }
}

const fn needs_sign_in(status: &Status) -> bool {
    matches!(status, Status::Stored(ErrorCode::NotSignedIn) | Status::NotSaved(ErrorCode::NotSignedIn))
}

/// Asks what to do with a choice that an earlier visit couldn't save.
#[component]
fn EarlierChoiceNote(form: FormController) -> impl IntoView {
    // The question goes away with the button that answers it, so the focus goes to the boxes.
    let decide = move |event: Event| {
        form.dispatch(event);
        form.focus_first_box();
    };
    view! {
        <div
            class="note note-warning"
            role="group"
            aria-label=texts::EARLIER_CHOICE
            hidden=move || form.state.with(|state| state.earlier.is_none())
        >
            <p><LiveText text=move || form.state.with(describe_earlier)/></p>
            <div class="flex flex-wrap gap-3 mt-3">
                <button type="button" class="button button-quiet" on:click=move |_| decide(Event::EarlierApplied)>
                    {texts::USE_EARLIER_CHOICE}
                </button>
                <button type="button" class="button button-quiet" on:click=move |_| decide(Event::EarlierDiscarded)>
                    {texts::KEEP_CURRENT}
                </button>
            </div>
        </div>
    }
}

fn describe_earlier(state: &State) -> String {
    let Some(EarlierChoice { stored, is_outdated }) = &state.earlier else { return String::new() };
    let choices = state.pending(stored).into_iter().map(|choice| {
        let title = boxes::title(&choice.purpose);
        if choice.granted { texts::choice_on(title) } else { texts::choice_off(title) }
    });
    let choices = choices.collect::<Vec<_>>().join(", ");
    if *is_outdated { texts::earlier_choice_changed(choices) } else { texts::earlier_choice(choices) }
}

/// Feeds events to the state and carries out its commands.
#[derive(Clone, Copy)]
struct FormController {
    state: RwSignal<State>,
    is_hydrated: RwSignal<bool>,
}

impl FormController {
    fn start(self) {
        self.is_hydrated.set(true);
        self.state.set(boxes::first_state());
        let online = window_event_listener(ev::online, move |_| self.retry());
        let focus = window_event_listener(ev::focus, move |_| self.refresh());
        on_cleanup(move || {
            online.remove();
            focus.remove();
        });
        let user = user_handle();
        self.dispatch(Event::Opened { failed: DraftStore::Failed.read(&user), unsent: DraftStore::Unsent.read(&user) });
    }

    fn dispatch(self, event: Event) {
        let commands = self.state.try_update(|state| state.reduce(event)).unwrap_or_default();
        self.state.with_untracked(boxes::display);
        for command in commands {
            self.run(command);
        }
    }

    fn run(self, command: Command) {
        let user = user_handle();
        match command {
            Command::Save(submission) => self.save(&submission),
            Command::StoreFailed(choices) => {
                let stored = DraftStore::Failed.write(&user, &choices);
                self.dispatch(Event::StoreFinished { stored });
            }
            Command::StoreUnsent(choices) => {
                DraftStore::Unsent.write(&user, &choices);
            }
            Command::RemoveUnsent => DraftStore::Unsent.remove(&user),
            Command::RemoveStored => {
                DraftStore::Failed.remove(&user);
                DraftStore::Unsent.remove(&user);
            }
            Command::ScheduleRetry => set_timeout(move || self.retry(), RETRY_DELAY),
            Command::Reload => browser::reload(),
        }
    }

    fn retry(self) {
        self.dispatch(Event::RetryDue(DraftStore::Failed.read(&user_handle())));
    }

    /// Reads the server's state again, which another tab or application may have changed. Doesn't renew a session that is
    /// over: the user has asked for nothing.
    fn refresh(self) {
        let call = Call::new(Method::Get, ReadPreferences::PATH, &[("person", &user_handle())]);
        spawn_local(async move {
            self.dispatch(match call.send_once().await {
                Ok(reply) => Event::Refreshed(boxes::record(&reply)),
                Err(error) => Event::RefreshFailed(error.code),
            });
        });
    }

    fn focus_first_box(self) {
        if let Some(choice) = self.state.with_untracked(|state| state.ticked.first().cloned()) {
            browser::focus(&boxes::box_id(&choice.purpose));
        }
    }

    fn save(self, submission: &Submission) {
        let user = user_handle();
        let mut fields = vec![("person", user.as_str())];
        fields.extend(submission.granted.iter().map(|key| ("granted[]", key.as_str())));
        fields.extend(submission.previously_granted.iter().map(|key| ("shown[]", key.as_str())));
        let texts = boxes::texts();
        fields.extend(texts.iter().map(|text| (boxes::TEXTS_NAME, text.as_str())));
        fields.extend(submission.base.iter().map(|base| ("base", base.as_str())));
        let call = Call::new(Method::Post, SavePreferences::PATH, &fields);
        spawn_local(async move {
            self.dispatch(match call.send().await {
                Ok(reply) => {
                    browser::announce_activity();
                    Event::SaveSucceeded(boxes::record(&reply))
                }
                Err(error) => Event::SaveFailed(error.code),
            });
        });
    }
}

/// The user for whom the page was rendered.
fn user_handle() -> String {
    browser::attribute(BOXES_ID, "data-person")
}
