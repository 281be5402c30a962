//! The pages for an unknown address and for an error.

use leptos::either::Either;
use leptos::prelude::*;

use lethe_error_code::ErrorCode;

use super::layout::Layout;
use crate::error::PublicError;
use crate::response::set_status;
use crate::server::respond::into_public;
use crate::texts;

/// No page has this address, or what the page would show doesn't exist.
#[component]
pub(crate) fn NotFound() -> impl IntoView {
    set_status(ErrorCode::NotFound.status());
    view! {
        <Layout title=texts::NOT_FOUND>
            <h1>{texts::NOT_FOUND}</h1>
            <p class="lead">{texts::NOT_FOUND_LEAD}</p>
            <p class="mt-6"><a class="button" href="/">{texts::TO_CENTER}</a></p>
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
        ErrorCode::Unavailable => texts::UNAVAILABLE,
        _ => texts::FAILED,
    };
    // The title says the first half of the message already.
    Either::Right(view! {
        <Layout title=title>
            <h1>{title}</h1>
            <p class="lead">{code.message()}</p>
            {(!incident.is_empty()).then(|| view! {
                <p class="mt-4 text-soft">{texts::REFERENCE} " " <code>{incident}</code></p>
            })}
            <p class="mt-6 card-actions">
                <a class="button" href="">{texts::TRY_AGAIN}</a>
                <a class="button button-quiet" href="/">{texts::TO_CENTER}</a>
            </p>
        </Layout>
    })
}
