//! What surrounds every page: header, title, the way past the header.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::api::context::{Person, Site, Visitor};

/// Header and main part of a page.
#[component]
pub(crate) fn Layout(
    /// The page's own name, as it stands in the title.
    #[prop(into)]
    title: String,
    /// Layout of the main part.
    #[prop(default = "page page-narrow")]
    class: &'static str,
    children: Children,
) -> impl IntoView {
    let brand = use_context::<Site>().map(|site| site.brand).unwrap_or_default();
    let person = use_context::<Visitor>().and_then(|visitor| visitor.person);
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
            {person.map(|person| view! { <UserMenu person/> })}
        </header>
        <main id="main" class=class tabindex="-1">{children()}</main>
    }
}

/// Who is signed in, and the way out.
#[component]
fn UserMenu(person: Person) -> impl IntoView {
    let label = person.email.clone().or_else(|| person.name.clone());
    let initials = initials(&person);
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

/// `AL` of Ada Lovelace; of an address its first letter.
fn initials(person: &Person) -> Option<String> {
    let words = person.name.as_deref().or(person.email.as_deref())?;
    let letters: String = words.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    (!letters.is_empty()).then(|| letters.to_uppercase())
}
