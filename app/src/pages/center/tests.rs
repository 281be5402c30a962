use insta::assert_snapshot;

use super::*;
use crate::dto::PurposeChoice;
use crate::isolation::isolate;
use crate::rendering::{HOSTILE, options, page};

fn purpose(key: &str, title: &str, granted: bool) -> PurposeChoice {
    PurposeChoice {
        key: key.to_owned(),
        title: title.to_owned(),
        text: format!("{title}, in a sentence."),
        text_id: "00ff:1".to_owned(),
        granted,
        since: if granted { "2026-03-03T09:57:00.000000Z".to_owned() } else { String::new() },
        status: if granted { "On since 3 March 2026".to_owned() } else { "Off".to_owned() },
        note: None,
        group: None,
        locked: false,
    }
}

fn time(timestamp: &str, text: &str) -> Time {
    Time { timestamp: timestamp.to_owned(), text: text.to_owned() }
}

fn flash(flash: Flash) -> Messages {
    Messages { flash: Some(flash), ..Messages::default() }
}

fn data(title: &str) -> CenterData {
    CenterData {
        preferences: Preferences {
            purposes: vec![
                purpose("marketing", title, true),
                purpose("analytics", "Analytics", false),
                PurposeChoice {
                    locked: true,
                    status: texts::OFF_BY_SIGNAL.to_owned(),
                    ..purpose("thirdParty", "Sharing", false)
                },
            ],
            revision: "2026-03-03T09:41:00.000000Z".to_owned(),
            changed: Some(time("2026-03-03T09:41:00.000000Z", "3 March 2026, 09:41 UTC")),
        },
        turned_off_by_signal: vec!["Sharing".to_owned()],
        delay: None,
        impersonated: false,
        account: "ada@example.org".to_owned(),
        user_handle: UserHandle::new("00ff00ff00ff00ff00ff00ff00ff00ff".to_owned()),
        now: time("2026-11-22T09:58:00.000000Z", "22 November 2026, 09:58 UTC"),
        latest: Some(CompletedExport {
            at: time("2026-11-02T18:20:00.000000Z", "2 November 2026, 18:20 UTC"),
            content: "1,204 items, 1.2 MB".to_owned(),
        }),
        activity: vec![ActivityItem {
            id: 7,
            at: time("2026-03-03T09:41:00.000000Z", "3 March 2026, 09:41 UTC"),
            text: format!("You turned on {}", isolate(title)),
            earlier_texts: Vec::new(),
            language: Some("de".to_owned()),
        }],
    }
}

async fn center(
    title: &'static str,
    messages: impl Fn() -> Messages + Clone + Send + Sync + 'static,
) -> crate::rendering::Page {
    page(move || {
        provide_context(options());
        view! { <Center data=data(title) messages=messages()/> }
    })
    .await
}

#[tokio::test]
async fn the_center_shows_everything_at_once() {
    assert_snapshot!(center("Marketing", Messages::default).await.lines());
}

#[tokio::test]
async fn stored_choice_is_rendered_as_stored() {
    let page = center("Marketing", Messages::default).await;
    assert!(page.tag("purpose-marketing\"").contains(" checked"));
    assert!(!page.tag("purpose-analytics\"").contains(" checked"));
    let held = page.tag("purpose-thirdParty\"");
    assert!(held.contains(" disabled") && !held.contains(" checked"));
    assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1);
}

#[tokio::test]
async fn plain_form_gets_a_message_about_its_result() {
    let saved = center("Marketing", || flash(Flash::Saved)).await;
    assert!(saved.html.contains(texts::SAVED) && !saved.html.contains("Last changed"));
    let unsaved = center("Marketing", || flash(Flash::NotSaved(ErrorCode::Unavailable))).await;
    assert!(unsaved.html.contains("Not saved. "));
    let refused = || flash(Flash::ExportRefused(ErrorCode::Internal, "7Q2M".to_owned()));
    let refused = center("Marketing", refused).await;
    assert!(refused.html.contains("Not downloaded. ") && refused.html.contains("Reference: 7Q2M"));
    // The user has signed in since.
    let outdated = || flash(Flash::ExportRefused(ErrorCode::NotSignedIn, String::new()));
    assert!(!center("Marketing", outdated).await.html.contains("Not downloaded. "));
}

#[tokio::test]
async fn returning_user_continues_where_they_were() {
    let back = |action: PendingAction| {
        center("Marketing", move || Messages {
            resumed: Some(Resumed::Continue(action.clone())),
            ..Messages::default()
        })
    };
    let page = back(PendingAction::Confirm(ReturnTo::Export)).await;
    assert!(page.html.contains(texts::COPY_CONFIRMED));
    let page = back(PendingAction::Confirm(ReturnTo::Dialog)).await;
    assert!(page.tag(r#"id="deletion""#).contains("data-reopened"));
    let page = back(PendingAction::Preferences(vec!["analytics".to_owned(), "thirdParty".to_owned()])).await;
    assert!(!page.tag("purpose-marketing\"").contains(" checked"));
    assert!(page.tag("purpose-analytics\"").contains(" checked"));
    assert!(!page.tag("purpose-thirdParty\"").contains(" checked"), "what is held off stays off");
    assert_eq!(page.html.matches(r#"name="shown[]""#).count(), 1, "shown is what the server has");
}

#[tokio::test]
async fn other_user_gets_a_notice_in_the_card_to_which_they_return() {
    for (action, card) in [
        (PendingAction::Confirm(ReturnTo::Export), "copy"),
        (PendingAction::Confirm(ReturnTo::Dialog), "deletion"),
        (PendingAction::Preferences(Vec::new()), "preferences"),
    ] {
        let resumed = move || Messages { resumed: Some(Resumed::OtherUser(action.clone())), ..Messages::default() };
        let page = center("Marketing", resumed).await;
        let card = page.html.split(&format!("id=\"{card}\"")).nth(1).unwrap();
        let card = card.split("</section>").next().unwrap();
        assert!(card.contains("You’re now signed in as ada@example.org."), "{card}");
    }
}

#[tokio::test]
async fn download_offers_the_verification_that_it_needs() {
    let refused = |code| center("Marketing", move || Messages { verification: Some(code), ..Messages::default() });
    let page = refused(ErrorCode::ReverificationNeeded).await;
    assert!(page.tag(r#"value="export""#).contains(r#"name="for""#));
    assert!(!page.html.contains("/api/privacy/export"), "the button would only be refused");
    let page = refused(ErrorCode::StillUnverified).await;
    assert!(page.html.contains("contact us") && !page.html.contains(r#"value="export""#));
}

#[tokio::test]
async fn clerk_outage_shows_a_notice() {
    assert_eq!(ClerkDelay::new(true, false), None);
    for (delay, text) in
        [(ClerkDelay::new(false, true), "You can still save preferences"), (ClerkDelay::new(true, true), "are saved")]
    {
        let page = page(
            move || view! { <Center data=CenterData { delay, ..data("Marketing") } messages=Messages::default()/> },
        );
        assert!(page.await.html.contains(text));
    }
}

#[tokio::test]
async fn foreign_text_is_never_markup() {
    let page = center(HOSTILE, Messages::default).await;
    assert!(!page.html.contains("<script>alert"));
    assert!(!page.html.contains("<b title"));
    assert!(!page.html.contains("</script><script>"));
}

#[tokio::test]
async fn impersonated_session_neither_downloads_nor_deletes() {
    let page = page(
        || view! { <Center data=CenterData { impersonated: true, ..data("Marketing") } messages=Messages::default()/> },
    )
    .await;
    assert!(!page.html.contains("/api/privacy/export"));
    assert!(!page.html.contains("/delete"));
}
