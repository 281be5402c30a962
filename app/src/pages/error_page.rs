//! The pages for an unknown address and for an error.

use leptos::either::Either;
use leptos::prelude::*;

use lethe_error_code::ErrorCode;

use super::layout::Layout;
use crate::error::PublicError;
use crate::response::set_status;
use crate::server::respond::into_public;

/// No page has this address, or what the page would show doesn't exist.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    set_status(ErrorCode::NotFound.status());
    view! {
        <Layout title="Not found">
            <h1>"There is nothing here"</h1>
            <p class="lead">"The address may be mistyped, or what was here is gone."</p>
            <p class="mt-6"><a class="button" href="/">"To the privacy center"</a></p>
        </Layout>
    }
}

/// Renders an error instead of a page, sets the status and logs the failure. The incident's id is the one in the log.
pub(crate) fn error_page(error: &lethe::Error) -> impl IntoView + use<> {
    let PublicError { code, incident } = into_public(error);
    if code == ErrorCode::NotFound {
        return Either::Left(view! { <NotFound/> });
    }
    set_status(code.status());
    let title = match code {
        ErrorCode::Unavailable => "Not reachable right now",
        _ => "This didn't work",
    };
    Either::Right(view! {
        <Layout title=title>
            <h1>{title}</h1>
            <p class="lead">{code.message()}</p>
            {(!incident.is_empty()).then(|| view! {
                <p class="mt-4 text-soft">
                    "If you write to us about it, name this incident: " <code>{incident}</code>
                </p>
            })}
            <p class="mt-6"><a class="button" href="">"Try again"</a></p>
        </Layout>
    })
}
