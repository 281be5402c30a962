//! The texts of the purposes: what was agreed to is what was read.

use lethe::audit::AuditEvent;
use lethe::consent::{ConsentState, Source, Submission, current, register_purposes, set, submit};
use lethe::{Error, ErrorCode, Lethe, overview};

use super::{RENAMED, choose, texts_of};
use crate::world::{World, subject};

#[tokio::test]
async fn decision_on_an_earlier_text_is_none_on_the_present_one() {
    let world = World::start().await;
    let agreed = set(&world.lethe, &subject(0), &[choose("analytics", true)], Source::Page, false).await.unwrap();
    let renamed = world.with_purposes(RENAMED);
    let state = current(&renamed, &subject(0), false).await.unwrap();
    let analytics = &state.purposes[0];
    assert!(!analytics.granted && analytics.since.is_none());
    assert_eq!(analytics.agreed_to_earlier_text, agreed.updated_at);
    assert_eq!(state.revision(), agreed.revision(), "nobody has decided anything since");

    // The same answer to a new text is a new decision.
    let state = set(&renamed, &subject(0), &[choose("analytics", true)], Source::Page, false).await.unwrap();
    assert!(state.granted("analytics"));
    let versions: Vec<String> = sqlx::query_scalar("select text_version from lethe.consent_entry order by id")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(versions, ["2026-11-01", "2026-11-20"]);
}

/// Submits a form that showed these texts.
async fn submit_on(lethe: &Lethe, texts: &[String], before: &[&str], granted: &[&str]) -> Result<ConsentState, Error> {
    let [before, granted] = [before, granted].map(|keys| keys.iter().copied().map(str::to_owned).collect::<Vec<_>>());
    let submission = Submission { granted: &granted, previously_granted: &before, texts, base: None };
    submit(lethe, &subject(0), submission, Source::Page, false).await
}

fn is_text_changed(result: &Result<ConsentState, Error>) -> bool {
    matches!(result, Err(Error::Refused(ErrorCode::TextChanged)))
}

#[tokio::test]
async fn consent_is_recorded_only_for_the_text_that_was_shown() {
    let world = World::start().await;
    let earlier = texts_of(&world.lethe);
    submit_on(&world.lethe, &earlier, &[], &["analytics"]).await.unwrap();
    let renamed = world.with_purposes(RENAMED);
    register_purposes(&renamed).await.unwrap();
    // The page stood open across the change: nobody agreed to what the map says now.
    let refused = submit_on(&renamed, &earlier[1..2], &[], &["analytics"]).await;
    assert!(is_text_changed(&refused), "{refused:?}");
    let unnamed = submit_on(&renamed, &[], &[], &["analytics"]).await;
    assert!(is_text_changed(&unnamed), "a form that doesn't say what it showed: {unnamed:?}");
    let invented = format!("analytics:{}:2026-11-01", "0".repeat(64));
    for (before, granted) in [(&[][..], &["analytics"][..]), (&["analytics"], &[])] {
        let refused = submit_on(&renamed, std::slice::from_ref(&invented), before, granted).await;
        assert!(is_text_changed(&refused), "{refused:?}");
    }
    let malformed = submit_on(&renamed, &["analytics:yes".to_owned()], &[], &["analytics"]).await;
    assert!(matches!(malformed, Err(Error::InvalidInput(_))));

    // A withdrawal counts, and the ledger has the text on which it was made.
    submit_on(&renamed, &earlier[1..2], &["analytics"], &[]).await.unwrap();
    submit_on(&renamed, &texts_of(&renamed), &[], &["analytics"]).await.unwrap();
    submit_on(&renamed, &[], &["analytics"], &[]).await.unwrap();
    let ledger: Vec<(bool, String)> =
        sqlx::query_as("select granted, text_version from lethe.consent_entry order by id")
            .fetch_all(world.pool())
            .await
            .unwrap();
    let entry = |granted, version: &str| (granted, version.to_owned());
    assert_eq!(
        ledger,
        [entry(true, "2026-11-01"), entry(false, "2026-11-01"), entry(true, "2026-11-20"), entry(false, "2026-11-20")]
    );
}

#[tokio::test]
async fn every_text_is_stored_once_also_without_a_decision() {
    let world = World::start().await;
    for _ in 0..2 {
        register_purposes(&world.lethe).await.unwrap();
        register_purposes(&world.with_purposes(RENAMED)).await.unwrap();
    }
    let stored: Vec<(String, String)> =
        sqlx::query_as("select purpose, title from lethe.purpose_text order by recorded_at, purpose")
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(stored.len(), 4, "{stored:?}");
    assert!(stored.contains(&("analytics".to_owned(), "Selling your reading history".to_owned())));
}

#[tokio::test]
async fn history_shows_the_title_that_was_agreed_to() {
    let world = World::start().await;
    set(&world.lethe, &subject(0), &[choose("analytics", true)], Source::Page, false).await.unwrap();
    let renamed = world.with_purposes(RENAMED);
    set(&renamed, &subject(0), &[choose("analytics", true)], Source::Page, false).await.unwrap();
    let log = overview::activity(&renamed, &subject(0), i64::MAX, 10).await.unwrap();
    let titles: Vec<_> = log
        .entries
        .iter()
        .map(|entry| match &entry.event {
            AuditEvent::ConsentChanged { changes, .. } => log.titles.find(&renamed.purposes, &changes[0]).to_owned(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(titles, ["Selling your reading history", "Analytics"]);
    let texts: Vec<_> = log
        .entries
        .iter()
        .map(|entry| match &entry.event {
            AuditEvent::ConsentChanged { changes, .. } => log.titles.earlier_text(&changes[0]),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, [None, Some("We count page views so we can fix pages that don’t work.")]);
}
