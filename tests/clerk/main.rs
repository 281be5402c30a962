//! The client of Clerk's Backend API against the stand-in, with and without failures.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use lethe::ClerkUserId;
use lethe::clerk::{Client, ClientSettings, DeleteOutcome, Kind, MetadataOutcome, profile, webhook};
use lethe_demo::people::person;
use lethe_demo::testing::{ClerkStandIn, Fault, FaultMoment, StandInOptions};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

const USER: &str = "GET /v1/users/{user_id}";
const METADATA: &str = "PATCH /v1/users/{user_id}/metadata";
const DELETE: &str = "DELETE /v1/users/{user_id}";

mod outage;

struct World {
    clerk: ClerkStandIn,
    client: Client,
}

fn settings(clerk: &ClerkStandIn) -> ClientSettings {
    ClientSettings {
        api_url: Url::parse(clerk.url()).expect("the stand-in's settings are valid"),
        timeout: Duration::from_secs(2),
        budget: NonZeroU32::new(10_000),
        ..ClientSettings::new(SecretString::from(clerk.secret_key()))
    }
}

async fn world() -> World {
    let clerk = ClerkStandIn::start(StandInOptions::default()).await;
    let client = Client::new(&settings(&clerk)).expect("the stand-in's settings are valid");
    World { clerk, client }
}

fn subject(index: usize) -> ClerkUserId {
    ClerkUserId::parse(&person(index).id).expect("made-up people have valid Clerk ids")
}

fn stranger() -> ClerkUserId {
    ClerkUserId::parse("user_000000000000000000000000000").expect("the id has Clerk's format")
}

fn fault(operation: &str) -> Fault {
    Fault { operation: Some(operation.to_owned()), ..Fault::default() }
}

#[tokio::test]
async fn user_is_read_and_unknown_user_is_none() {
    let World { clerk: _clerk, client } = world().await;
    let user = client.user(&subject(0)).await.unwrap().unwrap();
    assert_eq!(user.id(), &subject(0));
    assert_eq!(user.primary_email(), Some(person(0).email.as_str()));
    assert_eq!(user.display_name(), Some(person(0).name()));
    assert_eq!(client.user(&stranger()).await.unwrap(), None);
}

#[tokio::test]
async fn existing_omits_unknown_ids() {
    let World { clerk, client } = world().await;
    let asked: Vec<ClerkUserId> = (0..8).map(subject).chain([stranger()]).collect();
    clerk.forget_requests();
    let found = client.batch().existing(&asked).await.unwrap();
    assert_eq!(found, (0..8).map(subject).collect::<HashSet<_>>());
    assert_eq!(clerk.all_requests(), 1);
    assert!(client.existing(&[]).await.unwrap().is_empty());
    assert_eq!(clerk.all_requests(), 1);
    assert!(client.existing(&[stranger()]).await.unwrap().is_empty());
}

#[tokio::test]
async fn existing_takes_a_hundred_ids_in_one_call() {
    let clerk = ClerkStandIn::start(StandInOptions { people: 100, ..StandInOptions::default() }).await;
    let client = Client::new(&settings(&clerk)).unwrap();
    let asked: Vec<ClerkUserId> = (0..100).map(subject).collect();
    assert_eq!(client.existing(&asked).await.unwrap().len(), 100);
}

#[tokio::test]
#[should_panic(expected = "at most 100 ids")]
async fn existing_panics_above_a_hundred_ids() {
    let World { clerk: _clerk, client } = world().await;
    let asked: Vec<ClerkUserId> = (0..101).map(subject).collect();
    let _ = client.existing(&asked).await;
}

#[tokio::test]
async fn merge_metadata_preserves_other_keys() {
    let World { clerk, client } = world().await;
    let public = || async { client.user(&subject(0)).await.unwrap().unwrap().public_metadata().cloned().unwrap() };
    let before = public().await;
    client.merge_metadata(&subject(0), json!({"plan": "pro", "consent": {"marketing": true, "old": 1}})).await.unwrap();
    let change = json!({"consent": {"marketing": false, "analytics": true, "old": null}});
    assert_eq!(client.merge_metadata(&subject(0), change).await.unwrap(), MetadataOutcome::Merged);
    let mut expected = before;
    expected["plan"] = json!("pro");
    expected["consent"] = json!({"marketing": false, "analytics": true});
    assert_eq!(public().await, expected);
    assert_eq!(clerk.requests("PUT /v1/users/{user_id}/metadata"), 0);
    let gone = client.merge_metadata(&stranger(), json!({"consent": {}})).await.unwrap();
    assert_eq!(gone, MetadataOutcome::UserNotFound);
}

#[tokio::test]
async fn concurrent_metadata_merges_both_survive() {
    let World { clerk: _clerk, client } = world().await;
    let ada = subject(0);
    let write = |metadata: Value| client.merge_metadata(&ada, metadata);
    let (first, second) = tokio::join!(write(json!({"first": true})), write(json!({"second": true})));
    assert_eq!((first.unwrap(), second.unwrap()), (MetadataOutcome::Merged, MetadataOutcome::Merged));
    let user = client.user(&subject(0)).await.unwrap().unwrap();
    let metadata = user.public_metadata().unwrap();
    assert_eq!((&metadata["first"], &metadata["second"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn oversized_metadata_is_refused_before_sending() {
    let World { clerk, client } = world().await;
    clerk.forget_requests();
    for (metadata, code) in
        [(json!({"a": "x".repeat(8 * 1024)}), "metadata_too_large"), (json!([1]), "metadata_not_an_object")]
    {
        let error = client.merge_metadata(&subject(0), metadata).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (Kind::Invalid, Some(code)));
        assert!(!error.retryable());
    }
    assert_eq!(clerk.all_requests(), 0);
    // Merged with what is stored it may still be too large; then Clerk refuses it.
    client.merge_metadata(&subject(0), json!({"a": "x".repeat(5_000)})).await.unwrap();
    let error = client.merge_metadata(&subject(0), json!({"b": "x".repeat(5_000)})).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Invalid, Some(422)));
}

#[tokio::test]
async fn delete_user_is_idempotent_and_reports_scim_users() {
    let World { clerk, client } = world().await;
    assert_eq!(client.delete_user(&subject(0)).await.unwrap(), DeleteOutcome::Deleted);
    assert_eq!(client.delete_user(&subject(0)).await.unwrap(), DeleteOutcome::AlreadyDeleted);
    assert_eq!(clerk.user(subject(0).as_str()).await, None);

    clerk.fail(Fault { status: Some(409), code: Some("user_managed_by_scim".to_owned()), ..fault(DELETE) });
    clerk.forget_requests();
    let error = client.delete_user(&subject(1)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::ManagedByScim);
    assert_eq!(error.code(), Some("user_managed_by_scim"));
    assert!(!error.retryable());
    assert_eq!(clerk.requests(DELETE), 1, "a retry can't solve it");
    assert!(clerk.user(subject(1).as_str()).await.is_some());
}

/// The user is deleted, the response is lost, and the retry finds no user: that counts as success.
#[tokio::test]
async fn lost_response_to_a_deletion_counts_as_already_deleted() {
    let World { clerk, client } = world().await;
    clerk.fail(Fault { drop: true, times: Some(1), moment: FaultMoment::After, ..fault(DELETE) });
    assert_eq!(client.delete_user(&subject(0)).await.unwrap(), DeleteOutcome::AlreadyDeleted);
    assert_eq!(clerk.user(subject(0).as_str()).await, None);
}

#[tokio::test]
async fn transient_failures_are_retried_and_permanent_ones_reported() {
    let World { clerk, client } = world().await;
    for passing in [
        Fault { status: Some(500), ..fault(USER) },
        Fault { status: Some(503), ..fault(USER) },
        Fault { status: Some(504), ..fault(USER) },
        Fault { status: Some(409), ..fault(USER) },
        Fault { status: Some(429), retry_after: Some(1), ..fault(USER) },
        Fault { drop: true, ..fault(USER) },
    ] {
        clerk.fail(Fault { times: Some(1), ..passing.clone() });
        assert!(client.user(&subject(0)).await.unwrap().is_some(), "{passing:?}");
    }
    clerk.forget_requests();
    clerk.fail(Fault { status: Some(503), ..fault(USER) });
    let error = client.user(&subject(0)).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (Kind::Unavailable, Some(503)));
    assert!(error.retryable());
    assert_eq!(clerk.requests(USER), 3, "one attempt and two retries");
    clerk.recover();

    for (status, kind) in
        [(401, Kind::Unauthorized), (403, Kind::Forbidden), (413, Kind::Invalid), (422, Kind::Invalid)]
    {
        clerk.fail(Fault { status: Some(status), times: Some(1), ..fault(USER) });
        clerk.forget_requests();
        assert_eq!(client.user(&subject(0)).await.unwrap_err().kind(), kind);
        assert_eq!(clerk.requests(USER), 1);
        clerk.recover();
    }
}

#[tokio::test]
async fn wrong_secret_key_is_reported() {
    let World { clerk, .. } = world().await;
    let wrong = ClientSettings { secret_key: SecretString::from("sk_test_wrong"), ..settings(&clerk) };
    let error = Client::new(&wrong).unwrap().user(&subject(0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(!format!("{error} {error:?}").contains("sk_test"));
}

#[tokio::test]
async fn long_pause_fails_interactive_calls_and_delays_batch_calls() {
    let World { clerk, client } = world().await;
    clerk.fail(Fault { status: Some(429), retry_after: Some(6), times: Some(1), ..fault(USER) });
    let error = client.user(&subject(0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::RateLimited { retry_after: Some(Duration::from_secs(6)) });
    clerk.forget_requests();
    // The pause applies to every call of this operation, so that no other one makes it worse, and to no other operation.
    let started = Instant::now();
    assert!(matches!(client.user(&subject(1)).await.unwrap_err().kind(), Kind::RateLimited { .. }));
    assert_eq!(clerk.all_requests(), 0);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    client.sessions(&subject(1)).await.unwrap();
    client.jwks().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let bulk = client.batch();
    assert!(bulk.user(&subject(1)).await.unwrap().is_some());
    assert!(started.elapsed() > Duration::from_secs(5));
}

#[tokio::test]
async fn slow_clerk_is_unavailable() {
    let World { clerk, .. } = world().await;
    let client = Client::new(&ClientSettings { timeout: Duration::from_millis(150), ..settings(&clerk) }).unwrap();
    clerk.fail(Fault { latency: 1_000, ..fault(USER) });
    let started = Instant::now();
    let error = client.user(&subject(0)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(!format!("{error} {error:?}").contains(subject(0).as_str()), "logs must not contain user ids");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn unreachable_clerk_is_unavailable() {
    let client = Client::new(&ClientSettings {
        api_url: Url::parse("http://127.0.0.1:9").unwrap(),
        ..ClientSettings::new(SecretString::from("sk_test_a"))
    })
    .unwrap();
    assert_eq!(client.jwks().await.unwrap_err().kind(), Kind::Unavailable);
}

/// More batch calls than Clerk's published rate limit allows, and none is refused.
#[tokio::test]
async fn batch_calls_stay_within_the_published_rate() {
    let World { clerk, .. } = world().await;
    let client = Client::new(&ClientSettings { budget: NonZeroU32::new(1_000), ..settings(&clerk) }).unwrap();
    clerk.limit_rate(true);
    let bulk = client.batch();
    let work: Vec<_> = (0..150)
        .map(|_| {
            let bulk = bulk.clone();
            tokio::spawn(async move { bulk.existing(&[subject(0)]).await.map(|found| found.len()) })
        })
        .collect();
    assert!(client.user(&subject(1)).await.unwrap().is_some());
    let finished = work.iter().filter(|task| task.is_finished()).count();
    assert!(finished < work.len() / 2, "{finished} calls of the batch came before an interactive one");
    for task in work {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let World { clerk, client } = world().await;
    let first = clerk.sign_in(subject(0).as_str()).await;
    clerk.sign_in(subject(0).as_str()).await;
    let other = clerk.sign_in(subject(1).as_str()).await;
    assert_eq!(client.sessions(&subject(0)).await.unwrap().len(), 2);
    client.revoke_session(&first.session_id).await.unwrap();
    assert_eq!(client.end_sessions(&subject(0)).await.unwrap(), 1);
    assert_eq!(client.end_sessions(&subject(0)).await.unwrap(), 0);
    assert!(client.sessions(&subject(0)).await.unwrap().iter().all(|session| !session.is_live()));
    let sessions = client.sessions(&subject(1)).await.unwrap();
    assert_eq!((sessions[0].id(), sessions[0].is_live()), (other.session_id.as_str(), true));
    client.revoke_session("sess_000000000000000000000000000").await.unwrap();
}

#[tokio::test]
async fn jwks_are_read() {
    let World { clerk: _clerk, client } = world().await;
    let jwks = client.jwks().await.unwrap();
    assert!(jwks.keys.iter().all(|key| key.kty == "RSA" && !key.n.is_empty()));
    assert!(!jwks.keys.is_empty());
}

#[tokio::test]
async fn unknown_handshake_nonce_is_not_retried() {
    let World { clerk, client } = world().await;
    clerk.forget_requests();
    assert_eq!(client.handshake_payload("made up & odd").await.unwrap_err().kind(), Kind::NotFound);
    clerk.fail(Fault { status: Some(503), ..Fault::default() });
    assert_eq!(client.handshake_payload("n").await.unwrap_err().kind(), Kind::Unavailable);
    assert_eq!(clerk.all_requests(), 2);
}

#[tokio::test]
async fn export_profile_holds_the_user_and_no_secret() {
    let World { clerk, client } = world().await;
    clerk.sign_in(subject(0).as_str()).await;
    client.merge_metadata(&subject(0), json!({"consent": {"marketing": true}})).await.unwrap();
    let user = client.user(&subject(0)).await.unwrap().unwrap();
    let exported = profile(&user, &client.sessions(&subject(0)).await.unwrap());
    assert_eq!(exported["email_addresses"][0]["email_address"], person(0).email);
    assert_eq!(exported["public_metadata"]["consent"]["marketing"], true);
    assert_eq!(exported["sessions"][0]["status"], "active");
    for secret in ["private_metadata", "backup_codes", "token", "digest"] {
        assert!(!exported.to_string().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn failed_metadata_merge_changes_nothing() {
    let World { clerk, client } = world().await;
    clerk.fail(Fault { status: Some(503), ..fault(METADATA) });
    assert!(client.merge_metadata(&subject(0), json!({"a": 1})).await.unwrap_err().retryable());
    clerk.recover();
    let user = client.user(&subject(0)).await.unwrap().unwrap();
    assert!(user.public_metadata().is_none_or(|metadata| metadata.get("a").is_none()));
}

#[tokio::test]
async fn stand_in_webhook_secret_is_valid() {
    let World { clerk, .. } = world().await;
    assert!(webhook::Secret::parse(&SecretString::from(clerk.webhook_secret())).is_ok());
}
