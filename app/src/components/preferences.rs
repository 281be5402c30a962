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
use super::icon::Check;
use super::kept::{Kept, Shelf};
use crate::api::{Code, Preferences, PublicError, Purpose, SavePreferences, save_preferences};

/// After this, a choice that is kept on the device is sent again.
const PAUSE: Duration = Duration::from_secs(20);

/// What the line beside the button says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The form shows what the server has.
    Rest,
    /// The form shows something else.
    Edited,
    /// On its way.
    Saving,
    /// Committed.
    Saved,
    /// Not committed, and kept here.
    Kept(Code),
    /// Neither committed nor kept.
    Unsaved(Code),
    /// Kept here since an earlier visit.
    Waiting,
    /// Kept here, and the server's record is newer.
    Overtaken,
    /// Sent without script when the session was over, and filled in again.
    Returned,
}

/// The preference form.
#[island]
pub(crate) fn PreferenceForm(
    /// The record as the server has it.
    record: Preferences,
    /// The mark of the person, which also names their place in the browser's storage.
    person: String,
    /// Whether a form sent without script was saved just now.
    saved: bool,
    /// Why a form sent without script was not saved.
    unsaved: Option<Code>,
    /// The purposes that were on in a form that came when the session was over.
    draft: Option<Vec<String>>,
) -> impl IntoView {
    let first = match unsaved {
        _ if draft.is_some() => State::Returned,
        Some(code) => State::Unsaved(code),
        None if saved => State::Saved,
        None => State::Rest,
    };
    let on = |record: &Preferences| record.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone()).collect();
    let granted: Vec<String> = draft.unwrap_or_else(|| on(&record));
    let ticked = |purpose: &Purpose| granted.contains(&purpose.key) && !purpose.locked;
    let purposes: Vec<_> = record.purposes.iter().map(|purpose| (purpose.clone(), ticked(purpose))).collect();
    let mark = person.clone();
    let desk = Desk { record: RwSignal::new(record), state: RwSignal::new(first), person: StoredValue::new(person) };
    Effect::new(move |_| desk.open());

    view! {
        <form
            method="post"
            action=SavePreferences::url()
            autocomplete="off"
            on:submit=move |event: SubmitEvent| {
                event.prevent_default();
                if desk.state.get_untracked() != State::Saving {
                    desk.save(None);
                }
            }
            on:change=move |_| desk.compare()
        >
            <input type="hidden" name="person" value=mark/>
            <fieldset class="choices">
                <legend class="sr-only">"What we may use your data for"</legend>
                {purposes
                    .into_iter()
                    .enumerate()
                    .map(|(index, (purpose, ticked))| view! { <PurposeBox purpose ticked index record=desk.record/> })
                    .collect_view()}
            </fieldset>
            <Show when=move || desk.state.get() == State::Overtaken>
                <OvertakenNote desk/>
            </Show>
            <div class="card-foot">
                <StateLine desk/>
                // Not `disabled`: that would take the focus away from who just pressed it.
                <button
                    class="button"
                    aria-disabled=move || (desk.state.get() == State::Saving).then_some("true")
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
fn PurposeBox(purpose: Purpose, ticked: bool, index: usize, record: RwSignal<Preferences>) -> impl IntoView {
    let id = box_id(&purpose.key);
    let text_id = format!("{id}-text");
    let standing = move || record.with(|record| record.purposes.get(index).map(|it| it.standing.clone()));
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
            <span class="tag">{standing}</span>
            {purpose.granted.then(|| view! { <input type="hidden" name="shown[]" value=purpose.key/> })}
        </div>
    }
}

/// What became of the choice, announced as it changes.
#[component]
fn StateLine(desk: Desk) -> impl IntoView {
    let state = desk.state;
    let words = move || match state.get() {
        State::Rest => desk.record.with(|record| match &record.changed {
            Some(at) => format!("Last changed {at}"),
            None => "You have not chosen yet".to_owned(),
        }),
        State::Edited => "Changed, not saved yet".to_owned(),
        State::Saving => "Saving…".to_owned(),
        State::Saved => "Saved".to_owned(),
        State::Kept(code) => format!("Couldn't save, kept on this device. {}", code.sentence()),
        State::Unsaved(code) => format!("Couldn't save. {}", code.sentence()),
        State::Waiting | State::Overtaken => "Not yet saved, kept on this device".to_owned(),
        State::Returned => "Not saved: your session had ended. Your choice is filled in again.".to_owned(),
    };
    view! {
        <p
            class="state"
            role="status"
            data-state=move || match state.get() {
                State::Saved => "good",
                State::Kept(_) | State::Waiting | State::Overtaken | State::Returned => "kept",
                State::Unsaved(_) => "bad",
                _ => "rest",
            }
        >
            <Show when=move || state.get() == State::Saved>
                <Check/>
            </Show>
            <span>
                {words}
                <Show when=move || matches!(state.get(), State::Kept(Code::NotSignedIn) | State::Unsaved(Code::NotSignedIn))>
                    " " <a class="link" href="/">"Sign in again"</a>
                </Show>
            </span>
        </p>
    }
}

/// Asks what to do with a kept choice that a newer one has overtaken.
#[component]
fn OvertakenNote(desk: Desk) -> impl IntoView {
    view! {
        <div class="note note-kept" role="group" aria-label="A choice kept on this device">
            <p>
                "On this device you chose: " <strong>{move || desk.kept_words()}</strong>
                ". Your preferences were changed elsewhere since then. The form shows what holds now."
            </p>
            <div class="flex flex-wrap gap-3 mt-3">
                <button type="button" class="button button-quiet" on:click=move |_| desk.take_kept()>
                    "Save the choice from this device"
                </button>
                <button type="button" class="button button-quiet" on:click=move |_| desk.forget_kept()>
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
struct Desk {
    /// What the server has.
    record: RwSignal<Preferences>,
    state: RwSignal<State>,
    person: StoredValue<String>,
}

impl Desk {
    /// Takes up what an earlier visit left, or what was ticked before this ran.
    fn open(self) {
        let again = window_event_listener(ev::online, move |_| self.try_again());
        on_cleanup(move || again.remove());
        let Some(kept) = self.kept() else {
            self.take_up_draft();
            return;
        };
        if self.still_open(&kept).is_empty() {
            self.forget();
        } else if kept.revision == self.record.with_untracked(|record| record.revision.clone()) {
            tick(&kept.choices);
            self.state.set(State::Waiting);
            self.save(Some(kept.revision));
        } else {
            self.state.set(State::Overtaken);
        }
    }

    /// Ticks again what was ticked and not sent before the page was loaded again. Nothing is sent by itself.
    fn take_up_draft(self) {
        match self.state.get_untracked() {
            // Both are newer.
            State::Returned | State::Saved => self.forget(),
            state => {
                if let Some(draft) = self.person.with_value(|person| Shelf::Draft.read(person)) {
                    tick(&draft.choices);
                }
                if self.edits().is_empty() {
                    self.person.with_value(|person| Shelf::Draft.forget(person));
                } else if state == State::Rest {
                    self.edited();
                }
            }
        }
    }

    /// Notices whether the form still shows what the server has.
    fn compare(self) {
        if matches!(self.state.get_untracked(), State::Saving | State::Overtaken) {
            return;
        }
        if self.edits().is_empty() {
            self.forget();
            self.state.set(State::Rest);
        } else {
            self.edited();
        }
    }

    fn edited(self) {
        self.keep(Shelf::Draft);
        self.state.set(State::Edited);
    }

    /// Sends what the form shows. With `base`, only onto that revision of the record.
    fn save(self, base: Option<String>) {
        let sent = self.on_screen();
        let granted: Vec<_> = sent.iter().filter(|(_, granted)| *granted).map(|(key, _)| key.clone()).collect();
        let shown: Vec<_> = self
            .record
            .with_untracked(|record| record.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone()).collect());
        let person = self.person.get_value();
        self.state.set(State::Saving);
        spawn_local(async move {
            let save = || save_preferences(granted.clone(), shown.clone(), base.clone(), person.clone());
            match browser::with_session(save).await {
                Ok(record) => self.saved(record, &sent),
                Err(error) => self.not_saved(&error),
            }
        });
    }

    fn saved(self, record: Preferences, sent: &[(String, bool)]) {
        self.forget();
        // What was ticked while the answer was on its way stays as it was ticked.
        let untouched: Vec<_> = record
            .purposes
            .iter()
            .zip(self.on_screen())
            .filter(|(_, now)| sent.contains(now))
            .map(|(purpose, _)| (purpose.key.clone(), purpose.granted))
            .collect();
        self.record.set(record);
        tick(&untouched);
        if self.edits().is_empty() {
            self.state.set(State::Saved);
        } else {
            self.edited();
        }
    }

    fn not_saved(self, error: &PublicError) {
        let code = error.code;
        if code == Code::Gone {
            self.forget();
            browser::reload();
            return;
        }
        if matches!(code, Code::InvalidInput | Code::Impersonated | Code::AnotherPerson | Code::NotFound)
            || !self.keep(Shelf::Unsaved)
        {
            self.state.set(State::Unsaved(code));
            return;
        }
        self.state.set(State::Kept(code));
        match code {
            Code::ChangedElsewhere => browser::reload(),
            // Sent when the person signs in: here or elsewhere, now or later.
            Code::NotSignedIn => {}
            _ => set_timeout(move || self.try_again(), PAUSE),
        }
    }

    /// Sends a kept choice again, unless the person has moved on.
    fn try_again(self) {
        if matches!(self.state.get_untracked(), State::Kept(_))
            && let Some(kept) = self.kept()
        {
            self.save(Some(kept.revision));
        }
    }

    /// Keeps what the form shows and the server doesn't have; `false` where nothing is kept.
    fn keep(self, place: Shelf) -> bool {
        let revision = self.record.with_untracked(|record| record.revision.clone());
        let kept = Kept { revision, choices: self.edits() };
        !kept.choices.is_empty() && self.person.with_value(|person| place.write(person, &kept))
    }

    /// What could not be saved.
    fn kept(self) -> Option<Kept> {
        self.person.with_value(|person| Shelf::Unsaved.read(person))
    }

    fn forget(self) {
        self.person.with_value(|person| {
            Shelf::Unsaved.forget(person);
            Shelf::Draft.forget(person);
        });
    }

    /// Lays the kept choice over the newer record, as the person said.
    fn take_kept(self) {
        if let Some(kept) = self.kept() {
            tick(&kept.choices);
            self.save(None);
        }
    }

    fn forget_kept(self) {
        self.forget();
        self.state.set(State::Rest);
    }

    /// The kept choice in words, e.g. `Analytics on`.
    fn kept_words(self) -> String {
        let Some(kept) = self.kept() else { return String::new() };
        let record = self.record.get();
        let titles = self.still_open(&kept).into_iter().map(|(key, granted)| {
            let title = record.purposes.iter().find(|it| it.key == key).map_or("", |it| &it.title);
            format!("{title} {}", if granted { "on" } else { "off" })
        });
        titles.collect::<Vec<_>>().join(", ")
    }

    /// The kept choices that the server's record doesn't already hold.
    fn still_open(self, kept: &Kept) -> Vec<(String, bool)> {
        let record = self.record.get_untracked();
        let open = |(key, granted): &&(String, bool)| {
            record.purposes.iter().any(|it| it.key == *key && it.granted != *granted && !it.locked)
        };
        kept.choices.iter().filter(open).cloned().collect()
    }

    /// What the form shows and the server doesn't have.
    fn edits(self) -> Vec<(String, bool)> {
        let on_screen = self.on_screen();
        self.record.with_untracked(|record| {
            let changed = record.purposes.iter().zip(on_screen).filter(|(it, (_, now))| it.granted != *now);
            changed.map(|(_, now)| now).collect()
        })
    }

    /// What the form shows, one entry a purpose.
    fn on_screen(self) -> Vec<(String, bool)> {
        self.record.with_untracked(|record| {
            let now = |it: &Purpose| (it.key.clone(), input(&it.key).map_or(it.granted, |input| input.checked()));
            record.purposes.iter().map(now).collect()
        })
    }
}

/// Ticks and unticks boxes.
fn tick(choices: &[(String, bool)]) {
    for (key, granted) in choices {
        if let Some(input) = input(key).filter(|input| !input.disabled()) {
            input.set_checked(*granted);
        }
    }
}

fn input(key: &str) -> Option<HtmlInputElement> {
    document().get_element_by_id(&box_id(key))?.dyn_into().ok()
}
