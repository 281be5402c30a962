//! The privacy center of a signed-in person: preferences, a copy, deletion, activity.

use futures::future::try_join;
use leptos::config::LeptosOptions;
use leptos::either::Either;
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::activity::{ActivityCard, Entry, latest_download};
use super::frame::Frame;
use super::trouble::trouble;
use crate::api::answer::Caller;
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
        export: query.get_str("export").map(Code::parse),
    };
    Suspend::new(async move {
        let subject = &caller.person.subject;
        let loaded = try_join(
            lethe::consent::current(&caller.lethe, subject, caller.visitor.signal),
            lethe::audit::activity(&caller.lethe, subject, ENTRIES),
        );
        match loaded.await {
            Ok((record, activity)) => {
                let shown = Shown {
                    preferences: load::preferences(&record),
                    signal: record.signal_honoured,
                    impersonated: caller.person.impersonated,
                    place: place(&caller),
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
}

/// Everything that the page shows.
struct Shown {
    preferences: Preferences,
    /// Whether the browser's opt-out signal holds something off.
    signal: bool,
    impersonated: bool,
    place: String,
    now: String,
    latest: Option<Download>,
    activity: Vec<Entry>,
}

#[component]
fn Center(shown: Shown, told: Told) -> impl IntoView {
    let Shown { preferences, signal, impersonated, place, now, latest, activity } = shown;
    // Each card's type is erased: together they are more than the compiler wants to name.
    let preferences =
        view! { <PreferenceCard preferences signal place saved=told.saved unsaved=told.unsaved/> }.into_any();
    let copy = view! { <CopyCard latest now refused=told.export impersonated/> }.into_any();
    let deletion = view! { <DeletionCard impersonated/> }.into_any();
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
    place: String,
    saved: bool,
    unsaved: Option<Code>,
) -> impl IntoView {
    view! {
        <section class="card" id="preferences" aria-labelledby="preferences-title">
            <div class="card-head">
                <h2 id="preferences-title">"Privacy preferences"</h2>
                <p>"All of these are optional. Change your mind at any time, here, with the same click."</p>
            </div>
            {signal.then(|| view! { <SignalNote/> })}
            <PreferenceForm record=preferences place saved unsaved/>
        </section>
    }
}

#[component]
fn CopyCard(latest: Option<Download>, now: String, refused: Option<Code>, impersonated: bool) -> impl IntoView {
    view! {
        <section class="card" id="copy" aria-labelledby="copy-title">
            <div class="card-head">
                <h2 id="copy-title">"A copy of your data"</h2>
                <p>"One file with your profile and every row that is yours, for you to read and for other services to import."</p>
            </div>
            {(!impersonated).then(|| view! { <ExportButton latest now refused/> })}
        </section>
    }
}

#[component]
fn DeletionCard(impersonated: bool) -> impl IntoView {
    view! {
        <section class="card" id="deletion" aria-labelledby="deletion-card-title">
            <div class="card-head">
                <h2 id="deletion-card-title">"Delete your account"</h2>
                <p>"Ends your account and erases your data. You see exactly what happens before anything does."</p>
            </div>
            {(!impersonated).then(|| view! {
                <div class="card-foot">
                    <p class="state">"Takes effect at once. Download a copy first if you want one."</p>
                    <DeletionDialog/>
                </div>
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

/// Name of this person's place in the browser's storage: a keyed digest, folded, so that it tells
/// nothing about them and is of no use elsewhere.
fn place(caller: &Caller) -> String {
    let digest = caller.lethe.keys.tombstone(&caller.person.subject);
    let folded = digest.chunks_exact(8).fold(0, |folded: u64, chunk| {
        folded.rotate_left(7) ^ chunk.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
    });
    format!("lethe.{folded:016x}")
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
            impersonated: false,
            place: "lethe.00ff00ff00ff00ff".to_owned(),
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
