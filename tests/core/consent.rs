//! Consent: the ledger, the current view, the mirror.

use lethe::audit::AuditEvent;
use lethe::consent::{Choice, ConsentState, Revision, Source, Submission, current, register_purposes, set, submit};
use lethe::{ClerkUserId, Error, ErrorCode, Lethe, overview};
use lethe_demo::testing::Fault;

use crate::world::{RunningWorker, World, eventually, subject};

fn choose(purpose: &str, granted: bool) -> Choice {
    Choice { purpose: purpose.to_owned(), granted }
}

async fn mirrored(world: &World, index: usize) -> serde_json::Value {
    let user = world.clerk.user(subject(index).as_str()).await.unwrap();
    user["public_metadata"]["consent"].clone()
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
async fn removed_purpose_leaves_clerk_and_a_new_text_turns_it_off_there() {
    let world = World::start().await;
    // As at each start.
    register_purposes(&world.lethe).await.unwrap();
    let working = world.start_worker();
    let other = serde_json::json!({"consent": {"newsletter": true}});
    world.lethe.clerk.merge_metadata(&subject(0), other).await.unwrap();
    let all = [choose("marketing", true), choose("analytics", true)];
    set(&world.lethe, &subject(0), &all, Source::Page, false).await.unwrap();
    eventually("the mirror", || async { mirrored(&world, 0).await["analytics"] == true }).await;
    drop(working);

    // The schedule's job, for the map that has one purpose with another text.
    let renamed = world.with_purposes(RENAMED);
    let _working = RunningWorker::start(&renamed);
    sqlx::query("select lethe_jobs.add_job('mirror_catalogue')").execute(world.pool()).await.unwrap();
    eventually("the catalogue's mirror", || async { mirrored(&world, 0).await["analytics"] == false }).await;
    let consent = mirrored(&world, 0).await;
    assert!(consent.get("marketing").is_none() && consent.get("thirdParty").is_none(), "{consent}");
    assert_eq!(consent["newsletter"], true, "it is somebody else's");
    assert!(mirrored(&world, 1).await.is_null(), "who never decided has no copy");
    eventually("the end of the catalogue", || async {
        let open = "select count(*) from lethe.purpose_catalogue where mirrored_to is not null";
        sqlx::query_scalar::<_, i64>(open).fetch_one(world.pool()).await.unwrap() == 0
    })
    .await;
}

#[tokio::test]
async fn map_without_purposes_leaves_clerks_copies_alone() {
    let world = World::start().await;
    let working = world.start_worker();
    set(&world.lethe, &subject(0), &[choose("marketing", true)], Source::Page, false).await.unwrap();
    eventually("the mirror", || async { mirrored(&world, 0).await["marketing"] == true }).await;
    drop(working);
    let forgotten = world.with_purposes("");
    assert!(forgotten.purposes.is_empty(), "there are none but the operator's");
    world.clerk.forget_requests();
    let _working = RunningWorker::start(&forgotten);
    sqlx::query("select lethe_jobs.add_job('mirror_catalogue')").execute(world.pool()).await.unwrap();
    eventually("the job", || async {
        let waiting = "select count(*) from lethe_jobs.jobs where task_identifier = 'mirror_catalogue'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.pool()).await.unwrap() == 0
    })
    .await;
    assert_eq!((world.clerk.all_requests(), mirrored(&world, 0).await["marketing"].clone()), (0, true.into()));
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
async fn mirror_reaches_clerk_and_preserves_other_keys() {
    let world = World::start().await;
    let other = serde_json::json!({"plan": "gold", "consent": {"newsletter": true}});
    world.lethe.clerk.merge_metadata(&subject(0), other).await.unwrap();
    let _working = world.start_worker();
    set(&world.lethe, &subject(0), &[choose("marketing", true)], Source::Page, false).await.unwrap();
    eventually("the mirror", || async { mirrored(&world, 0).await["marketing"] == true }).await;
    let user = world.clerk.user(subject(0).as_str()).await.unwrap();
    let metadata = &user["public_metadata"];
    assert_eq!(metadata["plan"], "gold");
    assert_eq!(metadata["consent"]["newsletter"], true);
    assert_eq!(metadata["consent"]["analytics"], false);
    assert!(metadata["consent"]["updatedAt"].is_string());
}

#[tokio::test]
async fn failed_mirror_is_retried_and_writes_the_newest_state() {
    let world = World::start().await;
    world.clerk.fail(Fault {
        operation: Some("PATCH /v1/users/{user_id}/metadata".to_owned()),
        status: Some(503),
        ..Fault::default()
    });
    let _working = world.start_worker();
    set(&world.lethe, &subject(0), &[choose("marketing", true)], Source::Page, false).await.unwrap();
    eventually("a failed attempt", || async { world.clerk.requests("PATCH /v1/users/{user_id}/metadata") > 0 }).await;
    // Saving doesn't wait for Clerk.
    set(&world.lethe, &subject(0), &[choose("marketing", false)], Source::Page, false).await.unwrap();
    set(&world.lethe, &subject(0), &[choose("analytics", true)], Source::Page, false).await.unwrap();
    world.clerk.recover();
    eventually("the newest state at Clerk", || async {
        let consent = mirrored(&world, 0).await;
        consent["marketing"] == false && consent["analytics"] == true
    })
    .await;
}
