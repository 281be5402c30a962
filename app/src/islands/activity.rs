//! The list of what happened most recently. The server renders it, also when another island has changed something.

use leptos::html;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;

use super::browser;
use super::http::{Call, Method};
use crate::server_fns::RecentActivity as RecentActivityFunction;

/// The newest entries, newest first.
#[island]
pub(crate) fn RecentActivity(children: Children) -> impl IntoView {
    let list = NodeRef::<html::Div>::new();
    Effect::new(move |_| {
        let read = move |_| {
            spawn_local(async move {
                let newest = Call::new(Method::Get, RecentActivityFunction::PATH, &[]).send_once().await;
                if let (Ok(newest), Some(list)) = (newest, list.get_untracked()) {
                    browser::set_markup(&list, &newest.text("list"));
                }
            });
        };
        let listener = window_event_listener_untyped(browser::ACTIVITY_EVENT, read);
        on_cleanup(move || listener.remove());
    });
    view! { <div node_ref=list>{children()}</div> }
}
