//! The privacy center of a signed-in user: preferences, a copy, deletion, activity.

use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lethe::Lethe;
use lethe::overview::{self, Overview};
use lethe_error_code::ErrorCode;

use super::activity::{ActivityCard, ActivityItem, latest_export};
use super::error_page::error_page;
use super::layout::{Layout, Scripts};
use super::notices::{OtherUserNotice, RefusalNotice, StatusNotice};
use crate::dto::{CompletedExport, Preferences, UserHandle};
use crate::format;
use crate::islands::{DeletionDialog, ExportButton, PreferenceForm};
use crate::server::current_user::CurrentUser;
use crate::server::resume::{self, PendingAction, Resumed, ReturnTo};
use crate::server::{context, view_model};

/// Number of entries in the activity card.
const ACTIVITY_LIMIT: u32 = 6;

/// Reads the consent state and the activity, then renders the page.
pub(crate) fn center(lethe: Lethe, user: CurrentUser) -> impl IntoView {
    let query = use_query_map().get_untracked();
    let messages = FlashMessages {
        saved: query.get_str("saved") == Some("1"),
        unsaved: query.get_str("unsaved").map(ErrorCode::parse),
        export: match query.get_str("export").map(ErrorCode::parse) {
            // Since the redirect to this address the user may have signed in.
            Some(ErrorCode::NotSignedIn) => None,
            Some(ErrorCode::ReverificationNeeded) => resume::require_fresh_sign_in(&lethe, &user).err(),
            code => code,
        },
        resumed: resume::take(&lethe, &user, |action| {
            matches!(
                action,
                PendingAction::Preferences(_) | PendingAction::Confirm(ReturnTo::Export | ReturnTo::Dialog)
            )
        }),
    };
    let gpc = context::gpc();
    Suspend::new(async move {
        match overview::read(&lethe, &user.clerk_user_id, gpc, ACTIVITY_LIMIT).await {
            Ok(Overview { consent: state, activity }) => {
                let data = CenterData {
                    preferences: view_model::preferences(&state),
                    gpc_applied: state.gpc_applied,
                    delay: ClerkDelay::new(lethe.clerk.is_reachable(), state.mirror_delayed_since.is_some()),
                    impersonated: user.impersonated,
                    user_handle: user.user_handle,
                    now: format::rfc3339_micros(lethe.clock.now()),
                    latest: latest_export(&activity),
                    activity: activity.iter().map(|entry| ActivityItem::new(entry, &lethe.purposes)).collect(),
                };
                Either::Left(view! { <Center data messages/> })
            }
            Err(error) => Either::Right(error_page(&error)),
        }
    })
}

/// The result of a form that was sent without script, from the page's address and the cookie.
#[derive(Default)]
struct FlashMessages {
    saved: bool,
    unsaved: Option<ErrorCode>,
    export: Option<ErrorCode>,
    /// What the user was about to do before signing in.
    resumed: Option<Resumed>,
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
            Self::Everything => {
                "The sign-in service can't be reached at the moment. Preferences are saved and passed on to it later. \
                 A copy can be made when it answers again. A deletion begins at once and is finished then."
            }
            Self::Preferences => {
                "Your preferences are saved. Passing them on to the sign-in service takes longer than usual; it is \
                 tried until it works."
            }
        }
    }
}

/// Everything that the page shows.
struct CenterData {
    preferences: Preferences,
    /// Whether the browser's opt-out signal keeps a purpose off.
    gpc_applied: bool,
    delay: Option<ClerkDelay>,
    impersonated: bool,
    /// The user for whom the page is rendered.
    user_handle: UserHandle,
    now: String,
    latest: Option<CompletedExport>,
    activity: Vec<ActivityItem>,
}

#[component]
fn Center(data: CenterData, messages: FlashMessages) -> impl IntoView {
    let CenterData { preferences, gpc_applied, delay, impersonated, user_handle, now, latest, activity } = data;
    let FlashMessages { saved, unsaved, export, resumed } = messages;
    let is_other_user = resumed == Some(Resumed::OtherUser);
    let continues = |return_to| resumed == Some(Resumed::Continue(PendingAction::Confirm(return_to)));
    let still_unverified = |return_to| resumed == Some(Resumed::StillUnverified(return_to));
    let has_confirmed = continues(ReturnTo::Export);
    let export = if still_unverified(ReturnTo::Export) { Some(ErrorCode::StillUnverified) } else { export };
    // The dialog itself says whether the user can continue.
    let reopened = continues(ReturnTo::Dialog) || still_unverified(ReturnTo::Dialog);
    let draft = match resumed {
        Some(Resumed::Continue(PendingAction::Preferences(granted))) => Some(granted),
        _ => None,
    };
    // Each card's type is erased: together they would exceed the compiler's type-length limit.
    let preferences =
        view! { <PreferenceCard preferences gpc_applied user_handle=user_handle.clone() saved unsaved draft/> }
            .into_any();
    let copy = view! { <CopyCard latest now refused=export has_confirmed impersonated/> }.into_any();
    let deletion = view! { <DeletionCard impersonated user_handle reopened/> }.into_any();
    view! {
        <Scripts/>
        <Layout title="Privacy center" class="page page-wide">
            <div class="hero">
                <h1>"Your data, your decision"</h1>
                <p class="lead">
                    "What we may use your data for, a copy of everything we hold, and the way out. Nothing here needs an explanation from you."
                </p>
            </div>
            <nav class="side" aria-label="On this page">
                <a href="#preferences">"Preferences"</a>
                <a href="#copy">"Your data"</a>
                <a href="#deletion">"Delete account"</a>
                <a href="#activity">"Activity"</a>
            </nav>
            <div class="grid gap-6 min-w-0">
                {impersonated.then(|| view! {
                    <p class="note note-kept">
                        "Somebody is signed in for this person. Downloading and deleting are switched off."
                    </p>
                })}
                {is_other_user.then(|| view! { <OtherUserNotice/> })}
                {delay.map(|delay| view! { <p class="note note-kept" role="status">{delay.message()}</p> })}
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
    gpc_applied: bool,
    user_handle: UserHandle,
    saved: bool,
    unsaved: Option<ErrorCode>,
    draft: Option<Vec<String>>,
) -> impl IntoView {
    view! {
        <section class="card" id="preferences" aria-labelledby="preferences-title">
            <div class="card-head">
                <h2 id="preferences-title">"Privacy preferences"</h2>
                <p>"All of these are optional. Change your mind at any time, here, with the same click."</p>
            </div>
            {gpc_applied.then(|| view! { <GpcNotice/> })}
            <PreferenceForm record=preferences user_handle saved unsaved draft/>
        </section>
    }
}

#[component]
fn CopyCard(
    latest: Option<CompletedExport>,
    now: String,
    refused: Option<ErrorCode>,
    has_confirmed: bool,
    impersonated: bool,
) -> impl IntoView {
    // A refusal with a step that helps is a notice of its own; everything else fits beside the button.
    let (notice, refused): (Option<ErrorCode>, Option<ErrorCode>) =
        if needs_notice(refused) { (refused, None) } else { (None, refused) };
    view! {
        <section class="card" id="copy" aria-labelledby="copy-title">
            <div class="card-head">
                <h2 id="copy-title">"A copy of your data"</h2>
                <p>"One file with your profile and every row that is yours, for you to read and for other services to import."</p>
            </div>
            {(has_confirmed || notice.is_some()).then(|| view! {
                <div class="card-body">
                    {has_confirmed.then(|| view! { <StatusNotice text="You confirmed that it's you. Your download is ready to start."/> })}
                    {notice.map(|code| view! { <RefusalNotice code id="copy-refused" return_to=ReturnTo::Export/> })}
                </div>
            })}
            {(!impersonated).then(|| view! { <ExportButton latest now refused/> })}
        </section>
    }
}

const fn needs_notice(refused: Option<ErrorCode>) -> bool {
    matches!(refused, Some(ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified))
}

#[component]
fn DeletionCard(impersonated: bool, user_handle: UserHandle, reopened: bool) -> impl IntoView {
    view! {
        <section class="card" id="deletion" aria-labelledby="deletion-card-title">
            <div class="card-head">
                <h2 id="deletion-card-title">"Delete your account"</h2>
                <p>"Ends your account and erases your data. You see exactly what happens before anything does."</p>
            </div>
            {(!impersonated).then(|| view! {
                <div class="card-foot">
                    <p class="state">"Takes effect at once. Download a copy first if you want one."</p>
                    <DeletionDialog user_handle reopened/>
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
fn GpcNotice() -> impl IntoView {
    view! {
        <p class="note">
            <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
                <path d="M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6z"/><path d="M9 12l2 2 4-4"/>
            </svg>
            <span>
                "Your browser sends an opt-out signal (Global Privacy Control). It is honoured: what it concerns stays off."
            </span>
        </p>
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::dto::PurposeChoice;
    use crate::rendering::{HOSTILE, options, page};

    fn purpose(key: &str, title: &str, granted: bool) -> PurposeChoice {
        PurposeChoice {
            key: key.to_owned(),
            title: title.to_owned(),
            text: format!("{title}, in a sentence."),
            granted,
            status: if granted { "on since 3 March 2026".to_owned() } else { "off".to_owned() },
            locked: false,
        }
    }

    fn data(title: &str) -> CenterData {
        CenterData {
            preferences: Preferences {
                purposes: vec![
                    purpose("marketing", title, true),
                    purpose("analytics", "Analytics", false),
                    PurposeChoice {
                        locked: true,
                        status: "held off".to_owned(),
                        ..purpose("thirdParty", "Sharing", false)
                    },
                ],
                revision: "2026-03-03T09:41:00.000000Z".to_owned(),
                changed: Some("3 March 2026, 09:41 UTC".to_owned()),
            },
            gpc_applied: true,
            delay: None,
            impersonated: false,
            user_handle: UserHandle::new("00ff00ff00ff00ff00ff00ff00ff00ff".to_owned()),
            now: "2026-11-22T09:58:00.000000Z".to_owned(),
            latest: Some(CompletedExport {
                id: "2026-11-02T18:20:00.000000Z".to_owned(),
                at: "2 November 2026, 18:20 UTC".to_owned(),
                content: "1,204 rows, 1.2 MB".to_owned(),
            }),
            activity: vec![ActivityItem {
                timestamp: "2026-03-03T09:41:00.000000Z".to_owned(),
                datetime: "3 March 2026, 09:41 UTC".to_owned(),
                text: format!("{title} turned on, on this page"),
            }],
        }
    }

    async fn center(
        title: &'static str,
        messages: impl Fn() -> FlashMessages + Clone + Send + Sync + 'static,
    ) -> crate::rendering::Page {
        page(move || {
            provide_context(options());
            view! { <Center data=data(title) messages=messages()/> }
        })
        .await
    }

    #[tokio::test]
    async fn the_center_shows_everything_at_once() {
        assert_snapshot!(center("Marketing", FlashMessages::default).await.lines());
    }

    #[tokio::test]
    async fn stored_choice_is_rendered_as_stored() {
        let page = center("Marketing", FlashMessages::default).await;
        assert!(page.tag("purpose-marketing\"").contains(" checked"));
        assert!(!page.tag("purpose-analytics\"").contains(" checked"));
        let held = page.tag("purpose-thirdParty\"");
        assert!(held.contains(" disabled") && !held.contains(" checked"));
        assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1);
    }

    #[tokio::test]
    async fn plain_form_gets_a_message_about_its_result() {
        let saved = center("Marketing", || FlashMessages { saved: true, ..FlashMessages::default() }).await;
        assert!(saved.html.contains("Saved"));
        assert!(!saved.html.contains("Last changed"));
        let unsaved =
            center("Marketing", || FlashMessages { unsaved: Some(ErrorCode::Unavailable), ..FlashMessages::default() })
                .await;
        assert!(unsaved.html.contains("Couldn't save. "));
        let refused = center("Marketing", || FlashMessages {
            export: Some(ErrorCode::TooManyRequests),
            ..FlashMessages::default()
        })
        .await;
        assert!(refused.html.contains("Not downloaded. "));
    }

    #[tokio::test]
    async fn returning_user_continues_where_they_were() {
        let back = |action: PendingAction| {
            center("Marketing", move || FlashMessages {
                resumed: Some(Resumed::Continue(action.clone())),
                ..FlashMessages::default()
            })
        };
        let page = back(PendingAction::Confirm(ReturnTo::Export)).await;
        assert!(page.html.contains("Your download is ready to start."));
        let page = back(PendingAction::Confirm(ReturnTo::Dialog)).await;
        assert!(
            page.html.contains(r"&quot;reopened&quot;:true") || page.html.contains(r#""reopened":true"#),
            "{}",
            page.html
        );
        let page = back(PendingAction::Preferences(vec!["analytics".to_owned(), "thirdParty".to_owned()])).await;
        assert!(!page.tag("purpose-marketing\"").contains(" checked"));
        assert!(page.tag("purpose-analytics\"").contains(" checked"));
        assert!(!page.tag("purpose-thirdParty\"").contains(" checked"), "what is held off stays off");
        assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1, "shown is what the server has");
        let page =
            center("Marketing", || FlashMessages { resumed: Some(Resumed::OtherUser), ..FlashMessages::default() })
                .await;
        assert!(page.html.contains("was for another account, and was dropped."));
    }

    #[tokio::test]
    async fn download_offers_the_verification_that_it_needs() {
        let refused =
            |code| center("Marketing", move || FlashMessages { export: Some(code), ..FlashMessages::default() });
        let page = refused(ErrorCode::ReverificationNeeded).await;
        assert!(page.tag(r#"value="export""#).contains(r#"name="for""#));
        let page = refused(ErrorCode::StillUnverified).await;
        assert!(page.html.contains("write to us") && !page.html.contains(r#"value="export""#));
    }

    #[tokio::test]
    async fn clerk_outage_shows_a_notice() {
        assert_eq!(ClerkDelay::new(true, false), None);
        for (delay, text) in
            [(ClerkDelay::new(false, true), "Preferences are saved"), (ClerkDelay::new(true, true), "are saved")]
        {
            let page = page(
                move || view! { <Center data=CenterData { delay, ..data("Marketing") } messages=FlashMessages::default()/> },
            );
            assert!(page.await.html.contains(text));
        }
    }

    #[tokio::test]
    async fn foreign_text_is_never_markup() {
        let page = center(HOSTILE, FlashMessages::default).await;
        assert!(!page.html.contains("<script>alert"));
        assert!(!page.html.contains("<b title"));
        assert!(!page.html.contains("</script><script>"));
    }

    #[tokio::test]
    async fn impersonated_session_neither_downloads_nor_deletes() {
        let page =
            page(|| view! { <Center data=CenterData { impersonated: true, ..data("Marketing") } messages=FlashMessages::default()/> })
                .await;
        assert!(!page.html.contains("/api/privacy/export"));
        assert!(!page.html.contains("/delete"));
    }
}
