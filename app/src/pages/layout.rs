//! What surrounds every page: title, header, main part, footer, and the scripts.

use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::Title;

use crate::server::context::{self, Site};
use crate::server::current_user::CurrentUser;
use crate::server::error_texts;
use crate::texts;

/// Small conveniences where script runs: times in the reader's zone, the buttons that copy a link and print. A form that starts
/// a deletion is sent once, and offers no way back meanwhile. Notices are put in once more after the page has opened: screen
/// readers announce what changes in a live region, not what is there from the start. It also keeps the islands' markup, and puts it back before they hydrate: a translation or an extension may have changed it, and
/// hydration needs what the server rendered.
const PAGE_SCRIPT: &str = include_str!("page.js");

/// Header, main part and footer of a page.
#[component]
pub(crate) fn Layout(
    /// The page's part of the document's title.
    #[prop(into)]
    title: String,
    /// Classes of the main part.
    #[prop(default = "page page-narrow")]
    class: &'static str,
    /// Whether the page is about whoever is signed in.
    #[prop(default = true)]
    is_personal: bool,
    /// The user of a page for whoever has no account any more but a deletion under way.
    #[prop(optional)]
    departing: Option<CurrentUser>,
    children: Children,
) -> impl IntoView {
    let site = use_context::<Site>();
    let brand = site.as_ref().map(|site| site.brand.clone()).unwrap_or_default();
    let user = context::current_user().ok().filter(|_| is_personal).or(departing);
    let suffix = error_texts::brand_suffix(&brand);
    view! {
        <Title text=title + " · " + &brand/>
        <a class="skip" href="#main">{texts::SKIP}</a>
        <header class="top">
            <a class="brand" href="/">
                <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                    <path d="M3 8c3-3 6 3 9 0s6 3 9 0M3 15c3-3 6 3 9 0s6 3 9 0"/>
                </svg>
                <span dir="auto">
                    {brand} {suffix.map(|suffix| view! { <span class="brand-suffix">{suffix}</span> })}
                </span>
            </a>
            {user.map(|user| view! { <UserMenu user/> })}
        </header>
        <main id="main" class=class tabindex="-1">{children()}</main>
        {site.map(|site| view! { <Footer site/> })}
        <script nonce=use_nonce()>{PAGE_SCRIPT}</script>
    }
    // Pages consist of several layouts, one for each outcome: together their types would exceed the compiler's limits.
    .into_any()
}

/// Loads the bundle and hydrates the page's islands.
#[component]
pub(crate) fn Scripts() -> impl IntoView {
    use_context::<LeptosOptions>().map(|options| view! { <HydrationScripts options islands=true/> })
}

/// Who is signed in, and the button to sign out.
#[component]
fn UserMenu(user: CurrentUser) -> impl IntoView {
    let account = user.account().map(|account| {
        let label = texts::signed_in_as(account);
        view! {
            <span class="signed-in-as" title=account.to_owned()>
                <span class="sr-only">{label}</span>
                <span aria-hidden="true" dir="auto">{account.to_owned()}</span>
            </span>
        }
    });
    let initials = initials(&user);
    view! {
        <div class="user-menu">
            {initials.map(|initials| view! { <span class="initials" aria-hidden="true">{initials}</span> })}
            {account}
            <form method="post" action="/sign-out">
                <button class="link">{texts::SIGN_OUT}</button>
            </form>
        </div>
    }
}

/// Where else to go. Only what the operator has set.
#[component]
fn Footer(site: Site) -> impl IntoView {
    let link = |url: Option<String>, text: String| url.map(|url| view! { <li><a href=url>{text}</a></li> });
    let Site { brand, contact_url, privacy_notice_url, application_url, .. } = site;
    view! {
        <footer class="bottom">
            <nav aria-label=texts::FOOTER>
                <ul>
                    {link(application_url, texts::back_to(brand))}
                    {link(privacy_notice_url, texts::PRIVACY_NOTICE.to_owned())}
                    {link(contact_url, texts::CONTACT.to_owned())}
                    {link(Some("/receipt".to_owned()), texts::FIND_RECEIPT.to_owned())}
                </ul>
            </nav>
        </footer>
    }
}

/// `AL` for Ada Lovelace; for an address its first letter.
fn initials(user: &CurrentUser) -> Option<String> {
    let words = user.name.as_deref().or(user.email.as_deref())?;
    let letters: String = words.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    (!letters.is_empty()).then(|| letters.to_uppercase())
}
