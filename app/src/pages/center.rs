//! The privacy center of a signed-in user: what is held, preferences, a copy, deletion, activity.

use leptos::either::Either;
use leptos::prelude::*;
use lethe::Lethe;
use lethe::overview::{self, Overview};
use lethe_error_code::ErrorCode;

use super::activity::ActivityCard;
use super::error_page::error_page;
use super::held_data::HeldDataCard;
use super::layout::{Layout, Scripts};
use super::notices::{OtherUserNotice, RefusalNotice, StatusNotice};
use super::purposes::{FormResult, Purposes};
use crate::dto::{ActivityItem, CompletedExport, Preferences, Time, UserHandle};
use crate::islands::{DeletionDialog, ExportButton, FirstText, PreferenceForm};
use crate::server::activity_text::{self, RECENT_ACTIVITY};
use crate::server::current_user::CurrentUser;
use crate::server::flash::{self, Flash};
use crate::server::resume::{self, PendingAction, Resumed, ReturnTo};
use crate::server::{context, view_model};
use crate::{format, texts};

/// Reads the consent state and the activity, then renders the page.
pub(crate) fn center(lethe: Lethe, user: CurrentUser) -> impl IntoView {
    let messages = Messages {
        flash: flash::take(&lethe, Some(&user)),
        verification: resume::require_fresh_sign_in(&lethe, &user).err().filter(|_| !user.is_impersonated()),
        resumed: resume::take(&lethe, &user, |action| {
            matches!(
                action,
                PendingAction::Preferences(_) | PendingAction::Confirm(ReturnTo::Export | ReturnTo::Dialog)
            )
        }),
    };
    // Whoever acts for the user has a browser of their own.
    let gpc = user.sends_opt_out_signal(context::gpc());
    Suspend::new(async move {
        match overview::read(&lethe, &user.clerk_user_id, gpc, RECENT_ACTIVITY).await {
            Ok(Overview { consent: state, activity, latest_export }) => {
                let locked = state.purposes.iter().filter(|purpose| purpose.locked);
                let data = CenterData {
                    preferences: view_model::preferences(&state),
                    turned_off_by_signal: locked.map(|state| state.purpose.title.clone()).collect(),
                    delay: ClerkDelay::new(lethe.clerk.is_reachable(), state.mirror_delayed_since.is_some()),
                    impersonated: user.is_impersonated(),
                    account: user.account().unwrap_or_default().to_owned(),
                    user_handle: user.user_handle,
                    now: view_model::time(lethe.clock.now()),
                    latest: latest_export.as_ref().map(view_model::completed_export),
                    activity: activity_text::activity(&activity, &lethe.purposes),
                };
                Either::Left(view! { <Center data messages/> })
            }
            Err(error) => Either::Right(error_page(&error)),
        }
    })
}

/// What the page says about what happened just before.
#[derive(Clone, Default)]
struct Messages {
    flash: Option<Flash>,
    /// Why a download or a deletion would be refused now.
    verification: Option<ErrorCode>,
    /// What the user was about to do before signing in.
    resumed: Option<Resumed>,
}

impl Messages {
    fn continues(&self, return_to: ReturnTo) -> bool {
        self.resumed == Some(Resumed::Continue(PendingAction::Confirm(return_to)))
    }

    fn is_still_unverified(&self, return_to: ReturnTo) -> bool {
        self.resumed == Some(Resumed::StillUnverified(return_to))
    }

    /// Whether another user was about to do this.
    fn was_of_other_user(&self, is_this: impl Fn(&PendingAction) -> bool) -> bool {
        matches!(&self.resumed, Some(Resumed::OtherUser(action)) if is_this(action))
    }
}

/// What takes longer than usual because of Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClerkDelay {
    /// Clerk can't be reached.
    Everything,
    /// Clerk responds, but doesn't have this user's choice yet.
    Preferences,
}

impl ClerkDelay {
    const fn new(reachable: bool, mirror_delayed: bool) -> Option<Self> {
        match (reachable, mirror_delayed) {
            (false, _) => Some(Self::Everything),
            (true, true) => Some(Self::Preferences),
            (true, false) => None,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Everything => texts::CLERK_DOWN,
            Self::Preferences => texts::MIRROR_DELAYED,
        }
    }
}

/// Everything that the page shows.
struct CenterData {
    preferences: Preferences,
    /// The titles of the purposes that the browser's opt-out signal keeps off.
    turned_off_by_signal: Vec<String>,
    delay: Option<ClerkDelay>,
    impersonated: bool,
    /// What the user calls the account.
    account: String,
    /// The user for whom the page is rendered.
    user_handle: UserHandle,
    now: Time,
    latest: Option<CompletedExport>,
    activity: Vec<ActivityItem>,
}

#[component]
fn Center(data: CenterData, messages: Messages) -> impl IntoView {
    let CenterData {
        preferences,
        turned_off_by_signal,
        delay,
        impersonated,
        account,
        user_handle,
        now,
        latest,
        activity,
    } = data;
    // Each card's type is erased: together they would exceed the compiler's type-length limit.
    let held_data = view! { <HeldDataCard user_handle=user_handle.clone()/> }.into_any();
    let copy = view! { <CopyCard latest now messages=messages.clone() impersonated/> }.into_any();
    let deletion = {
        let (user_handle, messages) = (user_handle.clone(), messages.clone());
        view! { <DeletionCard impersonated user_handle account messages/> }.into_any()
    };
    // Without purposes there is nothing to decide.
    let has_purposes = !preferences.purposes.is_empty();
    let preferences = has_purposes
        .then(|| view! { <PreferenceCard preferences turned_off_by_signal user_handle messages/> }.into_any());
    view! {
        <Scripts/>
        <Layout title=texts::CENTER_TITLE class="page page-wide">
            <div class="hero">
                <h1>{texts::HERO}</h1>
                <p class="lead">{texts::CENTER_LEAD}</p>
            </div>
            <nav class="side" aria-label=texts::ON_THIS_PAGE>
                <a href="#data">{texts::HELD}</a>
                {has_purposes.then(|| view! { <a href="#preferences">{texts::PREFERENCES}</a> })}
                <a href="#copy">{texts::COPY}</a>
                <a href="#deletion">{texts::DELETION}</a>
                <a href="#activity">{texts::ACTIVITY}</a>
            </nav>
            <div class="cards grid gap-6 min-w-0">
                {impersonated.then(|| view! { <p class="note note-warning">{texts::IMPERSONATED}</p> })}
                {delay.map(|delay| view! { <p class="note note-warning" role="status">{delay.message()}</p> })}
                {held_data}
                {preferences}
                {copy}
                {deletion}
                <ActivityCard items=activity/>
            </div>
        </Layout>
    }
}

#[component]
fn PreferenceCard(
    preferences: Preferences,
    turned_off_by_signal: Vec<String>,
    user_handle: UserHandle,
    messages: Messages,
) -> impl IntoView {
    let is_other_user = messages.was_of_other_user(|action| matches!(action, PendingAction::Preferences(_)));
    let Messages { flash, resumed, .. } = messages;
    let result = match (resumed, flash) {
        (Some(Resumed::Continue(PendingAction::Preferences(granted))), _) => FormResult::Restored(granted),
        (_, Some(Flash::Saved)) => FormResult::Saved,
        (_, Some(Flash::NotSaved(code))) => FormResult::NotSaved(code),
        _ => FormResult::None,
    };
    let (text, tone) = result.status(&preferences);
    provide_context(FirstText { text, tone });
    view! {
        <section class="card" id="preferences" aria-labelledby="preferences-title">
            <div class="card-head">
                <h2 id="preferences-title">{texts::PREFERENCES}</h2>
                <p>{texts::PREFERENCES_LEAD}</p>
            </div>
            {is_other_user.then(|| view! { <OtherUserNotice/> })}
            {(!turned_off_by_signal.is_empty()).then(|| view! { <GpcNotice turned_off_by_signal/> })}
            <PreferenceForm><Purposes preferences user_handle result/></PreferenceForm>
        </section>
    }
}

#[component]
fn CopyCard(latest: Option<CompletedExport>, now: Time, messages: Messages, impersonated: bool) -> impl IntoView {
    let is_other_user = messages.was_of_other_user(|action| matches!(action, PendingAction::Confirm(ReturnTo::Export)));
    let has_confirmed = messages.continues(ReturnTo::Export);
    let (refused, incident) = match &messages.flash {
        Some(Flash::ExportRefused(code, incident)) => (Some(*code), incident.clone()),
        _ => (None, String::new()),
    };
    let still_unverified = messages.is_still_unverified(ReturnTo::Export).then_some(ErrorCode::StillUnverified);
    // The user may have signed in since.
    let is_outdated = |code: &ErrorCode| matches!(code, ErrorCode::NotSignedIn | ErrorCode::ReverificationNeeded);
    let refused = refused.filter(|code| !is_outdated(code));
    // The step that helps comes before the button that would be refused.
    let verification = still_unverified.or(messages.verification);
    let refused_elsewhere = refused.filter(|_| verification.is_none());
    let (text, tone) = match (refused_elsewhere, &latest) {
        (Some(code), _) => (texts::not_downloaded(code.message()), "error"),
        (None, Some(last)) => (texts::last_download(&last.at.text, &last.content), "rest"),
        (None, None) => (texts::COPY_IDLE.to_owned(), "rest"),
    };
    provide_context(FirstText { text, tone });
    let (latest_at, latest_content) = latest.map(|latest| (latest.at.timestamp, latest.content)).unzip();
    view! {
        <section
            class="card"
            id="copy"
            aria-labelledby="copy-title"
            data-now=now.timestamp
            data-latest=latest_at
            data-latest-content=latest_content
            data-refused=refused_elsewhere.map(ErrorCode::as_str)
        >
            <div class="card-head">
                <h2 id="copy-title">{texts::COPY}</h2>
                <p>{texts::COPY_LEAD}</p>
            </div>
            {is_other_user.then(|| view! { <OtherUserNotice/> })}
            {has_confirmed.then(|| view! { <StatusNotice text=texts::COPY_CONFIRMED/> })}
            {verification.map(|code| view! {
                <div class="card-body"><RefusalNotice code id="copy-refused" return_to=ReturnTo::Export/></div>
            })}
            {refused_elsewhere.filter(|_| !incident.is_empty()).map(|_| view! {
                <p class="card-body text-soft">{texts::reference(incident)}</p>
            })}
            {(!impersonated && verification.is_none()).then(|| view! {
                <ExportButton/>
            })}
        </section>
    }
}

#[component]
fn DeletionCard(impersonated: bool, user_handle: UserHandle, account: String, messages: Messages) -> impl IntoView {
    let is_other_user = messages.was_of_other_user(|action| {
        matches!(action, PendingAction::Confirm(ReturnTo::Dialog | ReturnTo::Page) | PendingAction::Deletion(_))
    });
    // The dialog itself says whether the user can continue.
    let reopened = messages.continues(ReturnTo::Dialog) || messages.is_still_unverified(ReturnTo::Dialog);
    view! {
        <section
            class="card"
            id="deletion"
            aria-labelledby="deletion-card-title"
            data-person=user_handle.as_str().to_owned()
            data-account=account
            data-reopened=reopened.then_some("true")
        >
            <div class="card-head">
                <h2 id="deletion-card-title">{texts::DELETION}</h2>
                <p>{texts::DELETION_LEAD}</p>
            </div>
            {is_other_user.then(|| view! { <OtherUserNotice/> })}
            {(!impersonated).then(|| view! {
                <div class="card-foot">
                    <p class="state">{texts::DELETION_WARNING}</p>
                    <DeletionDialog/>
                </div>
                // Behind a button of the dialog, which is a form itself.
                <form method="post" action="/confirm-identity" id="confirm-identity">
                    <input type="hidden" name="for" value=ReturnTo::Dialog.as_str()/>
                </form>
            })}
        </section>
    }
}

/// Says that the browser's opt-out signal is honored (11 CCR 7025(c)).
#[component]
fn GpcNotice(turned_off_by_signal: Vec<String>) -> impl IntoView {
    let titles: Vec<_> = turned_off_by_signal.into_iter().map(|title| format!("“{title}”")).collect();
    view! {
        <p class="note">
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                <path d="M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z"/><path d="M9 12l2 2 4-4"/>
            </svg>
            <span>{texts::GPC} " " {texts::gpc_keeps_off(format::join(&titles))}</span>
        </p>
    }
}

#[cfg(test)]
mod tests;
