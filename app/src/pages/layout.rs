//! What surrounds every page: title, header, main part, and the scripts of pages with islands.

use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::server::context::{self, Site};
use crate::server::current_user::CurrentUser;

/// Header and main part of a page.
#[component]
pub(crate) fn Layout(
    /// The page's part of the document's title.
    #[prop(into)]
    title: String,
    /// Classes of the main part.
    #[prop(default = "page page-narrow")]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let brand = use_context::<Site>().map(|site| site.brand).unwrap_or_default();
    let user = context::current_user().ok();
    view! {
        <Title text=title + " · " + &brand/>
        <a class="skip" href="#main">"Skip to the content"</a>
        <header class="top">
            <a class="brand" href="/">
                <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M3 8c3-3 6 3 9 0s6 3 9 0M3 15c3-3 6 3 9 0s6 3 9 0"/>
                </svg>
                <span>{brand} <span class="brand-suffix">" · Privacy"</span></span>
            </a>
            {user.map(|user| view! { <UserMenu user/> })}
        </header>
        <main id="main" class=class tabindex="-1">{children()}</main>
    }
}

/// Loads the bundle and hydrates the page's islands.
#[component]
pub(crate) fn Scripts() -> impl IntoView {
    use_context::<LeptosOptions>().map(|options| view! { <HydrationScripts options islands=true/> })
}

/// Who is signed in, and the button to sign out.
#[component]
fn UserMenu(user: CurrentUser) -> impl IntoView {
    let label = user.email.clone().or_else(|| user.name.clone());
    let initials = initials(&user);
    view! {
        <div class="flex items-center gap-3 text-sm min-w-0">
            {label.map(|label| view! { <span class="signed-in-as truncate">{label}</span> })}
            {initials.map(|initials| view! { <span class="initials" aria-hidden="true">{initials}</span> })}
            <form method="post" action="/sign-out">
                <button class="link">"Sign out"</button>
            </form>
        </div>
    }
}

/// `AL` for Ada Lovelace; for an address its first letter.
fn initials(user: &CurrentUser) -> Option<String> {
    let words = user.name.as_deref().or(user.email.as_deref())?;
    let letters: String = words.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    (!letters.is_empty()).then(|| letters.to_uppercase())
}
