//! The page for signed-out visitors.

use leptos::prelude::*;

use super::layout::Layout;
use crate::server::context::SignInUrl;

/// What can be done here, and the link to sign in.
#[component]
pub(crate) fn Landing() -> impl IntoView {
    let sign_in_url = use_context::<SignInUrl>().map(|SignInUrl(url)| url);
    view! {
        <Layout title="Privacy center">
            <h1>"Your data, your decision"</h1>
            <p class="lead">"Sign in to decide about the data that we hold about you."</p>
            <ul class="card offers" role="list">
                <Offer
                    title="Set your preferences"
                    text="Say what we may use your data for. Everything optional starts off."
                    drawing="M5 12l5 5 9-10"
                />
                <Offer
                    title="Download a copy"
                    text="One file with everything that we hold about you."
                    drawing="M12 4v11M7 11l5 5 5-5M5 20h14"
                />
                <Offer
                    title="Delete your account"
                    text="See first what happens to every kind of data. You get a receipt."
                    drawing="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"
                />
            </ul>
            <p class="mt-8"><a class="button button-wide" href=sign_in_url>"Sign in"</a></p>
        </Layout>
    }
}

/// One thing that can be done here.
#[component]
fn Offer(title: &'static str, text: &'static str, drawing: &'static str) -> impl IntoView {
    view! {
        <li>
            <span class="mark" aria-hidden="true">
                <svg class="icon" viewBox="0 0 24 24"><path d=drawing/></svg>
            </span>
            <h2>{title}</h2>
            <p>{text}</p>
        </li>
    }
}
