//! Pages for what isn't there and for what went wrong.

use leptos::either::Either;
use leptos::prelude::*;

use super::frame::Frame;
use crate::api::answer::{self, Failure};
use crate::api::{Code, PublicError};

/// No page, or nothing of what a page shows, has this address.
#[component]
pub(crate) fn Missing() -> impl IntoView {
    answer::set_status(Code::NotFound.status());
    view! {
        <Frame title="Not found">
            <h1>"There is nothing here"</h1>
            <p class="lead">"The address may be mistyped, or what was here is gone."</p>
            <p class="mt-6"><a class="button" href="/">"To the privacy center"</a></p>
        </Frame>
    }
}

/// A page that could not be loaded. Sets the status; the incident's id is the one in the log.
pub(crate) fn trouble(failure: Failure) -> impl IntoView {
    let PublicError { code, incident } = answer::public(failure);
    if code == Code::NotFound {
        return Either::Left(view! { <Missing/> });
    }
    answer::set_status(code.status());
    let title = match code {
        Code::Unavailable => "Not reachable right now",
        _ => "This didn't work",
    };
    Either::Right(view! {
        <Frame title=title>
            <h1>{title}</h1>
            <p class="lead">{code.sentence()}</p>
            {(!incident.is_empty()).then(|| view! {
                <p class="mt-4 text-soft">
                    "If you write to us about it, name this incident: " <code>{incident}</code>
                </p>
            })}
            <p class="mt-6"><a class="button" href="">"Try again"</a></p>
        </Frame>
    })
}
