//! The pages. Each reads what it shows with one call and is then rendered. None changes anything.

mod activity;
mod center;
mod delete;
mod error_page;
mod home;
mod landing;
mod layout;
mod notices;
mod receipt;

use leptos::prelude::*;
use leptos_router::components::{Route, Routes};
use leptos_router::{SsrMode, path};

use self::delete::Delete;
use self::error_page::NotFound;
use self::home::Home;
use self::receipt::Receipt;

/// Every page and its path. The server takes its routes from here.
#[component]
pub(crate) fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=NotFound>
            <Route path=path!("/") view=Home ssr=SsrMode::Async/>
            <Route path=path!("/delete") view=Delete ssr=SsrMode::Async/>
            <Route path=path!("/receipt/:code") view=Receipt ssr=SsrMode::Async/>
        </Routes>
    }
}
