//! The boxes of the form, which the server renders: reading what they say, and ticking them.

use leptos::prelude::document;
use lethe_error_code::ErrorCode;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{Event, HtmlElement, HtmlInputElement};

use super::state::{Choice, Purpose, Record, State, Status};
use crate::islands::browser;
use crate::islands::http::Reply;
use crate::texts;

/// The field set around the boxes, which has what the server knows.
pub(crate) const BOXES_ID: &str = "choices";

/// The name of the fields that say which texts are shown.
pub(crate) const TEXTS_NAME: &str = "texts[]";

/// Ends the id of what is said about a purpose's state.
const STATUS: &str = "-status";
/// Ends the id of what is said about an earlier choice.
const NOTE: &str = "-note";

/// The id of a purpose's box.
pub(crate) fn box_id(purpose: &str) -> String {
    ["purpose-", purpose].concat()
}

/// The state that the page was rendered with. The user may have ticked boxes before this script arrived.
pub(super) fn first_state() -> State {
    let boxes = inputs();
    let purpose = |input: &HtmlInputElement| Purpose {
        key: input.value(),
        granted: input.has_attribute("data-granted"),
        since: input.get_attribute("data-since").unwrap_or_default(),
        status: element_of(&input.value(), STATUS).and_then(|status| status.text_content()).unwrap_or_default(),
        locked: input.disabled(),
    };
    let choice = |input: &HtmlInputElement| Choice { purpose: input.value(), granted: input.checked() };
    let error = || ErrorCode::parse(&browser::attribute(BOXES_ID, "data-error"));
    State {
        saved: Record {
            purposes: boxes.iter().map(purpose).collect(),
            revision: browser::attribute(BOXES_ID, "data-revision"),
            changed: browser::attribute(BOXES_ID, "data-changed"),
        },
        ticked: boxes.iter().map(choice).collect(),
        status: match browser::attribute(BOXES_ID, "data-status").as_str() {
            "saved" => Status::Saved,
            "restored" => Status::Restored,
            "not_saved" => Status::NotSaved(error()),
            _ => Status::Unchanged,
        },
        earlier: None,
    }
}

/// The choice that an event of the form is about.
pub(super) fn ticked(event: &Event) -> Option<Choice> {
    let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
    Some(Choice { purpose: input.value(), granted: input.checked() })
}

/// Ticks and unticks the boxes. Beside each stands what the server has, or what saving does.
pub(super) fn display(state: &State) {
    for choice in &state.ticked {
        if let Some(purpose) = state.saved.purposes.iter().find(|purpose| purpose.key == choice.purpose) {
            let text = match choice.granted {
                granted if granted == purpose.granted || purpose.locked => &purpose.status,
                true => texts::ON_ONCE_SAVED,
                false => texts::OFF_ONCE_SAVED,
            };
            set_text(&choice.purpose, STATUS, text);
        }
        if let Some(input) = browser::element(&box_id(&choice.purpose))
            && let Ok(input) = input.dyn_into::<HtmlInputElement>()
        {
            input.set_checked(choice.granted);
        }
    }
}

/// The title of a purpose.
pub(super) fn title(purpose: &str) -> String {
    element_of(purpose, "-title").and_then(|label| label.text_content()).unwrap_or_default()
}

/// The consent state that the server returned. Displays what it says about earlier choices.
pub(super) fn record(reply: &Reply) -> Record {
    let mut purposes = Vec::new();
    for purpose in reply.list("purposes") {
        let key = purpose.text("key");
        let note = purpose.text("note");
        set_text(&key, NOTE, &note);
        if let Some(element) = element_of(&key, NOTE) {
            element.set_hidden(note.is_empty());
        }
        purposes.push(Purpose {
            key,
            granted: purpose.is("granted"),
            since: purpose.text("since"),
            status: purpose.text("standing"),
            locked: purpose.is("locked"),
        });
    }
    let changed = reply.object("changed").map(|at| at.text("timestamp")).unwrap_or_default();
    Record { purposes, revision: reply.text("revision"), changed }
}

/// The texts that are shown, as the server named them.
pub(super) fn texts() -> Vec<String> {
    inputs_of("#choices input[name^=texts]").iter().map(HtmlInputElement::value).collect()
}

/// The element of a purpose whose id ends so.
fn element_of(purpose: &str, suffix: &str) -> Option<HtmlElement> {
    browser::element(&[&box_id(purpose), suffix].concat())
}

/// Changes a text, unless it says so already: a translation of it stays.
fn set_text(purpose: &str, suffix: &str, text: &str) {
    if let Some(element) = element_of(purpose, suffix).filter(|it| it.text_content().as_deref() != Some(text)) {
        element.set_text_content(Some(text));
    }
}

fn inputs() -> Vec<HtmlInputElement> {
    inputs_of("#choices input[type=checkbox]")
}

fn inputs_of(selector: &str) -> Vec<HtmlInputElement> {
    let Ok(found) = document().query_selector_all(selector) else { return Vec::new() };
    let mut inputs = Vec::new();
    for index in 0..found.length() {
        if let Some(Ok(input)) = found.item(index).map(JsCast::dyn_into::<HtmlInputElement>) {
            inputs.push(input);
        }
    }
    inputs
}
