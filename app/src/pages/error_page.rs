//! Pages for what isn't there and for what went wrong.

use leptos::either::Either;
use leptos::prelude::*;

use super::layout::Layout;
use crate::api::respond::{self, Failure};
use crate::api::{ErrorCode, PublicError};

/// No page, or nothing of what a page shows, has this address.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    respond::set_status(ErrorCode::NotFound.status());
    view! {
        <Layout title="Not found">
            <h1>"There is nothing here"</h1>
            <p class="lead">"The address may be mistyped, or what was here is gone."</p>
            <p class="mt-6"><a class="button" href="/">"To the privacy center"</a></p>
        </Layout>
    }
}

/// A page that could not be loaded. Sets the status; the incident's id is the one in the log.
pub(crate) fn error_page(failure: Failure) -> impl IntoView {
    let PublicError { code, incident } = respond::into_public(failure);
    if code == ErrorCode::NotFound {
        return Either::Left(view! { <NotFound/> });
    }
    respond::set_status(code.status());
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
