//! The pages. Each reads what it shows with one call and is then rendered. None changes anything.

mod activity;
mod center;
mod confirm_again;
mod confirmation_field;
mod delete;
mod error_page;
mod find_receipt;
mod held_data;
mod home;
mod landing;
mod layout;
mod notices;
mod purposes;
mod receipt;

use leptos::prelude::*;
use leptos_router::components::{Route, Routes};
use leptos_router::{SsrMode, path};

use self::activity::Activity;
use self::delete::Delete;
use self::error_page::NotFound;
use self::find_receipt::FindReceipt;
use self::held_data::HeldData;
use self::home::Home;
use self::receipt::Receipt;

/// Every page and its path. The server takes its routes from here.
#[component]
pub(crate) fn Pages() -> impl IntoView {
    view! {
        <Routes fallback=NotFound>
            <Route path=path!("/") view=Home ssr=SsrMode::Async/>
            <Route path=path!("/delete") view=Delete ssr=SsrMode::Async/>
            <Route path=path!("/data") view=HeldData ssr=SsrMode::Async/>
            <Route path=path!("/activity") view=Activity ssr=SsrMode::Async/>
            <Route path=path!("/receipt") view=FindReceipt ssr=SsrMode::Async/>
            <Route path=path!("/receipt/:code") view=Receipt ssr=SsrMode::Async/>
        </Routes>
    }
}
