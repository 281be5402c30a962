//! The boxes of the form, which the server renders: reading what they say, and ticking them.

use leptos::prelude::document;
use lethe_error_code::ErrorCode;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{Event, HtmlInputElement};

use super::state::{Choice, Purpose, Record, State, Status};
use crate::islands::browser;
use crate::islands::http::Reply;

/// The field set around the boxes, which has what the server knows.
pub(crate) const BOXES_ID: &str = "choices";

/// The name of the fields that say which texts are shown.
pub(crate) const TEXTS_NAME: &str = "texts[]";

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

/// Ticks and unticks the boxes.
pub(super) fn display(choices: &[Choice]) {
    for choice in choices {
        if let Some(input) = browser::element(&box_id(&choice.purpose))
            && let Ok(input) = input.dyn_into::<HtmlInputElement>()
        {
            input.set_checked(choice.granted);
        }
    }
}

/// The title of a purpose.
pub(super) fn title(purpose: &str) -> String {
    let label = browser::element(&[&box_id(purpose), "-title"].concat());
    label.and_then(|label| label.text_content()).unwrap_or_default()
}

/// The consent state that the server returned. Displays what it says about each choice.
pub(super) fn record(reply: &Reply) -> Record {
    let mut purposes = Vec::new();
    for purpose in reply.list("purposes") {
        let key = purpose.text("key");
        if let Some(status) = browser::element(&[&box_id(&key), "-status"].concat()) {
            status.set_text_content(Some(&purpose.text("standing")));
        }
        purposes.push(Purpose { key, granted: purpose.is("granted"), locked: purpose.is("locked") });
    }
    let changed = reply.object("changed").map(|at| at.text("timestamp")).unwrap_or_default();
    Record { purposes, revision: reply.text("revision"), changed }
}

/// The texts that are shown, as the server named them.
pub(super) fn texts() -> Vec<String> {
    inputs_of("#choices input[name^=texts]").iter().map(HtmlInputElement::value).collect()
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
