//! The first page: the privacy center, or the landing page for signed-out visitors.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::Lethe;

use super::center::center;
use super::landing::Landing;
use crate::server::current_user::Authentication;

/// `/`.
#[component]
pub(crate) fn Home() -> impl IntoView {
    // Without a context the routes are being listed.
    let authentication = use_context::<Authentication>()?;
    Some(match (use_context::<Lethe>(), authentication) {
        (Some(lethe), Ok(user)) => Either::Left(center(lethe, user)),
        _ => Either::Right(view! { <Landing/> }),
    })
}
