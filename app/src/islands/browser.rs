//! What islands need of the browser: elements, storage, navigation, times.

use std::time::Duration;

use leptos::prelude::{document, set_timeout, use_context, window};
use web_sys::js_sys::{Date, JSON};
use web_sys::wasm_bindgen::JsCast;
use web_sys::wasm_bindgen::closure::Closure;
use web_sys::{HtmlElement, Storage};

/// Storage that outlives the window. `None` if the user has disabled it.
pub(super) fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Storage of this tab, until it is closed. `None` if the user has disabled it.
pub(super) fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

/// Has the page's script put the islands' markup back as the server rendered it, which hydration relies on.
#[cfg(feature = "hydrate")]
pub fn restore_markup() {
    if let Ok(event) = web_sys::Event::new("lethe:hydrate") {
        let _ = document().dispatch_event(&event);
    }
}

/// Seconds since the Unix epoch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the present is a positive number of seconds"
)]
pub(super) fn now() -> u64 {
    (Date::now() / 1000.0) as u64
}

/// Goes to a path of this site.
pub(super) fn navigate(path: &str) {
    // A path of this site is always accepted.
    let _ = window().location().set_href(path);
}

/// Loads this page again.
pub(super) fn reload() {
    let _ = window().location().reload();
}

/// Puts the focus on the element with this id.
pub(super) fn focus(id: &str) {
    if let Some(element) = element(id) {
        let _ = element.focus();
    }
}

/// Puts the focus on the element with this id, within an open dialog, if the change that is being made takes it away
/// from everything.
pub(super) fn focus_if_lost(id: &'static str) {
    let look = move || {
        let is_lost = document().active_element().is_none_or(|element| {
            element.tag_name() == "BODY"
                || element.dyn_into::<HtmlElement>().is_ok_and(|element| element.offset_parent().is_none())
        });
        if is_lost {
            focus(id);
        }
    };
    // After the change.
    set_timeout(look, Duration::ZERO);
}

/// What the server renders where the browser will show a text of its own: the page gives it to the next island. In the
/// browser it is empty, as the text is there already.
#[derive(Clone, Default)]
pub(crate) struct FirstText {
    pub(crate) text: String,
    /// The value of `data-state`.
    pub(crate) tone: &'static str,
}

pub(super) fn first_text() -> String {
    use_context::<FirstText>().map(|first| first.text).unwrap_or_default()
}

pub(super) fn first_tone() -> &'static str {
    use_context::<FirstText>().map_or("rest", |first| first.tone)
}

/// The element with this id.
pub(super) fn element(id: &str) -> Option<HtmlElement> {
    document().get_element_by_id(id)?.dyn_into().ok()
}

/// An attribute of the element with this id, by which the server gives an island what it needs.
pub(super) fn attribute(id: &str, name: &str) -> String {
    element(id).and_then(|element| element.get_attribute(name)).unwrap_or_default()
}

/// Puts markup of the server into an element.
pub(super) fn set_markup(element: &HtmlElement, markup: &str) {
    element.set_inner_html(markup);
}

/// Starts a download without leaving the page: in a hidden frame, which shows a page only if there is no file. Then
/// `on_failure` is called.
pub(super) fn download(path: &str, on_failure: impl FnOnce() + 'static) {
    let Some(frame) = hidden_frame(path) else { return };
    let on_load = Closure::once_into_js(on_failure);
    frame.set_onload(on_load.dyn_ref());
    if let Some(body) = document().body() {
        let _ = body.append_child(&frame);
    }
}

pub(super) fn hidden_frame(path: &str) -> Option<HtmlElement> {
    let frame = document().create_element("iframe").ok()?.dyn_into::<HtmlElement>().ok()?;
    frame.set_hidden(true);
    frame.set_attribute("src", path).ok()?;
    Some(frame)
}

/// Tells the page's other islands that something about the user was recorded.
pub(super) fn announce_activity() {
    if let Ok(event) = web_sys::Event::new(ACTIVITY_EVENT) {
        let _ = window().dispatch_event(&event);
    }
}

/// The name of the event that [`announce_activity`] sends.
pub(super) const ACTIVITY_EVENT: &str = "lethe:activity";

/// A time in RFC 3339, in the reader's zone and language. On the server it is what the server says, in UTC.
pub(super) fn local_time(timestamp: &str) -> String {
    let date = Date::new(&timestamp.into());
    let language = window().navigator().language().unwrap_or_default();
    let options = JSON::parse(r#"{"dateStyle":"long","timeStyle":"short"}"#).unwrap_or_default();
    date.to_locale_string(&language, &options).into()
}
