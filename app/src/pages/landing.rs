//! The page for signed-out visitors.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::Lethe;
use lethe::deletion::ReceiptCode;
use lethe_error_code::ErrorCode;

use super::layout::Layout;
use super::notices::StatusNotice;
use crate::server::context::SignInUrl;
use crate::server::flash::{self, Flash};
use crate::texts;

/// What can be done here, and the link to sign in.
#[component]
pub(crate) fn Landing() -> impl IntoView {
    let sign_in_url = use_context::<SignInUrl>().map(|SignInUrl(url)| url);
    let lethe = use_context::<Lethe>();
    let notice = lethe.as_ref().and_then(|lethe| flash::take(lethe, None)).as_ref().and_then(message);
    let ongoing = use_context::<ReceiptCode>();
    // Whoever is signed in already would come straight back.
    let can_sign_in = ongoing.is_none();
    let has_purposes = lethe.as_ref().is_none_or(|lethe| !lethe.purposes.is_empty());
    let all_off = lethe.is_some_and(|lethe| lethe.purposes.iter().all(|purpose| !purpose.default_granted));
    let preferences = if all_off { texts::OFFER_PREFERENCES_ALL_OFF } else { texts::OFFER_PREFERENCES_TEXT };
    view! {
        <Layout title=texts::CENTER_TITLE>
            <h1>{texts::HERO}</h1>
            <p class="lead">{texts::LANDING_LEAD}</p>
            {notice.map(|text| view! { <div class="mt-6"><StatusNotice text/></div> })}
            {ongoing.map(|code| view! {
                <p class="note mt-6" role="status">
                    <span>
                        {texts::DELETION_UNDER_WAY} " "
                        <a href=format!("/receipt/{}", code.as_str())>{texts::SEE_PROGRESS}</a>
                    </span>
                </p>
            })}
            <ul class="card offers" role="list">
                {has_purposes.then(|| view! {
                    <Offer title=texts::OFFER_PREFERENCES text=preferences drawing="M5 12l5 5 9-10"/>
                })}
                <Offer title=texts::OFFER_COPY text=texts::OFFER_COPY_TEXT drawing="M12 4v11M7 11l5 5 5-5M5 20h14"/>
                <Offer
                    title=texts::OFFER_DELETION
                    text=texts::OFFER_DELETION_TEXT
                    drawing="M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13"
                />
            </ul>
            {if can_sign_in {
                Either::Left(view! {
                    <p class="mt-8"><a class="button button-wide" href=sign_in_url>{texts::SIGN_IN}</a></p>
                })
            } else {
                Either::Right(view! {
                    <form method="post" action="/sign-out" class="mt-8">
                        <button class="button button-quiet">{texts::SIGN_OUT}</button>
                    </form>
                })
            }}
        </Layout>
    }
}

/// What there is to say about what was begun before the session ended.
fn message(flash: &Flash) -> Option<String> {
    match flash {
        Flash::SignedOut => Some(texts::SIGNED_OUT.to_owned()),
        Flash::NotSaved(ErrorCode::NotSignedIn) => Some(texts::SAVE_SIGNED_OUT.to_owned()),
        Flash::ExportRefused(ErrorCode::NotSignedIn, _) => {
            Some(texts::not_downloaded(ErrorCode::NotSignedIn.message()))
        }
        Flash::DeletionRefused(ErrorCode::NotSignedIn) => {
            Some([ErrorCode::NotSignedIn.message(), texts::NOTHING_DELETED].join(" "))
        }
        _ => None,
    }
}

/// One thing that can be done here.
#[component]
fn Offer(title: &'static str, text: &'static str, drawing: &'static str) -> impl IntoView {
    view! {
        <li>
            <span class="offer-icon" aria-hidden="true">
                <svg class="icon" viewBox="0 0 24 24"><path d=drawing/></svg>
            </span>
            <h2>{title}</h2>
            <p>{text}</p>
        </li>
    }
}
