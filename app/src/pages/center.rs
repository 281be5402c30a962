//! The privacy center of a signed-in person: preferences, a copy, deletion, activity.

use leptos::config::LeptosOptions;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use lethe::overview::{self, Overview};

use super::activity::{ActivityCard, Entry, latest_download};
use super::confirm::{Dropped, Note, Refused};
use super::frame::Frame;
use super::trouble::trouble;
use crate::api::answer::Caller;
use crate::api::errand::{self, Errand, Place, Returned};
use crate::api::{Code, Download, Preferences, load};
use crate::components::{DeletionDialog, ExportButton, PreferenceForm};
use crate::words;

/// Newest entries of the activity that are shown.
const ENTRIES: u32 = 6;

/// Loads the record and the activity, then shows everything.
pub(crate) fn center(caller: Caller) -> impl IntoView {
    let query = use_query_map().get_untracked();
    let told = Told {
        saved: query.get_str("saved") == Some("1"),
        unsaved: query.get_str("unsaved").map(Code::parse),
        export: match query.get_str("export").map(Code::parse) {
            // What the address says about the way here may be over by now.
            Some(Code::NotSignedIn) => None,
            Some(Code::ReverificationNeeded) => caller.may_act().err(),
            code => code,
        },
        returned: errand::take(&caller, |errand| {
            matches!(errand, Errand::Preferences(_) | Errand::Confirm(Place::Export | Place::Dialog))
        }),
    };
    Suspend::new(async move {
        let subject = &caller.person.subject;
        match overview::read(&caller.lethe, subject, caller.visitor.signal, ENTRIES).await {
            Ok(Overview { consent: record, activity }) => {
                let shown = Shown {
                    preferences: load::preferences(&record),
                    signal: record.signal_honoured,
                    delay: Delay::of(caller.lethe.clerk.is_reachable(), record.mirror_delayed_since.is_some()),
                    impersonated: caller.person.impersonated,
                    person: caller.mark(),
                    now: words::stamp(caller.lethe.clock.now()),
                    latest: latest_download(&activity),
                    activity: activity.iter().map(|it| Entry::of(it, &caller.lethe.purposes)).collect(),
                };
                Either::Left(view! { <Center shown told/> })
            }
            Err(error) => Either::Right(trouble(error.into())),
        }
    })
}

/// What the page's address tells about a form that was sent without script.
#[derive(Default)]
struct Told {
    saved: bool,
    unsaved: Option<Code>,
    export: Option<Code>,
    /// What the person came back for.
    returned: Option<Returned>,
}

/// What takes longer than usual, because of Clerk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    /// Clerk can't be reached.
    Everything,
    /// Clerk answers, and doesn't have this person's choice yet.
    Preferences,
}

impl Delay {
    fn of(reachable: bool, mirror_delayed: bool) -> Option<Self> {
        match (reachable, mirror_delayed) {
            (false, _) => Some(Self::Everything),
            (true, true) => Some(Self::Preferences),
            (true, false) => None,
        }
    }

    const fn sentence(self) -> &'static str {
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
struct Shown {
    preferences: Preferences,
    /// Whether the browser's opt-out signal holds something off.
    signal: bool,
    delay: Option<Delay>,
    impersonated: bool,
    /// The mark of whom it is made for.
    person: String,
    now: String,
    latest: Option<Download>,
    activity: Vec<Entry>,
}

#[component]
fn Center(shown: Shown, told: Told) -> impl IntoView {
    let Shown { preferences, signal, delay, impersonated, person, now, latest, activity } = shown;
    let Told { saved, unsaved, export, returned } = told;
    let is_dropped = returned == Some(Returned::SomebodyElse);
    let goes_on = |place| returned == Some(Returned::GoesOn(Errand::Confirm(place)));
    let has_failed = |place| returned == Some(Returned::Unconfirmed(place));
    let has_confirmed = goes_on(Place::Export);
    let export = if has_failed(Place::Export) { Some(Code::NotConfirmed) } else { export };
    // The dialog says itself whether it can go on.
    let reopened = goes_on(Place::Dialog) || has_failed(Place::Dialog);
    let draft = match returned {
        Some(Returned::GoesOn(Errand::Preferences(granted))) => Some(granted),
        _ => None,
    };
    // Each card's type is erased: together they are more than the compiler wants to name.
    let preferences =
        view! { <PreferenceCard preferences signal person=person.clone() saved unsaved draft/> }.into_any();
    let copy = view! { <CopyCard latest now refused=export has_confirmed impersonated/> }.into_any();
    let deletion = view! { <DeletionCard impersonated person reopened/> }.into_any();
    view! {
        <Scripts/>
        <Frame title="Privacy center" layout="page page-wide">
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
                {is_dropped.then(|| view! { <Dropped/> })}
                {delay.map(|delay| view! { <p class="note note-kept" role="status">{delay.sentence()}</p> })}
                {preferences}
                {copy}
                {deletion}
                <ActivityCard entries=activity/>
            </div>
        </Frame>
    }
}

#[component]
fn PreferenceCard(
    preferences: Preferences,
    signal: bool,
    person: String,
    saved: bool,
    unsaved: Option<Code>,
    draft: Option<Vec<String>>,
) -> impl IntoView {
    view! {
        <section class="card" id="preferences" aria-labelledby="preferences-title">
            <div class="card-head">
                <h2 id="preferences-title">"Privacy preferences"</h2>
                <p>"All of these are optional. Change your mind at any time, here, with the same click."</p>
            </div>
            {signal.then(|| view! { <SignalNote/> })}
            <PreferenceForm record=preferences person saved unsaved draft/>
        </section>
    }
}

#[component]
fn CopyCard(
    latest: Option<Download>,
    now: String,
    refused: Option<Code>,
    has_confirmed: bool,
    impersonated: bool,
) -> impl IntoView {
    // Why, and what helps, stands in a note; everything else fits beside the button.
    let (noted, refused): (Option<Code>, Option<Code>) =
        if needs_note(refused) { (refused, None) } else { (None, refused) };
    view! {
        <section class="card" id="copy" aria-labelledby="copy-title">
            <div class="card-head">
                <h2 id="copy-title">"A copy of your data"</h2>
                <p>"One file with your profile and every row that is yours, for you to read and for other services to import."</p>
            </div>
            {(has_confirmed || noted.is_some()).then(|| view! {
                <div class="card-body">
                    {has_confirmed.then(|| view! { <Note words="You confirmed that it's you. Your download is ready to start."/> })}
                    {noted.map(|code| view! { <Refused code id="copy-refused" place=Place::Export/> })}
                </div>
            })}
            {(!impersonated).then(|| view! { <ExportButton latest now refused/> })}
        </section>
    }
}

const fn needs_note(refused: Option<Code>) -> bool {
    matches!(refused, Some(Code::ReverificationNeeded | Code::NotConfirmed))
}

#[component]
fn DeletionCard(impersonated: bool, person: String, reopened: bool) -> impl IntoView {
    view! {
        <section class="card" id="deletion" aria-labelledby="deletion-card-title">
            <div class="card-head">
                <h2 id="deletion-card-title">"Delete your account"</h2>
                <p>"Ends your account and erases your data. You see exactly what happens before anything does."</p>
            </div>
            {(!impersonated).then(|| view! {
                <div class="card-foot">
                    <p class="state">"Takes effect at once. Download a copy first if you want one."</p>
                    <DeletionDialog person reopened/>
                </div>
                // Behind a button of the dialog, which is a form itself.
                <form method="post" action="/confirm-identity" id="confirm-identity">
                    <input type="hidden" name="for" value=Place::Dialog.word()/>
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
    use crate::api::Purpose;
    use crate::rendering::{HOSTILE, options, page};

    fn purpose(key: &str, title: &str, granted: bool) -> Purpose {
        Purpose {
            key: key.to_owned(),
            title: title.to_owned(),
            text: format!("{title}, in a sentence."),
            granted,
            standing: if granted { "on since 3 March 2026".to_owned() } else { "off".to_owned() },
            locked: false,
        }
    }

    fn shown(title: &str) -> Shown {
        Shown {
            preferences: Preferences {
                purposes: vec![
                    purpose("marketing", title, true),
                    purpose("analytics", "Analytics", false),
                    Purpose {
                        locked: true,
                        standing: "held off".to_owned(),
                        ..purpose("thirdParty", "Sharing", false)
                    },
                ],
                revision: "2026-03-03T09:41:00.000000Z".to_owned(),
                changed: Some("3 March 2026, 09:41 UTC".to_owned()),
            },
            signal: true,
            delay: None,
            impersonated: false,
            person: "00ff00ff00ff00ff00ff00ff00ff00ff".to_owned(),
            now: "2026-11-22T09:58:00.000000Z".to_owned(),
            latest: Some(Download {
                id: "2026-11-02T18:20:00.000000Z".to_owned(),
                at: "2 November 2026, 18:20 UTC".to_owned(),
                content: "1,204 rows, 1.2 MB".to_owned(),
            }),
            activity: vec![Entry {
                stamp: "2026-03-03T09:41:00.000000Z".to_owned(),
                moment: "3 March 2026, 09:41 UTC".to_owned(),
                told: format!("{title} turned on, on this page"),
            }],
        }
    }

    async fn center(
        title: &'static str,
        told: impl Fn() -> Told + Clone + Send + Sync + 'static,
    ) -> crate::rendering::Page {
        page(move || {
            provide_context(options());
            view! { <Center shown=shown(title) told=told()/> }
        })
        .await
    }

    #[tokio::test]
    async fn the_center_shows_everything_at_once() {
        assert_snapshot!(center("Marketing", Told::default).await.lines());
    }

    #[tokio::test]
    async fn a_stored_choice_is_shown_as_it_is_stored() {
        let page = center("Marketing", Told::default).await;
        assert!(page.tag("purpose-marketing\"").contains(" checked"));
        assert!(!page.tag("purpose-analytics\"").contains(" checked"));
        let held = page.tag("purpose-thirdParty\"");
        assert!(held.contains(" disabled") && !held.contains(" checked"));
        assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1);
    }

    #[tokio::test]
    async fn a_form_sent_without_script_hears_what_became_of_it() {
        let saved = center("Marketing", || Told { saved: true, ..Told::default() }).await;
        assert!(saved.html.contains("Saved"));
        assert!(!saved.html.contains("Last changed"));
        let unsaved = center("Marketing", || Told { unsaved: Some(Code::Unavailable), ..Told::default() }).await;
        assert!(unsaved.html.contains("Couldn't save. "));
        let refused = center("Marketing", || Told { export: Some(Code::TooManyRequests), ..Told::default() }).await;
        assert!(refused.html.contains("Not downloaded. "));
    }

    #[tokio::test]
    async fn who_comes_back_goes_on_where_they_were() {
        let back = |errand: Errand| {
            center("Marketing", move || Told { returned: Some(Returned::GoesOn(errand.clone())), ..Told::default() })
        };
        let page = back(Errand::Confirm(Place::Export)).await;
        assert!(page.html.contains("Your download is ready to start."));
        let page = back(Errand::Confirm(Place::Dialog)).await;
        assert!(
            page.html.contains(r"&quot;reopened&quot;:true") || page.html.contains(r#""reopened":true"#),
            "{}",
            page.html
        );
        let page = back(Errand::Preferences(vec!["analytics".to_owned(), "thirdParty".to_owned()])).await;
        assert!(!page.tag("purpose-marketing\"").contains(" checked"));
        assert!(page.tag("purpose-analytics\"").contains(" checked"));
        assert!(!page.tag("purpose-thirdParty\"").contains(" checked"), "what is held off stays off");
        assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1, "shown is what the server has");
        let page = center("Marketing", || Told { returned: Some(Returned::SomebodyElse), ..Told::default() }).await;
        assert!(page.html.contains("was for another account, and was dropped."));
    }

    #[tokio::test]
    async fn a_download_that_wants_a_confirmation_offers_it() {
        let refused = |code| center("Marketing", move || Told { export: Some(code), ..Told::default() });
        let page = refused(Code::ReverificationNeeded).await;
        assert!(page.tag(r#"value="export""#).contains(r#"name="for""#));
        let page = refused(Code::NotConfirmed).await;
        assert!(page.html.contains("write to us") && !page.html.contains(r#"value="export""#));
    }

    #[tokio::test]
    async fn what_takes_longer_is_told() {
        assert_eq!(Delay::of(true, false), None);
        for (delay, told) in [(Delay::of(false, true), "Preferences are saved"), (Delay::of(true, true), "are saved")] {
            let page =
                page(move || view! { <Center shown=Shown { delay, ..shown("Marketing") } told=Told::default()/> });
            assert!(page.await.html.contains(told));
        }
    }

    #[tokio::test]
    async fn what_others_wrote_is_never_markup() {
        let page = center(HOSTILE, Told::default).await;
        assert!(!page.html.contains("<script>alert"));
        assert!(!page.html.contains("<b title"));
        assert!(!page.html.contains("</script><script>"));
    }

    #[tokio::test]
    async fn who_acts_for_somebody_else_neither_downloads_nor_deletes() {
        let page =
            page(|| view! { <Center shown=Shown { impersonated: true, ..shown("Marketing") } told=Told::default()/> })
                .await;
        assert!(!page.html.contains("/api/privacy/export"));
        assert!(!page.html.contains("/delete"));
    }
}
