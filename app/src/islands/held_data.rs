//! The card that shows what is held about the user. It is loaded after the page: counting takes longer than everything
//! else. Without script it is a link to the page with the same table.

use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;

use super::browser;
use super::http::{Call, Method};
use crate::components::LiveText;
use crate::server_fns::HeldData as HeldDataFunction;
use crate::texts;

/// How far the table is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The server rendered the link, which needs no script.
    Link,
    Loading,
    Loaded,
    Failed,
}

/// The table, when it has been counted. The section around it says for whom.
#[island]
pub(crate) fn HeldData() -> impl IntoView {
    let state = RwSignal::new(State::Link);
    let table = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        state.set(State::Loading);
        let call =
            Call::new(Method::Get, HeldDataFunction::PATH, &[("person", &browser::attribute("data", "data-person"))]);
        spawn_local(async move {
            match (call.send().await, table.get_untracked()) {
                (Ok(reply), Some(table)) => {
                    browser::set_markup(&table, &reply.text("table"));
                    state.set(State::Loaded);
                }
                _ => state.set(State::Failed),
            }
        });
    });
    let status = move || match state.get() {
        State::Loading => texts::HELD_LOADING,
        State::Failed => texts::HELD_FAILED,
        State::Link | State::Loaded => "",
    };
    view! {
        <div class="card-body">
            <p class="text-soft" role="status"><LiveText text=move || status().to_owned()/></p>
            <Skeleton hidden=move || state.get() != State::Loading/>
            <div class="plan-frame" node_ref=table></div>
            <p class="mt-3" hidden=move || matches!(state.get(), State::Loading | State::Loaded)>
                <a class="button button-quiet" href="/data">{texts::HELD_LINK}</a>
            </p>
        </div>
    }
}

/// Gray lines of the size of a table.
#[component]
pub(super) fn Skeleton(hidden: impl Fn() -> bool + Send + Sync + 'static) -> impl IntoView {
    view! {
        <div class="skeletons" aria-hidden="true" hidden=hidden>
            <span class="skeleton"></span>
            <span class="skeleton"></span>
            <span class="skeleton"></span>
            <span class="skeleton"></span>
        </div>
    }
}
