//! What islands need of the browser: storage, navigation, and a session that lasts.

use std::future::Future;

use leptos::prelude::{document, window};
use lethe_error_code::ErrorCode;
use wasm_bindgen_futures::JsFuture;
use web_sys::js_sys::Promise;
use web_sys::wasm_bindgen::JsCast;
use web_sys::{HtmlElement, Storage};

use crate::error::PublicError;

/// How long the renewal of the session may take.
const RENEWAL_TIMEOUT_MS: i32 = 10_000;

/// Storage that outlives the window. `None` if the user has disabled it.
pub(super) fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Storage of this tab, until it is closed. `None` if the user has disabled it.
pub(super) fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
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

/// Calls the server. If the session has ended, renews it and calls once more, without leaving the page.
pub(super) async fn with_session<Value, Call>(call: impl Fn() -> Call) -> Result<Value, PublicError>
where
    Call: Future<Output = Result<Value, PublicError>>,
{
    match call().await {
        Err(error) if error.code == ErrorCode::NotSignedIn => {
            renew_session().await;
            call().await
        }
        result => result,
    }
}

/// Loads the page that redirects by way of Clerk into a hidden frame, as Clerk's handshake only works for documents.
/// Returns when the frame has loaded or the time is up. The next call shows whether it helped.
async fn renew_session() {
    let frame = document().create_element("iframe").ok().and_then(|frame| frame.dyn_into::<HtmlElement>().ok());
    let Some((frame, body)) = frame.zip(document().body()) else { return };
    frame.set_hidden(true);
    let _ = frame.set_attribute("src", "/session");
    let loaded = Promise::new(&mut |done, _| {
        frame.set_onload(Some(&done));
        let _ = window().set_timeout_with_callback_and_timeout_and_arguments_0(&done, RENEWAL_TIMEOUT_MS);
        let _ = body.append_child(&frame);
    });
    let _ = JsFuture::from(loaded).await;
    frame.remove();
}
