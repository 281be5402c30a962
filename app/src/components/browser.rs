//! What the islands want of the browser, in the words of the islands.

use leptos::prelude::window;
use web_sys::Storage;

/// Storage that outlives the window. `None` where it is switched off.
pub(super) fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Storage of this window.
pub(super) fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

/// Goes to a path of this site.
pub(super) fn go(path: &str) {
    // A path of this site is always accepted.
    let _ = window().location().set_href(path);
}

/// Asks the server for this page again.
pub(super) fn reload() {
    let _ = window().location().reload();
}

/// Loads the page again so that its request renews the session, once: `false` where that was tried
/// and didn't help.
pub(super) fn renew_session() -> bool {
    let Some(storage) = session_storage() else { return false };
    if matches!(storage.get_item(RENEWED), Ok(Some(_))) || storage.set_item(RENEWED, "1").is_err() {
        return false;
    }
    reload();
    true
}

/// Notes that the session works.
pub(super) fn session_works() {
    if let Some(storage) = session_storage() {
        let _ = storage.remove_item(RENEWED);
    }
}

const RENEWED: &str = "lethe.renewed";
