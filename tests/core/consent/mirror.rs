//! The copy at Clerk.

use lethe::consent::{Source, register_purposes, set};
use lethe_demo::testing::Fault;

use super::{RENAMED, choose};
use crate::world::{RunningWorker, World, eventually, subject};

async fn mirrored(world: &World, index: usize) -> serde_json::Value {
    let user = world.clerk.user(subject(index).as_str()).await.unwrap();
    user["public_metadata"]["consent"].clone()
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
