//! Deletions as operators see them: why one doesn't go on, and what a retry does.

use std::time::Duration;

use lethe::deletion::inspection::{self, DeletionDetails, DeletionSummary, State, Work};
use lethe::deletion::{self, Failure, NewRequest, Origin, ReceiptCode, Reference, Request, Status, Step, retention};
use lethe_demo::testing::Fault;

use crate::world::{World, eventually, subject};

const TIMEOUT: Duration = Duration::from_secs(20);
const DELETE: &str = "DELETE /v1/users/{user_id}";

async fn deletion_of(world: &World, index: usize) -> Request {
    let subject = subject(index);
    let new = NewRequest {
        subject: &subject,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: Some("ada@example.org"),
        idempotency_key: None,
    };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    request
}

async fn details(world: &World, reference: &Reference) -> Option<DeletionDetails> {
    inspection::details(&world.lethe, reference).await.unwrap()
}

async fn list(world: &World, states: &[State]) -> Vec<DeletionSummary> {
    inspection::list(&world.lethe, states, None, 100).await.unwrap().deletions
}

async fn execute(world: &World, statement: &'static str) {
    sqlx::query(statement).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn deletion_that_fails_at_clerk_has_step_attempts_and_cause() {
    let world = World::start().await;
    world.clerk.fail(Fault { operation: Some(DELETE.to_owned()), status: Some(500), ..Fault::default() });
    let failing = deletion_of(&world, 0).await;
    world.clerk.recover();
    let completed = deletion_of(&world, 2).await;

    let listed = list(&world, State::UNFINISHED).await;
    assert_eq!(listed.len(), 1, "the completed one is left out: {listed:?}");
    let summary = &listed[0];
    assert_eq!((summary.request, &summary.receipt, summary.state), (failing.id, &failing.receipt, State::Open));
    assert_eq!(summary.due_at - summary.requested_at, time::Duration::days(30));
    let current = summary.current.as_ref().unwrap();
    assert_eq!((&current.work, current.attempts), (&Work::Step(Step::ClerkUser), 1));
    assert_eq!(current.failure, Some(Failure::Clerk));
    assert!(current.next_attempt_at.is_some());

    let found = details(&world, &Reference::Subject(subject(0))).await.unwrap();
    assert_eq!(found.summary, *summary);
    for reference in [Reference::Receipt(failing.receipt.clone()), Reference::Request(failing.id)] {
        assert_eq!(details(&world, &reference).await.as_ref(), Some(&found));
    }
    let statuses: Vec<Status> = found.steps.iter().map(|step| step.status).collect();
    assert_eq!(statuses[..4], [Status::Done; 4]);
    assert_eq!(statuses[4..], [Status::Retrying, Status::Pending, Status::Pending]);
    let step = &found.steps[4];
    assert_eq!((step.step, step.attempts, step.failure), (Step::ClerkUser, 1, Some(Failure::Clerk)));
    assert_eq!(found.steps[0].failure, None);
    assert!(!format!("{found:?}").contains(subject(0).as_str()));

    let receipts: Vec<ReceiptCode> =
        list(&world, &[State::Completed]).await.into_iter().map(|summary| summary.receipt).collect();
    assert_eq!(receipts, [completed.receipt]);
}

#[tokio::test]
async fn retry_goes_on_at_once_when_the_fault_is_gone() {
    let world = World::start().await;
    world.clerk.fail(Fault { operation: Some(DELETE.to_owned()), status: Some(500), ..Fault::default() });
    let request = deletion_of(&world, 0).await;
    // Without a retry it would wait for an hour.
    execute(
        &world,
        "update lethe.deletion_step set next_attempt_at = now() + interval '1 hour' where failure is not null",
    )
    .await;
    execute(&world, "delete from lethe_jobs._private_jobs").await;
    let _working = world.start_worker();
    world.clerk.recover();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!deletion::progress(&world.lethe, request.id).await.unwrap().finished);

    let retry = inspection::retry(&world.lethe, &Reference::Subject(subject(0))).await.unwrap().unwrap();
    assert_eq!((retry.step, retry.purges), (Some(Step::ClerkUser), 0));
    eventually("the deletion", async || deletion::progress(&world.lethe, request.id).await.unwrap().finished).await;
}

#[tokio::test]
async fn completed_deletion_is_found_by_its_receipt_only_and_not_retried() {
    let world = World::start().await;
    let request = deletion_of(&world, 0).await;
    let by_receipt = Reference::Receipt(request.receipt.clone());
    let found = details(&world, &by_receipt).await.unwrap();
    assert_eq!((found.summary.state, &found.summary.current), (State::Completed, &None));
    assert!(found.summary.finished_at.is_some());
    assert!(found.steps.iter().all(|step| step.status == Status::Done && step.failure.is_none()));
    let retry = inspection::retry(&world.lethe, &by_receipt).await.unwrap().unwrap();
    assert_eq!((retry.step, retry.purges, retry.summary), (None, 0, found.summary));

    let unknown = ReceiptCode::parse(ReceiptCode::EXAMPLE).unwrap();
    for reference in [Reference::Subject(subject(0)), Reference::Subject(subject(1)), Reference::Receipt(unknown)] {
        assert_eq!(details(&world, &reference).await, None, "{reference:?}");
        assert_eq!(inspection::retry(&world.lethe, &reference).await.unwrap(), None, "{reference:?}");
    }
}

#[tokio::test]
async fn blocked_deletion_needs_attention_and_names_its_remedy() {
    let world = World::start().await;
    world.clerk.fail(Fault {
        operation: Some(DELETE.to_owned()),
        status: Some(409),
        code: Some("user_managed_by_scim".to_owned()),
        ..Fault::default()
    });
    deletion_of(&world, 0).await;
    assert!(list(&world, &[State::Open]).await.is_empty());
    let listed = list(&world, &[State::Attention]).await;
    let failure = listed[0].current.as_ref().unwrap().failure.unwrap();
    assert_eq!(failure, Failure::ManagedByScim);
    assert!(failure.remedy().contains("directory"));
}

#[tokio::test]
async fn purge_that_keeps_failing_needs_attention_and_is_retried() {
    let world = World::start().await;
    let request = deletion_of(&world, 1).await;
    let by_receipt = Reference::Receipt(request.receipt.clone());
    let waiting = details(&world, &by_receipt).await.unwrap().retention;
    assert!(waiting.len() > 1 && waiting.iter().all(|entry| entry.attempts == 0 && entry.failure.is_none()));
    execute(
        &world,
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$",
    )
    .await;
    execute(&world, "create trigger refuse before delete on projects for each row execute function refuse()").await;
    for statement in [
        "update lethe.retention set due_at = due_at - interval '31 days'",
        "update projects set deleted_at = deleted_at - interval '31 days'",
        "update reports set deleted_at = deleted_at - interval '31 days'",
        "update experiments set deleted_at = deleted_at - interval '31 days'",
        "update pipelines set deleted_at = deleted_at - interval '31 days'",
        "update datasets set deleted_at = deleted_at - interval '31 days'",
    ] {
        execute(&world, statement).await;
    }
    for _ in 0..3 {
        execute(&world, "update lethe.retention set next_attempt_at = null").await;
        assert!(retention::purge_expired(&world.lethe).await.unwrap().failed > 0);
    }

    let listed = list(&world, &[State::Attention]).await;
    let current = listed[0].current.as_ref().unwrap();
    assert!(matches!(&current.work, Work::Purge(_)) && current.attempts == 3, "{current:?}");
    assert_eq!(current.failure, Some(Failure::RowsRefused));
    let found = details(&world, &by_receipt).await.unwrap();
    let entry = found.retention.iter().find(|entry| entry.table == "public.projects").unwrap();
    assert_eq!((entry.attempts, entry.failure), (3, Some(Failure::RowsRefused)));
    assert!(entry.next_attempt_at.is_some());

    let _working = world.start_worker();
    execute(&world, "drop trigger refuse on projects").await;
    let retry = inspection::retry(&world.lethe, &by_receipt).await.unwrap().unwrap();
    assert!(retry.step.is_none() && retry.purges > 0, "{retry:?}");
    eventually("the purge", async || {
        let found = details(&world, &by_receipt).await.unwrap();
        found.summary.state == State::Completed && found.retention.iter().all(|entry| entry.failure.is_none())
    })
    .await;
}
