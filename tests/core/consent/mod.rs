//! Consent: the ledger, the current view, the mirror.

mod mirror;
mod texts;

use lethe::consent::{Choice, ConsentState, Revision, Source, Submission, current, set, submit};
use lethe::{ClerkUserId, Error, ErrorCode, Lethe, overview};

use crate::world::{World, count, eventually, subject};

fn choose(purpose: &str, granted: bool) -> Choice {
    Choice { purpose: purpose.to_owned(), granted }
}

#[tokio::test]
async fn purposes_start_off_and_undecided() {
    let world = World::start().await;
    let record = current(&world.lethe, &subject(0), false).await.unwrap();
    let keys: Vec<_> = record.purposes.iter().map(|state| state.purpose.key.as_str()).collect();
    assert_eq!(keys, ["marketing", "analytics", "thirdParty"]);
    assert!(record.purposes.iter().all(|state| !state.granted && state.since.is_none()));
    assert_eq!(record.updated_at, None);
}

#[tokio::test]
async fn choices_are_stored_with_their_text_and_only_changes_are_written() {
    let world = World::start().await;
    let choices = [choose("marketing", true), choose("analytics", false)];
    set(&world.lethe, &subject(0), &choices, Source::Page, false).await.unwrap();
    set(&world.lethe, &subject(0), &choices, Source::Page, false).await.unwrap();
    let record = current(&world.lethe, &subject(0), false).await.unwrap();
    assert!(record.granted("marketing") && !record.granted("analytics") && !record.granted("thirdParty"));
    assert!(record.purposes[1].since.is_some(), "a refusal is a decision too");
    let ledger: Vec<(String, bool, String, i32, String)> = sqlx::query_as(
        "select purpose, granted, text_version, octet_length(text_hash), source from lethe.consent_entry order by id",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    let entry = |purpose: &str, granted| (purpose.to_owned(), granted, "2026-11-01".to_owned(), 32, "page".to_owned());
    assert_eq!(ledger, [entry("marketing", true), entry("analytics", false)]);
}

#[tokio::test]
async fn unknown_purpose_refuses_all_choices() {
    let world = World::start().await;
    let choices = [choose("marketing", true), choose("mind_reading", true)];
    let refused = set(&world.lethe, &subject(0), &choices, Source::Api, false).await;
    assert!(matches!(refused, Err(Error::InvalidInput(_))));
    let record = current(&world.lethe, &subject(0), false).await.unwrap();
    assert_eq!(record.updated_at, None);
}

#[tokio::test]
async fn gpc_prevents_opting_in() {
    let world = World::start().await;
    set(&world.lethe, &subject(0), &[choose("thirdParty", true)], Source::Page, false).await.unwrap();
    let record = current(&world.lethe, &subject(0), true).await.unwrap();
    assert!(record.gpc_applied && !record.granted("thirdParty"));
    set(&world.lethe, &subject(0), &[choose("thirdParty", true)], Source::Page, true).await.unwrap();
    let record = current(&world.lethe, &subject(0), false).await.unwrap();
    assert!(!record.granted("thirdParty"));
}

#[tokio::test]
async fn concurrent_withdrawals_of_different_purposes_both_apply() {
    let world = World::start().await;
    let all = [choose("marketing", true), choose("analytics", true), choose("thirdParty", true)];
    for round in 0..10 {
        set(&world.lethe, &subject(round % 4), &all, Source::Page, false).await.unwrap();
        let person = subject(round % 4);
        let (marketing, analytics) = ([choose("marketing", false)], [choose("analytics", false)]);
        let (one, other) = tokio::join!(
            set(&world.lethe, &person, &marketing, Source::Page, false),
            set(&world.lethe, &person, &analytics, Source::Page, false),
        );
        one.unwrap();
        other.unwrap();
        let record = current(&world.lethe, &person, false).await.unwrap();
        assert!(!record.granted("marketing") && !record.granted("analytics") && record.granted("thirdParty"));
    }
}

/// What a form carries that shows the present texts.
fn texts_of(lethe: &Lethe) -> Vec<String> {
    lethe.purposes.iter().map(|purpose| format!("{}:{}", purpose.key, purpose.text_id())).collect()
}

/// Submits the form of a page on which `before` was on, and `granted` is on now.
async fn submit_form(
    world: &World,
    subject: &ClerkUserId,
    before: &[&str],
    granted: &[&str],
    base: Option<&Revision>,
) -> Result<ConsentState, Error> {
    let [before, granted] = [before, granted].map(|keys| keys.iter().copied().map(str::to_owned).collect::<Vec<_>>());
    let texts = texts_of(&world.lethe);
    let submission = Submission { granted: &granted, previously_granted: &before, texts: &texts, base };
    submit(&world.lethe, subject, submission, Source::Page, false).await
}

fn is_conflict(result: &Result<ConsentState, Error>) -> bool {
    matches!(result, Err(Error::Refused(ErrorCode::ChangedElsewhere)))
}

#[tokio::test]
async fn one_of_two_concurrent_submissions_with_one_base_conflicts() {
    let world = World::start().await;
    for round in 0..12 {
        // In the first rounds the user has no row yet; in the later ones there are earlier decisions.
        let person = subject(round % 4);
        let base = current(&world.lethe, &person, false).await.unwrap().revision();
        let on: &[&str] = if round / 4 % 2 == 0 { &["marketing"] } else { &[] };
        let other: &[&str] = if round / 4 % 2 == 0 { &["analytics"] } else { &["thirdParty"] };
        let before = current(&world.lethe, &person, false).await.unwrap();
        let before: Vec<_> =
            ["marketing", "analytics", "thirdParty"].into_iter().filter(|key| before.granted(key)).collect();
        let (one, two) = tokio::join!(
            submit_form(&world, &person, &before, on, Some(&base)),
            submit_form(&world, &person, &before, other, Some(&base)),
        );
        assert_eq!([&one, &two].iter().filter(|result| is_conflict(result)).count(), 1, "{round}: {one:?} {two:?}");
        let winner = one.or(two).unwrap();
        let state = current(&world.lethe, &person, false).await.unwrap();
        assert_eq!(state.purposes, winner.purposes, "{round}");
        assert_ne!(state.revision(), base);
    }
}

#[tokio::test]
async fn submission_on_an_old_revision_conflicts_and_changes_nothing() {
    let world = World::start().await;
    let undecided = current(&world.lethe, &subject(0), false).await.unwrap().revision();
    let first = submit_form(&world, &subject(0), &[], &["marketing"], Some(&undecided)).await.unwrap();
    assert!(first.granted("marketing") && first.purposes[1..].iter().all(|state| state.since.is_none()));
    for stale in [undecided, Revision::from("yesterday".to_owned())] {
        assert!(is_conflict(&submit_form(&world, &subject(0), &["marketing"], &[], Some(&stale)).await));
    }
    let state = current(&world.lethe, &subject(0), false).await.unwrap();
    assert_eq!(state.purposes, first.purposes);
    let unchanged = submit_form(&world, &subject(0), &["marketing"], &["marketing"], Some(&first.revision())).await;
    assert_eq!(unchanged.unwrap().revision(), first.revision(), "nothing was written");
}

#[tokio::test]
async fn submissions_without_a_base_apply_only_what_they_changed() {
    let world = World::start().await;
    let all = ["marketing", "analytics", "thirdParty"];
    submit_form(&world, &subject(0), &[], &all, None).await.unwrap();
    submit_form(&world, &subject(0), &all, &["analytics", "thirdParty"], None).await.unwrap();
    let state = submit_form(&world, &subject(0), &all, &["marketing", "thirdParty"], None).await.unwrap();
    assert!(!state.granted("marketing") && !state.granted("analytics") && state.granted("thirdParty"));
    let unknown = submit_form(&world, &subject(0), &[], &["telepathy"], None).await;
    assert!(matches!(unknown, Err(Error::InvalidInput(_))));
}

/// A purpose of the same key as one of the defaults, with another text.
const RENAMED: &str = r#"
[[purpose]]
key = "analytics"
title = "Selling your reading history"
text = "We sell what you read."
version = "2026-11-20"
"#;

#[tokio::test]
async fn activity_is_read_in_pages() {
    let world = World::start().await;
    for round in 0..5 {
        set(&world.lethe, &subject(0), &[choose("marketing", round % 2 == 0)], Source::Page, false).await.unwrap();
    }
    let first = overview::activity(&world.lethe, &subject(0), i64::MAX, 3).await.unwrap();
    assert!(first.entries.len() == 3 && first.has_more);
    let rest = overview::activity(&world.lethe, &subject(0), first.entries[2].id, 3).await.unwrap();
    assert!(rest.entries.len() == 2 && !rest.has_more);
    assert!(overview::activity(&world.lethe, &subject(1), i64::MAX, 3).await.unwrap().entries.is_empty());
}

#[tokio::test]
async fn untouched_boxes_are_no_decisions() {
    let world = World::start().await;
    submit_form(&world, &subject(0), &[], &["marketing"], None).await.unwrap();
    let decided: Vec<String> =
        sqlx::query_scalar("select purpose from lethe.consent_entry").fetch_all(world.pool()).await.unwrap();
    assert_eq!(decided, ["marketing"]);
}

#[tokio::test]
async fn jobs_carry_the_incident_id_of_the_request() {
    let world = World::start().await;
    let request = world.lethe.with_incident("3T9KQ7XAB2CDE");
    set(&request, &subject(0), &[choose("marketing", true)], Source::Api, false).await.unwrap();
    let incident: String = sqlx::query_scalar("select payload->>'incident' from lethe_jobs._private_jobs")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(incident, "3T9KQ7XAB2CDE");
}

#[tokio::test]
async fn defect_is_internal_and_unreachable_database_is_unavailable() {
    let world = World::start().await;
    sqlx::query("alter table lethe.consent_entry rename to ledger").execute(world.pool()).await.unwrap();
    let defect = current(&world.lethe, &subject(0), false).await.unwrap_err();
    assert_eq!(defect.public(), ErrorCode::Internal, "{defect:?}");
    world.pool().close().await;
    let unreachable = current(&world.lethe, &subject(0), false).await.unwrap_err();
    assert_eq!(unreachable.public(), ErrorCode::Unavailable, "{unreachable:?}");
}

#[tokio::test]
async fn opt_out_signal_is_recorded_once_and_mirrored() {
    let world = World::start().await;
    let granted = choose("thirdParty", true);
    set(&world.lethe, &subject(0), &[granted], Source::Page, false).await.unwrap();
    // As the HTTP interface reads it, and as the page does.
    assert!(!current(&world.lethe, &subject(0), true).await.unwrap().granted("thirdParty"));
    for _ in 0..3 {
        let overview = overview::read(&world.lethe, &subject(0), true, 10).await.unwrap();
        assert!(!overview.consent.granted("thirdParty"));
    }
    let ledger: Vec<(String, bool)> = sqlx::query_as("select source, granted from lethe.consent_entry order by id")
        .fetch_all(world.pool())
        .await
        .unwrap();
    assert_eq!(ledger, [("page".to_owned(), true), ("signal".to_owned(), false)]);
    // Also without the signal, until the person turns it on again.
    assert!(!current(&world.lethe, &subject(0), false).await.unwrap().granted("thirdParty"));
    let _working = world.start_worker();
    eventually("the mirror", async || {
        let user = world.clerk.user(subject(0).as_str()).await.unwrap();
        user["public_metadata"]["consent"]["thirdParty"] == false
    })
    .await;
    // Nobody is written about whose browser sends nothing.
    overview::read(&world.lethe, &subject(1), false, 10).await.unwrap();
    assert_eq!(count(&world, "select count(*) from lethe.consent_entry").await, 2);
}
