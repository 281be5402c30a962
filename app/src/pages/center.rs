//! The privacy center of a signed-in person: preferences, a copy, deletion, activity.

use leptos::config::LeptosOptions;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lethe::overview::{self, Overview};

use super::activity::{ActivityCard, ActivityItem, latest_export};
use super::confirm::{ErrorNotice, OtherUserNotice, StatusNote};
use super::error_page::error_page;
use super::layout::Layout;
use crate::api::respond::Caller;
use crate::api::resume::{self, PendingAction, Resumed, ReturnTo};
use crate::api::{CompletedExport, ErrorCode, Preferences, view_model};
use crate::components::{DeletionDialog, ExportButton, PreferenceForm};
use crate::format;

/// Newest entries of the activity that are shown.
const ACTIVITY_LIMIT: u32 = 6;

/// Loads the record and the activity, then shows everything.
pub(crate) fn center(caller: Caller) -> impl IntoView {
    let query = use_query_map().get_untracked();
    let messages = FlashMessages {
        saved: query.get_str("saved") == Some("1"),
        unsaved: query.get_str("unsaved").map(ErrorCode::parse),
        export: match query.get_str("export").map(ErrorCode::parse) {
            // What the address says about the way here may be over by now.
            Some(ErrorCode::NotSignedIn) => None,
            Some(ErrorCode::ReverificationNeeded) => caller.require_fresh_sign_in().err(),
            code => code,
        },
        resumed: resume::take(&caller, |action| {
            matches!(
                action,
                PendingAction::Preferences(_) | PendingAction::Confirm(ReturnTo::Export | ReturnTo::Dialog)
            )
        }),
    };
    Suspend::new(async move {
        let subject = &caller.person.clerk_user_id;
        match overview::read(&caller.lethe, subject, caller.visitor.gpc, ACTIVITY_LIMIT).await {
            Ok(Overview { consent: record, activity }) => {
                let data = CenterData {
                    preferences: view_model::preferences(&record),
                    signal: record.gpc_applied,
                    delay: ClerkDelay::of(caller.lethe.clerk.is_reachable(), record.mirror_delayed_since.is_some()),
                    impersonated: caller.person.impersonated,
                    user_handle: caller.user_handle(),
                    now: format::rfc3339_micros(caller.lethe.clock.now()),
                    latest: latest_export(&activity),
                    activity: activity.iter().map(|it| ActivityItem::of(it, &caller.lethe.purposes)).collect(),
                };
                Either::Left(view! { <Center data messages/> })
            }
            Err(error) => Either::Right(error_page(error.into())),
        }
    })
}

/// What the page's address tells about a form that was sent without script.
#[derive(Default)]
struct FlashMessages {
    saved: bool,
    unsaved: Option<ErrorCode>,
    export: Option<ErrorCode>,
    /// What the person came back for.
    resumed: Option<Resumed>,
}

/// What takes longer than usual, because of Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClerkDelay {
    /// Clerk can't be reached.
    Everything,
    /// Clerk answers, and doesn't have this person's choice yet.
    Preferences,
}

impl ClerkDelay {
    fn of(reachable: bool, mirror_delayed: bool) -> Option<Self> {
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
    /// Whether the browser's opt-out signal holds something off.
    signal: bool,
    delay: Option<ClerkDelay>,
    impersonated: bool,
    /// The mark of whom it is made for.
    user_handle: String,
    now: String,
    latest: Option<CompletedExport>,
    activity: Vec<ActivityItem>,
}

#[component]
fn Center(data: CenterData, messages: FlashMessages) -> impl IntoView {
    let CenterData { preferences, signal, delay, impersonated, user_handle, now, latest, activity } = data;
    let FlashMessages { saved, unsaved, export, resumed } = messages;
    let is_other_user = resumed == Some(Resumed::OtherUser);
    let continues = |return_to| resumed == Some(Resumed::Continue(PendingAction::Confirm(return_to)));
    let still_unverified = |return_to| resumed == Some(Resumed::StillUnverified(return_to));
    let has_confirmed = continues(ReturnTo::Export);
    let export = if still_unverified(ReturnTo::Export) { Some(ErrorCode::StillUnverified) } else { export };
    // The dialog says itself whether it can go on.
    let reopened = continues(ReturnTo::Dialog) || still_unverified(ReturnTo::Dialog);
    let draft = match resumed {
        Some(Resumed::Continue(PendingAction::Preferences(granted))) => Some(granted),
        _ => None,
    };
    // Each card's type is erased: together they are more than the compiler wants to name.
    let preferences =
        view! { <PreferenceCard preferences signal user_handle=user_handle.clone() saved unsaved draft/> }.into_any();
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
                <ActivityCard entries=activity/>
            </div>
        </Layout>
    }
}

#[component]
fn PreferenceCard(
    preferences: Preferences,
    signal: bool,
    user_handle: String,
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
            {signal.then(|| view! { <SignalNote/> })}
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
    // Why, and what helps, stands in a note; everything else fits beside the button.
    let (noted, refused): (Option<ErrorCode>, Option<ErrorCode>) =
        if needs_note(refused) { (refused, None) } else { (None, refused) };
    view! {
        <section class="card" id="copy" aria-labelledby="copy-title">
            <div class="card-head">
                <h2 id="copy-title">"A copy of your data"</h2>
                <p>"One file with your profile and every row that is yours, for you to read and for other services to import."</p>
            </div>
            {(has_confirmed || noted.is_some()).then(|| view! {
                <div class="card-body">
                    {has_confirmed.then(|| view! { <StatusNote words="You confirmed that it's you. Your download is ready to start."/> })}
                    {noted.map(|code| view! { <ErrorNotice code id="copy-refused" return_to=ReturnTo::Export/> })}
                </div>
            })}
            {(!impersonated).then(|| view! { <ExportButton latest now refused/> })}
        </section>
    }
}

const fn needs_note(refused: Option<ErrorCode>) -> bool {
    matches!(refused, Some(ErrorCode::ReverificationNeeded | ErrorCode::StillUnverified))
}

#[component]
fn DeletionCard(impersonated: bool, user_handle: String, reopened: bool) -> impl IntoView {
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

/// Says that the browser's signal was heard (11 CCR 7025(c)).
#[component]
fn SignalNote() -> impl IntoView {
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

/// What wakes the islands.
#[component]
pub(crate) fn Scripts() -> impl IntoView {
    use_context::<LeptosOptions>().map(|options| view! { <HydrationScripts options islands=true/> })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::api::PurposeChoice;
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
            signal: true,
            delay: None,
            impersonated: false,
            user_handle: "00ff00ff00ff00ff00ff00ff00ff00ff".to_owned(),
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
    async fn a_stored_choice_is_shown_as_it_is_stored() {
        let page = center("Marketing", FlashMessages::default).await;
        assert!(page.tag("purpose-marketing\"").contains(" checked"));
        assert!(!page.tag("purpose-analytics\"").contains(" checked"));
        let held = page.tag("purpose-thirdParty\"");
        assert!(held.contains(" disabled") && !held.contains(" checked"));
        assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1);
    }

    #[tokio::test]
    async fn a_form_sent_without_script_hears_what_became_of_it() {
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
    async fn who_comes_back_goes_on_where_they_were() {
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
    async fn a_download_that_wants_a_confirmation_offers_it() {
        let refused =
            |code| center("Marketing", move || FlashMessages { export: Some(code), ..FlashMessages::default() });
        let page = refused(ErrorCode::ReverificationNeeded).await;
        assert!(page.tag(r#"value="export""#).contains(r#"name="for""#));
        let page = refused(ErrorCode::StillUnverified).await;
        assert!(page.html.contains("write to us") && !page.html.contains(r#"value="export""#));
    }

    #[tokio::test]
    async fn what_takes_longer_is_told() {
        assert_eq!(ClerkDelay::of(true, false), None);
        for (delay, message) in
            [(ClerkDelay::of(false, true), "Preferences are saved"), (ClerkDelay::of(true, true), "are saved")]
        {
            let page = page(
                move || view! { <Center data=CenterData { delay, ..data("Marketing") } messages=FlashMessages::default()/> },
            );
            assert!(page.await.html.contains(message));
        }
    }

    #[tokio::test]
    async fn what_others_wrote_is_never_markup() {
        let page = center(HOSTILE, FlashMessages::default).await;
        assert!(!page.html.contains("<script>alert"));
        assert!(!page.html.contains("<b title"));
        assert!(!page.html.contains("</script><script>"));
    }

    #[tokio::test]
    async fn who_acts_for_somebody_else_neither_downloads_nor_deletes() {
        let page =
            page(|| view! { <Center data=CenterData { impersonated: true, ..data("Marketing") } messages=FlashMessages::default()/> })
                .await;
        assert!(!page.html.contains("/api/privacy/export"));
        assert!(!page.html.contains("/delete"));
    }
}
