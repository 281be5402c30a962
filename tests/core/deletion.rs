//! Deletion: from the request to the receipt, with and without failures.

use std::time::Duration;

use lethe::clerk::webhook::Event;
use lethe::consent::{self, Choice, Source};
use lethe::deletion::clerk_events::{Received, receive};
use lethe::deletion::{
    self, Advance, NewRequest, Origin, Outcome, PlanHash, Request, Status, Step, orphans, retention,
};
use lethe::{Error, ErrorCode, Presence, audit, subject as person};
use lethe_demo::testing::Fault;

use crate::world::{World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const DELETE: &str = "DELETE /v1/users/{user_id}";

fn by(subject: &lethe::ClerkUserId, origin: Origin) -> NewRequest<'_> {
    NewRequest { subject, origin, confirmed_plan: None, contact: Some("ada@example.org"), idempotency_key: None }
}

async fn ask(world: &World, index: usize) -> Request {
    deletion::request(&world.lethe, by(&subject(index), Origin::Api)).await.unwrap()
}

#[tokio::test]
async fn deleted_user_is_erased_and_the_neighbour_is_unchanged() {
    let world = World::start().await;
    let neighbour = world.rows_of(&subject(1)).await;
    let choice = Choice { purpose: "marketing".to_owned(), granted: true };
    consent::set(&world.lethe, &subject(0), &[choice], Source::Page, false).await.unwrap();
    let plan = deletion::preview(&world.lethe, &subject(0)).await.unwrap();
    let request = ask(&world, 0).await;
    let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    assert!(progress.finished && progress.steps.iter().all(|step| step.status == Status::Done));
    assert!(world.rows_of(&subject(0)).await.values().all(Vec::is_empty));
    assert_eq!(world.rows_of(&subject(1)).await, neighbour);
    assert_eq!(world.clerk.user(subject(0).as_str()).await, None);
    assert_eq!(person::presence(&world.lethe, &subject(0)).await.unwrap(), Presence::Erased);

    let receipt = deletion::receipt(&world.lethe, &request.receipt).await.unwrap();
    assert_eq!(receipt.plan.hash, plan.hash);
    let counted = |table: &str| {
        let planned = plan.lines.iter().find(|line| line.table == table && !line.others).unwrap().rows;
        let done =
            receipt.results.iter().map(|result| &result.line).find(|line| line.table == table && !line.others).unwrap();
        assert_eq!(done.outcome, Outcome::Deleted);
        assert!(planned > 0 && planned == done.rows, "{table}: {planned} planned, {} done", done.rows);
    };
    ["public.users", "public.posts", "public.comments"].into_iter().for_each(counted);
    assert!(receipt.finished_at.is_some() && receipt.log_position.is_some());

    // Nothing is left that identifies the user, and the audit log is intact.
    let traces: i64 = sqlx::query_scalar(
        "select (select count(*) from lethe.data_subject where clerk_id = $1)
            + (select count(*) from lethe.deletion_request where clerk_id is not null)
            + (select count(*) from lethe.audit_entry where open::text like '%' || $1 || '%')
            + (select count(*) from lethe_jobs.jobs j join lethe_jobs._private_jobs p on p.id = j.id where p.payload::text like '%' || $1 || '%')",
    )
    .bind(subject(0).as_str())
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert_eq!(traces, 0);
    assert!(audit::verify(&world.lethe).await.unwrap().is_intact());
}

#[tokio::test]
async fn retained_rows_are_purged_after_their_period() {
    let world = World::start().await;
    let request = ask(&world, 1).await;
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    let hidden: (i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from profiles where user_id = $1 and email is null and deleted_at is not null),
            (select count(*) from datasets where user_id = $1 and deleted_at is not null),
            (select count(*) from api_keys where user_id = $1 and revoked_at is null)",
    )
    .bind(subject(1).as_str())
    .fetch_one(world.pool())
    .await
    .unwrap();
    assert!(hidden.0 == 1 && hidden.1 > 0 && hidden.2 == 0, "{hidden:?}");
    assert_eq!(retention::purge_expired(&world.lethe).await.unwrap().rows, 0, "not yet");

    sqlx::query("update lethe.retention set due_at = due_at - interval '31 days'").execute(world.pool()).await.unwrap();
    sqlx::query("update datasets set deleted_at = deleted_at - interval '31 days' where user_id = $1")
        .bind(subject(1).as_str())
        .execute(world.pool())
        .await
        .unwrap();
    for table in ["projects", "reports", "experiments", "pipelines"] {
        let statement = format!("update {table} set deleted_at = deleted_at - interval '31 days' where user_id = $1");
        let statement = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(subject(1).as_str().to_owned());
        statement.execute(world.pool()).await.unwrap();
    }
    assert!(retention::purge_expired(&world.lethe).await.unwrap().rows > 0);
    let rows = world.rows_of(&subject(1)).await;
    assert!(rows["datasets"].is_empty() && rows["projects"].is_empty());
    assert!(!rows["usage_logs"].is_empty(), "retained for its own period");
}

#[tokio::test]
async fn deletion_continues_after_a_crash_between_any_two_steps() {
    for steps in 0..Step::ALL.len() {
        let world = World::start().await;
        let request = ask(&world, 3).await;
        for _ in 0..steps {
            assert_eq!(deletion::advance(&world.lethe, request.id).await.unwrap(), Advance::StepDone);
        }
        // No process is executing it now; a new worker finds it by itself.
        let _working = world.start_worker();
        eventually("the rest of the steps", || async {
            deletion::progress(&world.lethe, request.id).await.unwrap().finished
        })
        .await;
        assert_eq!(world.clerk.user(subject(3).as_str()).await, None);
        let rows = world.rows_of(&subject(3)).await;
        assert!(
            rows["users"].is_empty()
                && rows["posts"].is_empty()
                && rows["api_keys"].iter().all(|row| !row.contains("\"revoked_at\": null"))
        );
        let entries: i64 =
            sqlx::query_scalar("select count(*) from lethe.audit_entry where kind = 'deletion.step_finished'")
                .fetch_one(world.pool())
                .await
                .unwrap();
        assert_eq!(entries, 7, "each step has one audit entry, after a crash at step {steps}");
    }
}

#[tokio::test]
async fn two_workers_execute_each_step_once() {
    let world = World::start().await;
    let request = ask(&world, 0).await;
    let (one, other) = tokio::join!(
        deletion::run(&world.lethe, request.id, TIMEOUT),
        deletion::run(&world.lethe, request.id, TIMEOUT),
    );
    assert!(one.unwrap().finished && other.unwrap().finished);
    assert_eq!(world.clerk.requests(DELETE), 1);
}

#[tokio::test]
async fn failing_clerk_step_is_retried_after_the_data_was_erased() {
    let world = World::start().await;
    world.clerk.fail(Fault { operation: Some(DELETE.to_owned()), status: Some(500), ..Fault::default() });
    let request = ask(&world, 0).await;
    let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    assert!(!progress.finished);
    let step = &progress.steps[4];
    assert_eq!((step.step, step.status), (Step::ClerkUser, Status::Retrying));
    assert_eq!(progress.steps[2].status, Status::Done);
    // The user is rejected meanwhile, and another request returns the same deletion.
    assert!(matches!(person::presence(&world.lethe, &subject(0)).await.unwrap(), Presence::Deleting(_)));
    assert_eq!(ask(&world, 0).await.id, request.id);
    let _working = world.start_worker();
    world.clerk.recover();
    eventually("the deletion", || async { deletion::progress(&world.lethe, request.id).await.unwrap().finished }).await;
    assert_eq!(world.clerk.user(subject(0).as_str()).await, None);
}

#[tokio::test]
async fn retried_deletion_keeps_the_incident_id_of_its_request() {
    let world = World::start().await;
    world.clerk.fail(Fault { operation: Some(DELETE.to_owned()), status: Some(500), ..Fault::default() });
    let of_request = world.lethe.with_incident("3T9KQ7XAB2CDE");
    let request = deletion::request(&of_request, by(&subject(0), Origin::Api)).await.unwrap();
    deletion::run(&of_request, request.id, TIMEOUT).await.unwrap();
    // The schedule isn't part of a request, so it has no incident id. It leaves the job alone.
    assert_eq!(deletion::resume_all(&world.lethe).await.unwrap(), 0);
    let incidents: Vec<Option<String>> =
        sqlx::query_scalar("select payload->>'incident' from lethe_jobs._private_jobs where payload->>'request' = $1")
            .bind(request.id.to_string())
            .fetch_all(world.pool())
            .await
            .unwrap();
    assert_eq!(incidents, [Some("3T9KQ7XAB2CDE".to_owned())]);
}

#[tokio::test]
async fn user_unknown_to_clerk_counts_as_deleted() {
    let world = World::start().await;
    world.clerk.delete_user(subject(0).as_str()).await;
    let request = ask(&world, 0).await;
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
}

#[tokio::test]
async fn user_managed_by_a_directory_blocks_the_deletion_and_alerts_operators() {
    let world = World::start().await;
    world.clerk.fail(Fault {
        operation: Some(DELETE.to_owned()),
        status: Some(409),
        code: Some("user_managed_by_scim".to_owned()),
        ..Fault::default()
    });
    let _working = world.start_worker();
    let request = ask(&world, 0).await;
    let mail = world.inbox.wait_for(1).await;
    let text = format!("{mail:?}");
    assert!(text.contains("operator@example.org") && text.contains(&request.id.to_string()));
    assert!(text.contains("clerk_user_managed_by_scim") && !text.contains(subject(0).as_str()));
    let progress = deletion::progress(&world.lethe, request.id).await.unwrap();
    assert!(progress.needs_attention && progress.steps[4].status == Status::Blocked);
}

#[tokio::test]
async fn receipt_is_mailed_and_the_address_is_deleted() {
    let world = World::start().await;
    let _working = world.start_worker();
    let request = ask(&world, 0).await;
    let mail = format!("{:?}", world.inbox.wait_for(1).await);
    assert!(mail.contains("ada@example.org") && mail.contains(request.receipt.as_str()));
    eventually("deleting the address", || async {
        sqlx::query_scalar::<_, bool>("select contact is null from lethe.deletion_request")
            .fetch_one(world.pool())
            .await
            .unwrap()
    })
    .await;
}

#[tokio::test]
async fn outdated_plan_is_refused() {
    let world = World::start().await;
    let person = subject(0);
    let outdated = PlanHash::from_text("0".repeat(64));
    let stale = NewRequest { confirmed_plan: Some(&outdated), ..by(&person, Origin::Page) };
    let refused = deletion::request(&world.lethe, stale).await;
    assert!(matches!(refused, Err(Error::Refused(ErrorCode::PlanChanged))));
    let plan = deletion::preview(&world.lethe, &person).await.unwrap();
    let fresh = NewRequest { confirmed_plan: Some(&plan.hash), ..by(&person, Origin::Page) };
    deletion::request(&world.lethe, fresh).await.unwrap();
}

#[tokio::test]
async fn unmapped_table_stops_the_deletion() {
    let world = World::start().await;
    sqlx::query("create table public.secrets (id bigint primary key, user_id text references users (clerk_id))")
        .execute(world.pool())
        .await
        .unwrap();
    let before = world.rows_of(&subject(0)).await;
    // Who confirms a plan must be able to see it.
    let person = subject(0);
    let confirmed = PlanHash::from_text("0".repeat(64));
    let new = NewRequest { confirmed_plan: Some(&confirmed), ..by(&person, Origin::Page) };
    let refused = deletion::request(&world.lethe, new).await;
    assert!(matches!(refused, Err(Error::Refused(ErrorCode::PlanChanged))), "{refused:?}");
    assert_eq!(world.rows_of(&subject(0)).await, before);
    // Another request is stored; it is blocked until the map is corrected.
    for (index, origin) in [(0, Origin::Webhook), (1, Origin::Api)] {
        let before = world.rows_of(&subject(index)).await;
        let request = deletion::request(&world.lethe, by(&subject(index), origin)).await.unwrap();
        let progress = deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
        assert_eq!(progress.steps[2].status, Status::Blocked);
        assert_eq!(world.rows_of(&subject(index)).await, before);
    }
}

#[tokio::test]
async fn deletion_at_clerk_erases_once() {
    let world = World::start().await;
    let event = Event::UserDeleted { id: Some(subject(0)) };
    assert_eq!(receive(&world.lethe, "msg_1", &event).await.unwrap(), Received::Processed);
    assert_eq!(receive(&world.lethe, "msg_1", &event).await.unwrap(), Received::Duplicate);
    assert_eq!(receive(&world.lethe, "msg_2", &event).await.unwrap(), Received::Processed);
    let requests: Vec<uuid::Uuid> =
        sqlx::query_scalar("select id from lethe.deletion_request").fetch_all(world.pool()).await.unwrap();
    let [request] = requests[..] else { panic!("{requests:?}") };
    assert!(deletion::run(&world.lethe, request, TIMEOUT).await.unwrap().finished);
    assert!(world.rows_of(&subject(0)).await.values().all(Vec::is_empty));
    // A late event starts nothing.
    receive(&world.lethe, "msg_3", &event).await.unwrap();
    let requests: i64 =
        sqlx::query_scalar("select count(*) from lethe.deletion_request").fetch_one(world.pool()).await.unwrap();
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn late_choice_does_not_bring_an_erased_user_back() {
    let world = World::start().await;
    let request = ask(&world, 0).await;
    assert!(deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap().finished);
    let choice = Choice { purpose: "marketing".to_owned(), granted: true };
    let late = consent::set(&world.lethe, &subject(0), &[choice], Source::Page, false).await;
    assert!(matches!(late, Err(Error::Refused(ErrorCode::AccountDeleted))));
    let people: i64 = sqlx::query_scalar("select count(*) from lethe.data_subject where clerk_id = $1")
        .bind(subject(0).as_str())
        .fetch_one(world.pool())
        .await
        .unwrap();
    assert_eq!(people, 0);
    assert!(matches!(
        deletion::request(&world.lethe, by(&subject(0), Origin::Api)).await,
        Err(Error::Refused(ErrorCode::AccountDeleted))
    ));
}

#[tokio::test]
async fn orphans_are_found_in_batches_and_errors_are_not_orphans() {
    let world = World::start().await;
    world.clerk.delete_user(subject(0).as_str()).await;
    world.clerk.delete_user(subject(1).as_str()).await;
    world.clerk.forget_requests();
    let report = orphans::search(&world.lethe, |_| {}).await.unwrap();
    let mut orphans = report.orphans.clone();
    orphans.sort();
    let mut expected = vec![subject(0), subject(1)];
    expected.sort();
    assert_eq!(orphans, expected);
    assert_eq!(report.people, 8);
    assert_eq!(world.clerk.all_requests(), 3, "one for all, and one for each who is missing");
    assert!(!world.rows_of(&subject(0)).await["users"].is_empty(), "the search erases nothing");

    world.clerk.fail(Fault { status: Some(429), retry_after: Some(0), ..Fault::default() });
    let failed = orphans::search(&world.lethe, |_| {}).await;
    assert!(matches!(failed, Err(orphans::SearchError::Failed(Error::Clerk(_)))), "{failed:?}");
}

#[tokio::test]
async fn progress_is_found_by_request_and_by_receipt_code() {
    let world = World::start().await;
    let request = ask(&world, 0).await;
    assert_eq!(deletion::advance(&world.lethe, request.id).await.unwrap(), Advance::StepDone);
    let progress = deletion::progress_of(&world.lethe, &request.receipt).await.unwrap();
    assert_eq!(progress, deletion::progress(&world.lethe, request.id).await.unwrap());
    assert_eq!((progress.steps[0].status, progress.steps[1].status), (Status::Done, Status::Pending));
    let unknown = deletion::ReceiptCode::parse(deletion::ReceiptCode::EXAMPLE).unwrap();
    let missing = deletion::progress_of(&world.lethe, &unknown).await;
    assert!(matches!(missing, Err(Error::Refused(ErrorCode::NotFound))));
}

#[tokio::test]
async fn unknown_step_status_in_the_database_is_an_error() {
    let world = World::start().await;
    let request = ask(&world, 0).await;
    sqlx::query("alter table lethe.deletion_step drop constraint deletion_step_status_check")
        .execute(world.pool())
        .await
        .unwrap();
    sqlx::query("update lethe.deletion_step set status = 'paused' where position = 3")
        .execute(world.pool())
        .await
        .unwrap();
    let progress = deletion::progress(&world.lethe, request.id).await;
    assert!(matches!(progress, Err(Error::Internal(_))), "{progress:?}");
}

/// The page says that nothing was deleted, and a request that was under way arrives after all.
#[tokio::test]
async fn request_that_was_given_up_starts_no_deletion() {
    let world = World::start().await;
    let (ada, key) = (subject(0), uuid::Uuid::from_u128(7));
    let plan = deletion::preview(&world.lethe, &ada).await.unwrap().hash;
    let new = |key| NewRequest { confirmed_plan: Some(&plan), idempotency_key: Some(key), ..by(&ada, Origin::Page) };
    deletion::invalidate_key(&world.lethe, &ada, key).await.unwrap();
    deletion::invalidate_key(&world.lethe, &ada, key).await.unwrap();
    let refused = deletion::request(&world.lethe, new(key)).await;
    assert!(matches!(refused, Err(Error::Refused(ErrorCode::PlanChanged))), "{refused:?}");
    // Another person's key is another one.
    let other = subject(2);
    let new_of_other = NewRequest { idempotency_key: Some(key), ..by(&other, Origin::Api) };
    deletion::request(&world.lethe, new_of_other).await.unwrap();

    let next = uuid::Uuid::from_u128(8);
    deletion::request(&world.lethe, new(next)).await.unwrap();
    let arrived = deletion::invalidate_key(&world.lethe, &ada, next).await;
    assert!(matches!(arrived, Err(Error::Refused(ErrorCode::AccountDeleted))), "{arrived:?}");
}

/// Whichever comes first, the two agree on whether the deletion has started.
#[tokio::test]
async fn request_and_its_giving_up_never_both_succeed() {
    let world = World::start().await;
    for index in [0, 2, 4, 6] {
        let person = subject(index);
        let key = uuid::Uuid::from_u128(index as u128);
        let new = NewRequest { idempotency_key: Some(key), ..by(&person, Origin::Api) };
        let (requested, given_up) =
            tokio::join!(deletion::request(&world.lethe, new), deletion::invalidate_key(&world.lethe, &person, key));
        assert!(requested.is_ok() != given_up.is_ok(), "{requested:?} {given_up:?}");
    }
}
