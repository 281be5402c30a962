//! What the islands want of the browser, in the words of the islands.

use std::future::Future;

use leptos::prelude::window;
use web_sys::Storage;

use crate::api::{ErrorCode, PublicError};

/// Storage that outlives the window. `None` where it is switched off.
pub(super) fn local_storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}

/// Storage of this tab, until it is closed. `None` where it is switched off.
pub(super) fn session_storage() -> Option<Storage> {
    window().session_storage().ok().flatten()
}

/// Goes to a path of this site.
pub(super) fn navigate(path: &str) {
    // A path of this site is always accepted.
    let _ = window().location().set_href(path);
}

/// Asks the server for this page again.
pub(super) fn reload() {
    let _ = window().location().reload();
}

/// Calls; where the session is over, renews it and calls once more. The page stays as it is.
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

/// Loads the page that takes the way by Clerk into a frame that nobody sees: only documents may take
/// that way. Ends when it is there, or when it takes too long; whether it helped, the next call tells.
#[cfg(feature = "hydrate")]
async fn renew_session() {
    use leptos::prelude::document;
    use wasm_bindgen_futures::JsFuture;
    use web_sys::HtmlElement;
    use web_sys::js_sys::Promise;
    use web_sys::wasm_bindgen::JsCast;

    /// In milliseconds.
    const RENEWAL_TIMEOUT_MS: i32 = 10_000;

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

/// Only the browser has frames.
#[cfg(not(feature = "hydrate"))]
#[expect(clippy::unused_async, reason = "the same signature as in the browser")]
async fn renew_session() {}
