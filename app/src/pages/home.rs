//! The first page: the privacy center, or what it is for.

use leptos::either::Either;
use leptos::prelude::*;

use super::center::center;
use super::landing::Landing;
use crate::api::context::Visitor;
use crate::api::respond::Caller;

/// `/`.
#[component]
pub(crate) fn Home() -> impl IntoView {
    // Without a visitor the routes are being listed.
    let visitor = use_context::<Visitor>()?;
    Some(match Caller::current() {
        Ok(caller) => Either::Left(center(caller)),
        Err(_) => Either::Right(view! { <Landing visitor/> }),
    })
}
