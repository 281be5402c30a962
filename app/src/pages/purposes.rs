//! The boxes of the preference form. They are static markup: the island around them reads and ticks them.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

use crate::dto::{Preferences, PurposeChoice, UserHandle};
use crate::islands::{BOXES_ID, TEXTS_NAME, box_id};
use crate::server::context;
use crate::texts;

/// What became of a form that was sent without script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FormResult {
    /// No form was sent.
    None,
    Saved,
    NotSaved(ErrorCode),
    /// The session had ended; these purposes were ticked.
    Restored(Vec<String>),
}

impl FormResult {
    const fn name(&self) -> &'static str {
        match self {
            Self::None => "",
            Self::Saved => "saved",
            Self::NotSaved(_) => "not_saved",
            Self::Restored(_) => "restored",
        }
    }

    /// What the status line says until the script has started, and its tone.
    pub(super) fn status(&self, preferences: &Preferences) -> (String, &'static str) {
        match (self, &preferences.changed) {
            (Self::Saved, _) => (texts::SAVED.to_owned(), "success"),
            (Self::NotSaved(ErrorCode::NotSignedIn), _) => (texts::SAVE_SIGNED_OUT.to_owned(), "error"),
            (Self::NotSaved(code), _) => (texts::not_saved(code.message()), "error"),
            (Self::Restored(_), _) => (texts::RESTORED.to_owned(), "warning"),
            (Self::None, Some(at)) => (texts::last_changed(&at.text), "rest"),
            (Self::None, None) => (texts::NOT_CHOSEN.to_owned(), "rest"),
        }
    }
}

/// The boxes in their groups.
#[component]
#[expect(clippy::needless_pass_by_value, reason = "the properties of a component are owned")]
pub(super) fn Purposes(preferences: Preferences, user_handle: UserHandle, result: FormResult) -> impl IntoView {
    let error = match &result {
        FormResult::NotSaved(code) => Some(code.as_str()),
        _ => None,
    };
    let draft = match &result {
        FormResult::Restored(granted) => Some(granted.clone()),
        _ => None,
    };
    let groups = grouped(preferences.purposes);
    view! {
        <input type="hidden" name="person" value=user_handle.as_str().to_owned()/>
        <fieldset
            class="choices"
            id=BOXES_ID
            data-person=user_handle.as_str().to_owned()
            data-revision=preferences.revision
            data-changed=preferences.changed.map(|at| at.timestamp)
            data-status=result.name()
            data-error=error
        >
            <legend class="sr-only">{texts::PREFERENCES_LEGEND}</legend>
            {groups
                .into_iter()
                .map(|(title, purposes)| {
                    let is_ticked = |purpose: &PurposeChoice| {
                        let granted = draft.as_ref().map_or(purpose.granted, |draft| draft.contains(&purpose.key));
                        granted && !purpose.locked
                    };
                    let boxes = purposes
                        .into_iter()
                        .map(|purpose| {
                            let checked = is_ticked(&purpose);
                            view! { <PurposeBox purpose checked/> }
                        })
                        .collect_view();
                    view! {
                        {title.map(|title| view! { <h3 class="choices-title" dir="auto" lang=context::content_language()>{title}</h3> })}
                        {boxes}
                    }
                })
                .collect_view()}
        </fieldset>
    }
}

/// The purposes by their headings, in their order.
fn grouped(purposes: Vec<PurposeChoice>) -> Vec<(Option<String>, Vec<PurposeChoice>)> {
    let mut groups: Vec<(Option<String>, Vec<PurposeChoice>)> = Vec::new();
    for purpose in purposes {
        match groups.iter_mut().find(|(title, _)| *title == purpose.group) {
            Some((_, group)) => group.push(purpose),
            None => groups.push((purpose.group.clone(), vec![purpose])),
        }
    }
    groups
}

/// One purpose: its box, its text, the current choice. Hidden fields tell the server which text is shown, and, if it receives
/// a plain form, that the purpose was granted when the form was rendered.
#[component]
fn PurposeBox(purpose: PurposeChoice, checked: bool) -> impl IntoView {
    let PurposeChoice { key, title, text, text_id, granted, since, status, note, locked, .. } = purpose;
    let text_id = format!("{key}:{text_id}");
    let id = box_id(&key);
    let has_note = note.is_some();
    view! {
        <div class="choice">
            <input
                type="checkbox"
                id=id.clone()
                name="granted[]"
                value=key.clone()
                checked=checked
                disabled=locked
                data-granted=granted.then_some("true")
                data-since=Some(since).filter(|since| !since.is_empty())
                aria-describedby=format!("{id}-text {id}-status")
            />
            <label for=id.clone() id=format!("{id}-title") dir="auto" lang=context::content_language()>{title}</label>
            <div class="choice-text" id=format!("{id}-text")>
                <p dir="auto" lang=context::content_language()>{text}</p>
                <p class="choice-note" id=format!("{id}-note") hidden=!has_note>{note}</p>
            </div>
            <span class="tag" id=format!("{id}-status")>{status}</span>
            <input type="hidden" name=TEXTS_NAME value=text_id/>
            {granted.then(|| view! { <input type="hidden" name="shown[]" value=key/> })}
        </div>
    }
}
