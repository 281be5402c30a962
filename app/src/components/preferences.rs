//! The form with a person's choices. It works as a plain form; in the browser it says what became
//! of a choice, keeps on the device what could not be saved, and in the tab what was not sent yet.

use std::time::Duration;

use leptos::ev::{self, SubmitEvent};
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use web_sys::HtmlInputElement;
use web_sys::wasm_bindgen::JsCast;

use super::browser;
use super::draft_store::{DraftStore, StoredChoices};
use super::icon::Check;
use crate::api::{ErrorCode, Preferences, PublicError, PurposeChoice, SavePreferences, save_preferences};

/// After this, a choice that is kept on the device is sent again.
const RETRY_DELAY: Duration = Duration::from_secs(20);

/// What the line beside the button says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The form shows what the server has.
    Unchanged,
    /// The form shows something else.
    Edited,
    /// On its way.
    Saving,
    /// Committed.
    Saved,
    /// Not committed, and kept here.
    Stored(ErrorCode),
    /// Neither committed nor kept.
    NotSaved(ErrorCode),
    /// Kept here since an earlier visit.
    PendingRetry,
    /// Kept here, and the server's record is newer.
    Conflict,
    /// Sent without script when the session was over, and filled in again.
    Restored,
}

/// The preference form.
#[island]
pub(crate) fn PreferenceForm(
    /// The record as the server has it.
    record: Preferences,
    /// The mark of the person, which also names their place in the browser's storage.
    user_handle: String,
    /// Whether a form sent without script was saved just now.
    saved: bool,
    /// Why a form sent without script was not saved.
    unsaved: Option<ErrorCode>,
    /// The purposes that were on in a form that came when the session was over.
    draft: Option<Vec<String>>,
) -> impl IntoView {
    let first = match unsaved {
        _ if draft.is_some() => State::Restored,
        Some(code) => State::NotSaved(code),
        None if saved => State::Saved,
        None => State::Unchanged,
    };
    let on = |record: &Preferences| record.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone()).collect();
    let granted: Vec<String> = draft.unwrap_or_else(|| on(&record));
    let ticked = |purpose: &PurposeChoice| granted.contains(&purpose.key) && !purpose.locked;
    let purposes: Vec<_> = record.purposes.iter().map(|purpose| (purpose.clone(), ticked(purpose))).collect();
    let form_owner = user_handle.clone();
    let controller = FormController {
        record: RwSignal::new(record),
        state: RwSignal::new(first),
        user_handle: StoredValue::new(user_handle),
    };
    Effect::new(move |_| controller.restore());

    view! {
        <form
            method="post"
            action=SavePreferences::url()
            autocomplete="off"
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                if controller.state.get_untracked() != State::Saving {
                    controller.save(None);
                }
            }
            on:change=move |_| controller.on_change()
        >
            <input type="hidden" name="person" value=form_owner/>
            <fieldset class="choices">
                <legend class="sr-only">"What we may use your data for"</legend>
                {purposes
                    .into_iter()
                    .enumerate()
                    .map(|(index, (purpose, ticked))| view! { <PurposeBox purpose ticked index record=controller.record/> })
                    .collect_view()}
            </fieldset>
            <Show when=move || controller.state.get() == State::Conflict>
                <ConflictNote controller/>
            </Show>
            <div class="card-foot">
                <StateLine controller/>
                // Not `disabled`: that would take the focus away from who just pressed it.
                <button
                    class="button"
                    aria-disabled=move || (controller.state.get() == State::Saving).then_some("true")
                >
                    "Save preferences"
                </button>
            </div>
        </form>
    }
}

/// One purpose: box, words, standing. The box is the browser's own; the hidden field tells a
/// server that hears of it by a plain form what was shown.
#[component]
fn PurposeBox(purpose: PurposeChoice, ticked: bool, index: usize, record: RwSignal<Preferences>) -> impl IntoView {
    let id = box_id(&purpose.key);
    let text_id = format!("{id}-text");
    let status = move || record.with(|record| record.purposes.get(index).map(|it| it.status.clone()));
    view! {
        <div class="choice">
            <input
                type="checkbox"
                id=id.clone()
                name="granted[]"
                value=purpose.key.clone()
                checked=ticked
                disabled=purpose.locked
                aria-describedby=text_id.clone()
            />
            <label for=id>{purpose.title}</label>
            <p id=text_id>{purpose.text}</p>
            <span class="tag">{status}</span>
            {purpose.granted.then(|| view! { <input type="hidden" name="shown[]" value=purpose.key/> })}
        </div>
    }
}

/// What became of the choice, announced as it changes.
#[component]
fn StateLine(controller: FormController) -> impl IntoView {
    let state = controller.state;
    let text = move || match state.get() {
        State::Unchanged => controller.record.with(|record| match &record.changed {
            Some(at) => format!("Last changed {at}"),
            None => "You have not chosen yet".to_owned(),
        }),
        State::Edited => "Changed, not saved yet".to_owned(),
        State::Saving => "Saving…".to_owned(),
        State::Saved => "Saved".to_owned(),
        State::Stored(code) => format!("Couldn't save, kept on this device. {}", code.message()),
        State::NotSaved(code) => format!("Couldn't save. {}", code.message()),
        State::PendingRetry | State::Conflict => "Not yet saved, kept on this device".to_owned(),
        State::Restored => "Not saved: your session had ended. Your choice is filled in again.".to_owned(),
    };
    view! {
        <p
            class="state"
            role="status"
            data-state=move || match state.get() {
                State::Saved => "good",
                State::Stored(_) | State::PendingRetry | State::Conflict | State::Restored => "kept",
                State::NotSaved(_) => "bad",
                _ => "rest",
            }
        >
            <Show when=move || state.get() == State::Saved>
                <Check/>
            </Show>
            <span>
                {text}
                <Show when=move || matches!(state.get(), State::Stored(ErrorCode::NotSignedIn) | State::NotSaved(ErrorCode::NotSignedIn))>
                    " " <a class="link" href="/">"Sign in again"</a>
                </Show>
            </span>
        </p>
    }
}

/// Asks what to do with a kept choice that a newer one has overtaken.
#[component]
fn ConflictNote(controller: FormController) -> impl IntoView {
    view! {
        <div class="note note-kept" role="group" aria-label="A choice kept on this device">
            <p>
                "On this device you chose: " <strong>{move || controller.describe_stored()}</strong>
                ". Your preferences were changed elsewhere since then. The form shows what holds now."
            </p>
            <div class="flex flex-wrap gap-3 mt-3">
                <button type="button" class="button button-quiet" on:click=move |_| controller.apply_stored()>
                    "Save the choice from this device"
                </button>
                <button type="button" class="button button-quiet" on:click=move |_| controller.discard_stored()>
                    "Forget it"
                </button>
            </div>
        </div>
    }
}

fn box_id(key: &str) -> String {
    format!("purpose-{key}")
}

/// What the form works with.
#[derive(Clone, Copy)]
struct FormController {
    /// What the server has.
    record: RwSignal<Preferences>,
    state: RwSignal<State>,
    user_handle: StoredValue<String>,
}

impl FormController {
    /// Takes up what an earlier visit left, or what was ticked before this ran.
    fn restore(self) {
        let again = window_event_listener(ev::online, move |_| self.try_again());
        on_cleanup(move || again.remove());
        let Some(stored) = self.stored() else {
            self.restore_unsent();
            return;
        };
        if self.pending(&stored).is_empty() {
            self.remove_stored();
        } else if stored.revision == self.record.with_untracked(|record| record.revision.clone()) {
            set_checked(&stored.choices);
            self.state.set(State::PendingRetry);
            self.save(Some(stored.revision));
        } else {
            self.state.set(State::Conflict);
        }
    }

    /// Ticks again what was ticked and not sent before the page was loaded again. Nothing is sent by itself.
    fn restore_unsent(self) {
        match self.state.get_untracked() {
            // Both are newer.
            State::Restored | State::Saved => self.remove_stored(),
            state => {
                if let Some(draft) = self.user_handle.with_value(|user_handle| DraftStore::Unsent.read(user_handle)) {
                    set_checked(&draft.choices);
                }
                if self.edits().is_empty() {
                    self.user_handle.with_value(|user_handle| DraftStore::Unsent.remove(user_handle));
                } else if state == State::Unchanged {
                    self.edited();
                }
            }
        }
    }

    /// Notices whether the form still shows what the server has.
    fn on_change(self) {
        if matches!(self.state.get_untracked(), State::Saving | State::Conflict) {
            return;
        }
        if self.edits().is_empty() {
            self.remove_stored();
            self.state.set(State::Unchanged);
        } else {
            self.edited();
        }
    }

    fn edited(self) {
        self.store(DraftStore::Unsent);
        self.state.set(State::Edited);
    }

    /// Sends what the form shows. With `base`, only onto that revision of the record.
    fn save(self, base: Option<String>) {
        let sent = self.form_values();
        let granted: Vec<_> = sent.iter().filter(|(_, granted)| *granted).map(|(key, _)| key.clone()).collect();
        let shown: Vec<_> = self
            .record
            .with_untracked(|record| record.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone()).collect());
        let user_handle = self.user_handle.get_value();
        self.state.set(State::Saving);
        spawn_local(async move {
            let save = || save_preferences(granted.clone(), shown.clone(), base.clone(), user_handle.clone());
            match browser::with_session(save).await {
                Ok(record) => self.saved(record, &sent),
                Err(error) => self.not_saved(&error),
            }
        });
    }

    fn saved(self, record: Preferences, sent: &[(String, bool)]) {
        self.remove_stored();
        // What was ticked while the answer was on its way stays as it was ticked.
        let untouched: Vec<_> = record
            .purposes
            .iter()
            .zip(self.form_values())
            .filter(|(_, now)| sent.contains(now))
            .map(|(purpose, _)| (purpose.key.clone(), purpose.granted))
            .collect();
        self.record.set(record);
        set_checked(&untouched);
        if self.edits().is_empty() {
            self.state.set(State::Saved);
        } else {
            self.edited();
        }
    }

    fn not_saved(self, error: &PublicError) {
        let code = error.code;
        if code == ErrorCode::AccountDeleted {
            self.remove_stored();
            browser::reload();
            return;
        }
        if matches!(
            code,
            ErrorCode::InvalidInput | ErrorCode::Impersonated | ErrorCode::OtherUser | ErrorCode::NotFound
        ) || !self.store(DraftStore::Failed)
        {
            self.state.set(State::NotSaved(code));
            return;
        }
        self.state.set(State::Stored(code));
        match code {
            ErrorCode::ChangedElsewhere => browser::reload(),
            // Sent when the person signs in: here or elsewhere, now or later.
            ErrorCode::NotSignedIn => {}
            _ => set_timeout(move || self.try_again(), RETRY_DELAY),
        }
    }

    /// Sends a kept choice again, unless the person has moved on.
    fn try_again(self) {
        if matches!(self.state.get_untracked(), State::Stored(_))
            && let Some(stored) = self.stored()
        {
            self.save(Some(stored.revision));
        }
    }

    /// Keeps what the form shows and the server doesn't have; `false` where nothing is kept.
    fn store(self, store: DraftStore) -> bool {
        let revision = self.record.with_untracked(|record| record.revision.clone());
        let stored = StoredChoices { revision, choices: self.edits() };
        !stored.choices.is_empty() && self.user_handle.with_value(|user_handle| store.write(user_handle, &stored))
    }

    /// What could not be saved.
    fn stored(self) -> Option<StoredChoices> {
        self.user_handle.with_value(|user_handle| DraftStore::Failed.read(user_handle))
    }

    fn remove_stored(self) {
        self.user_handle.with_value(|user_handle| {
            DraftStore::Failed.remove(user_handle);
            DraftStore::Unsent.remove(user_handle);
        });
    }

    /// Lays the kept choice over the newer record, as the person said.
    fn apply_stored(self) {
        if let Some(stored) = self.stored() {
            set_checked(&stored.choices);
            self.save(None);
        }
    }

    fn discard_stored(self) {
        self.remove_stored();
        self.state.set(State::Unchanged);
    }

    /// The kept choice in words, e.g. `Analytics on`.
    fn describe_stored(self) -> String {
        let Some(stored) = self.stored() else { return String::new() };
        let record = self.record.get();
        let titles = self.pending(&stored).into_iter().map(|(key, granted)| {
            let title = record.purposes.iter().find(|it| it.key == key).map_or("", |it| &it.title);
            format!("{title} {}", if granted { "on" } else { "off" })
        });
        titles.collect::<Vec<_>>().join(", ")
    }

    /// The kept choices that the server's record doesn't already hold.
    fn pending(self, stored: &StoredChoices) -> Vec<(String, bool)> {
        let record = self.record.get_untracked();
        let open = |(key, granted): &&(String, bool)| {
            record.purposes.iter().any(|it| it.key == *key && it.granted != *granted && !it.locked)
        };
        stored.choices.iter().filter(open).cloned().collect()
    }

    /// What the form shows and the server doesn't have.
    fn edits(self) -> Vec<(String, bool)> {
        let form_values = self.form_values();
        self.record.with_untracked(|record| {
            let changed = record.purposes.iter().zip(form_values).filter(|(it, (_, now))| it.granted != *now);
            changed.map(|(_, now)| now).collect()
        })
    }

    /// What the form shows, one entry a purpose.
    fn form_values(self) -> Vec<(String, bool)> {
        self.record.with_untracked(|record| {
            let now = |it: &PurposeChoice| (it.key.clone(), input(&it.key).map_or(it.granted, |input| input.checked()));
            record.purposes.iter().map(now).collect()
        })
    }
}

/// Ticks and unticks boxes.
fn set_checked(choices: &[(String, bool)]) {
    for (key, granted) in choices {
        if let Some(input) = input(key).filter(|input| !input.disabled()) {
            input.set_checked(*granted);
        }
    }
}

fn input(key: &str) -> Option<HtmlInputElement> {
    document().get_element_by_id(&box_id(key))?.dyn_into().ok()
}
