//! The data map and the database drift apart: what waits, who is told, and how it goes on.

use std::time::Duration;

use lethe::data_map::DataMap;
use lethe::deletion::{
    self, Hold, NewRequest, Origin, PlanHash, Reference, Release, Replan, ReplannedBy, Request, Status, Waiting,
    inspection,
};
use lethe::drift::{self, Fit};
use lethe::{ClerkUserId, Error, ErrorCode, audit};
use lethe_demo::testing::Fault;

use crate::world::{World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const MAP: &str = include_str!("../../demo/data-map.toml");

/// As the page asks for it.
fn by_page<'a>(subject: &'a ClerkUserId, confirmed_plan: Option<&'a PlanHash>) -> NewRequest<'a> {
    NewRequest {
        subject,
        origin: Origin::Page,
        confirmed_plan,
        contact: Some("ada@example.org"),
        idempotency_key: None,
    }
}

async fn execute(world: &World, statement: &'static str) {
    sqlx::query(statement).execute(world.pool()).await.unwrap();
}

async fn add_unmapped_table(world: &World) {
    execute(world, "create table public.surprise (id bigint primary key, user_id text references users (clerk_id))")
        .await;
}

fn put_in_force(world: &World, map: &str) {
    let map = DataMap::parse(map).unwrap();
    let purposes = map.purposes().cloned().unwrap_or_default();
    world.lethe.active_map.replace(map, purposes);
}

/// What the operator decides after somebody has confirmed the sample's plan: projects stay longer.
fn longer_retention() -> String {
    MAP.replace("purge_after = \"30 days\"", "purge_after = \"90 days\"")
}

/// A person of the lab confirmed the sample's plan, which the map in force no longer gives.
async fn deletion_with_changed_plan(world: &World, index: usize) -> Request {
    let subject = subject(index);
    put_in_force(world, MAP);
    let plan = deletion::preview(&world.lethe.refreshed(), &subject).await.unwrap();
    let request = deletion::request(&world.lethe.refreshed(), by_page(&subject, Some(&plan.hash))).await.unwrap();
    put_in_force(world, &longer_retention());
    let progress = deletion::run(&world.lethe.refreshed(), request.id, TIMEOUT).await.unwrap();
    assert_eq!((progress.steps[2].status, progress.waiting), (Status::Blocked, Some(Waiting::Confirmation)));
    request
}

async fn is_finished(world: &World, request: &Request) -> bool {
    deletion::progress(&world.lethe, request.id).await.unwrap().finished
}

async fn audit_entries(world: &World, kind: &str) -> i64 {
    sqlx::query_scalar("select count(*) from lethe.audit_entry where kind = $1")
        .bind(kind)
        .fetch_one(world.pool())
        .await
        .unwrap()
}

fn mentions(mails: &[lethe_demo::inbox::Message], text: &str) -> usize {
    mails.iter().filter(|mail| format!("{mail:?}").contains(text)).count()
}

#[tokio::test]
async fn deletion_that_met_a_mismatch_between_two_checks_goes_on() {
    let world = World::start().await;
    let person = subject(0);
    add_unmapped_table(&world).await;
    let request = deletion::request(&world.lethe, by_page(&person, None)).await.unwrap();
    let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    assert_eq!(progress.waiting, Some(Waiting::DataMap));
    execute(&world, "drop table public.surprise").await;

    let _working = world.start_worker();
    assert_eq!(drift::check(&world.lethe, Some(Fit::Fits)).await.unwrap(), Fit::Fits);
    eventually("it goes on", async || is_finished(&world, &request).await).await;
}

#[tokio::test]
async fn request_on_the_page_is_stored_while_the_map_misfits_and_goes_on_by_itself() {
    let world = World::start().await;
    let person = subject(0);
    let plan = deletion::preview(&world.lethe, &person).await.unwrap();
    // Where the page has a plan, it is confirmed.
    let unseen = deletion::request(&world.lethe, by_page(&person, None)).await;
    assert!(matches!(unseen, Err(Error::Refused(ErrorCode::PlanChanged))), "{unseen:?}");

    add_unmapped_table(&world).await;
    let before = world.rows_of(&person).await;
    // What was displayed before can't be promised any more.
    let outdated = deletion::request(&world.lethe, by_page(&person, Some(&plan.hash))).await;
    assert!(matches!(outdated, Err(Error::Refused(ErrorCode::PlanChanged))), "{outdated:?}");
    let request = deletion::request(&world.lethe, by_page(&person, None)).await.unwrap();
    let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    assert_eq!((progress.steps[2].status, progress.waiting), (Status::Blocked, Some(Waiting::DataMap)));
    assert_eq!(world.rows_of(&person).await, before);
    assert_eq!(drift::check(&world.lethe, Some(Fit::Fits)).await.unwrap(), Fit::Mismatch);

    let _working = world.start_worker();
    execute(&world, "drop table public.surprise").await;
    assert_eq!(drift::check(&world.lethe, Some(Fit::Mismatch)).await.unwrap(), Fit::Fits);
    eventually("it goes on", async || is_finished(&world, &request).await).await;
    let receipt = deletion::receipt(&world.lethe, &request.receipt).await.unwrap();
    assert!(receipt.was_unlisted && !receipt.results.is_empty());
}

#[tokio::test]
async fn operators_are_alerted_to_a_misfitting_map_once_for_each_cause() {
    let world = World::start().await;
    let _working = world.start_worker();
    add_unmapped_table(&world).await;
    for index in 0..3 {
        let person = subject(index);
        let request = deletion::request(&world.lethe, by_page(&person, None)).await.unwrap();
        deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
        drift::check(&world.lethe, Some(Fit::Fits)).await.unwrap();
    }
    let mails = world.inbox.wait_for(1).await;
    assert!(mentions(&mails, "public.surprise") == 1 && mentions(&mails, "lethe map check") == 1, "{mails:?}");
    execute(&world, "create table public.second (id bigint primary key, user_id text references users (clerk_id))")
        .await;
    drift::check(&world.lethe, Some(Fit::Mismatch)).await.unwrap();
    let mails = world.inbox.wait_for(2).await;
    assert_eq!((mails.len(), mentions(&mails, "public.second")), (2, 1), "{mails:?}");
}

#[tokio::test]
async fn what_has_begun_goes_on_with_the_map_it_began_with() {
    let world = World::start().await;
    let begun = world.lethe.with_incident("3T9KQ7XAB2CDE");
    let before = deletion::preview(&begun, &subject(1)).await.unwrap();
    let purposes = "[[purpose]]\nkey = \"news\"\ntitle = \"News\"\ntext = \"We may write to you.\"\nversion = \"1\"\n";
    put_in_force(&world, &format!("{}\n{purposes}", longer_retention()));
    assert_eq!(deletion::preview(&begun, &subject(1)).await.unwrap().hash, before.hash);
    assert!(begun.purposes.find("news").is_none());
    let next = world.lethe.with_incident("3T9KQ7XAB2CDF");
    assert_ne!(deletion::preview(&next, &subject(1)).await.unwrap().hash, before.hash);
    assert!(next.purposes.find("news").is_some());
}

#[tokio::test]
async fn person_is_asked_once_and_confirms_the_changed_plan() {
    let world = World::start().await;
    let request = deletion_with_changed_plan(&world, 1).await;
    let before = world.rows_of(&subject(1)).await;
    let _working = world.start_worker();
    let asked = |mails: &[lethe_demo::inbox::Message]| mentions(mails, "https://privacy.example.org/delete");
    eventually("the mail", async || asked(&world.inbox.messages().await) == 1).await;
    let lethe = world.lethe.refreshed();
    inspection::retry(&lethe, &Reference::Request(request.id)).await.unwrap();
    eventually("another attempt", async || {
        deletion::progress(&lethe, request.id).await.unwrap().steps[2].attempts >= 2
    })
    .await;

    let change = deletion::pending_change(&lethe, &subject(1)).await.unwrap().unwrap();
    let labels: Vec<_> = change.lines().into_iter().map(|line| line.label).collect();
    assert!(labels.contains(&"Projects".to_owned()) && !labels.contains(&"Lab profile".to_owned()), "{labels:?}");
    assert_eq!(world.rows_of(&subject(1)).await, before);
    let refused = deletion::confirm_change(&lethe, &subject(1), &change.confirmed.hash).await;
    assert!(matches!(refused, Err(Error::Refused(ErrorCode::PlanChanged))), "{refused:?}");
    let receipt = deletion::confirm_change(&lethe, &subject(1), &change.current.hash).await.unwrap();
    assert_eq!(receipt, request.receipt);
    eventually("it goes on", async || is_finished(&world, &request).await).await;
    assert_eq!(asked(&world.inbox.messages().await), 1, "once for each plan");
    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    assert_eq!(receipt.replanned.map(|(_, by)| by), Some(ReplannedBy::Person));
    assert_eq!(receipt.plan.hash, change.current.hash);
    assert!(deletion::pending_change(&lethe, &subject(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn user_who_cannot_be_asked_is_erased_by_the_changed_plan_and_silence_is_no_consent() {
    let world = World::start().await;
    let (gone, silent) = (deletion_with_changed_plan(&world, 1).await, deletion_with_changed_plan(&world, 3).await);
    world.clerk.delete_user(subject(1).as_str()).await;
    let _working = world.start_worker();
    eventually("it goes on", async || is_finished(&world, &gone).await).await;
    let receipt = deletion::receipt(&world.lethe, &gone.receipt).await.unwrap();
    assert_eq!(receipt.replanned.map(|(_, by)| by), Some(ReplannedBy::Unreachable));
    assert!(!is_finished(&world, &silent).await);
    assert!(!world.rows_of(&subject(3)).await["projects"].is_empty());
}

#[tokio::test]
async fn clerk_outage_is_no_reason_to_go_on_unasked() {
    let world = World::start().await;
    let request = deletion_with_changed_plan(&world, 1).await;
    world.clerk.fail(Fault { status: Some(503), ..Fault::default() });
    let _working = world.start_worker();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!is_finished(&world, &request).await);
    assert_eq!(audit_entries(&world, "deletion.replanned").await, 0);
}

#[tokio::test]
async fn deletion_goes_on_when_the_confirmed_outcomes_are_back() {
    let world = World::start().await;
    let request = deletion_with_changed_plan(&world, 1).await;
    let _working = world.start_worker();
    put_in_force(&world, MAP);
    drift::check(&world.lethe, None).await.unwrap();
    eventually("it goes on", async || is_finished(&world, &request).await).await;
    let receipt = deletion::receipt(&world.lethe, &request.receipt).await.unwrap();
    assert_eq!(receipt.replanned, None);
}

#[tokio::test]
async fn operator_accepts_the_changed_plan() {
    let world = World::start().await;
    let request = deletion_with_changed_plan(&world, 1).await;
    let (lethe, reference) = (world.lethe.refreshed(), Reference::Receipt(request.receipt.clone()));
    assert_eq!(deletion::accept_change(&lethe, &reference).await.unwrap(), Some(Replan::Accepted));
    assert_eq!(deletion::accept_change(&lethe, &reference).await.unwrap(), Some(Replan::Unnecessary));
    assert!(deletion::run(&lethe, request.id, TIMEOUT).await.unwrap().finished);
    assert_eq!(deletion::accept_change(&lethe, &reference).await.unwrap(), Some(Replan::TooLate));
    let receipt = deletion::receipt(&lethe, &request.receipt).await.unwrap();
    assert_eq!(receipt.replanned.map(|(_, by)| by), Some(ReplannedBy::Operator));
    assert_eq!(audit_entries(&world, "deletion.replanned").await, 1);
    assert!(audit::verify(&lethe).await.unwrap().is_intact());
}

#[tokio::test]
async fn held_deletion_erases_nothing_until_it_is_released() {
    let world = World::start().await;
    let person = subject(0);
    let new = NewRequest { origin: Origin::Api, ..by_page(&person, None) };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    let reference = Reference::Subject(person.clone());
    let before = world.rows_of(&person).await;
    let hold = async |reason| deletion::hold(&world.lethe, &reference, reason).await.unwrap();
    assert_eq!(hold("court order").await, Some(Hold::Held));
    assert_eq!(hold("court order 17/26").await, Some(Hold::HeldBefore));
    let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    assert_eq!((progress.finished, progress.waiting), (false, Some(Waiting::Hold)));
    let _working = world.start_worker();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.rows_of(&person).await, before);
    let details = inspection::details(&world.lethe, &reference).await.unwrap().unwrap();
    assert_eq!(details.summary.hold.as_ref().unwrap().reason, "court order 17/26");
    assert_eq!(inspection::retry(&world.lethe, &reference).await.unwrap().unwrap().step, None, "release comes first");

    assert_eq!(deletion::release(&world.lethe, &reference).await.unwrap(), Some(Release::Released));
    eventually("it goes on", async || is_finished(&world, &request).await).await;
    let receipt = Reference::Receipt(request.receipt.clone());
    assert_eq!(deletion::release(&world.lethe, &receipt).await.unwrap(), Some(Release::NotHeld));
    assert_eq!(deletion::hold(&world.lethe, &receipt, "late").await.unwrap(), Some(Hold::TooLate));
    for kind in ["deletion.held", "deletion.released"] {
        assert_eq!(audit_entries(&world, kind).await, 1, "{kind}");
    }
    let named: i64 = sqlx::query_scalar("select count(*) from lethe.audit_entry where open::text like '%court%'")
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(named, 0, "a reason may name somebody, and the log doesn't forget");
}

#[tokio::test]
async fn hold_waits_for_the_step_that_erases_and_never_stops_it_halfway() {
    let world = World::start().await;
    let person = subject(0);
    let new = NewRequest { origin: Origin::Api, ..by_page(&person, None) };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    let reference = Reference::Request(request.id);
    let (run, hold) = tokio::join!(deletion::run(&world.lethe, request.id, TIMEOUT), async {
        loop {
            let steps = deletion::progress(&world.lethe, request.id).await.unwrap().steps;
            if steps[2].status != Status::Pending {
                break deletion::hold(&world.lethe, &reference, "late").await.unwrap();
            }
            tokio::task::yield_now().await;
        }
    });
    let rows = world.rows_of(&person).await;
    match hold {
        Some(Hold::TooLate) => assert!(run.unwrap().finished && rows.values().all(Vec::is_empty)),
        Some(Hold::Held) => assert!(!run.unwrap().finished && !rows["users"].is_empty()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn retry_is_in_the_audit_log_and_long_lists_have_pages() {
    let world = World::start().await;
    world.clerk.fail(Fault { status: Some(500), ..Fault::default() });
    let mut requests = Vec::new();
    for index in 0..3 {
        let person = subject(index);
        let new = NewRequest { origin: Origin::Api, ..by_page(&person, None) };
        requests.push(deletion::request(&world.lethe, new).await.unwrap().id);
    }
    inspection::retry(&world.lethe, &Reference::Request(requests[0])).await.unwrap();
    assert_eq!(audit_entries(&world, "deletion.retried").await, 1);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = inspection::list(&world.lethe, inspection::State::UNFINISHED, after, 2).await.unwrap();
        assert!(page.deletions.len() <= 2);
        listed.extend(page.deletions.into_iter().map(|deletion| deletion.request));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(listed, requests);
}
