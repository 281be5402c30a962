//! Webhooks: events, signatures and retries.

use std::{collections::BTreeSet, time::Duration};

use clerk_stand_in::{ClerkStandIn, StandInOptions, WebhookMode, people::person};
use data_encoding::BASE64;
use reqwest::{Method, header::HeaderMap};
use ring::hmac;
use serde_json::{Value, json};

use crate::support::{Receiver, call, client, start};

async fn clerk(hook: &Receiver) -> ClerkStandIn {
    let retry = vec![Duration::from_millis(50); 3];
    start(StandInOptions { webhook_url: Some(hook.url.clone()), retry, ..StandInOptions::default() }).await
}

fn is_signed(clerk: &ClerkStandIn, headers: &HeaderMap, body: &str) -> bool {
    let header = |name: &str| headers[name].to_str().unwrap();
    let key = BASE64.decode(clerk.webhook_secret().trim_start_matches("whsec_").as_bytes()).unwrap();
    let message = format!("{}.{}.{body}", header("svix-id"), header("svix-timestamp"));
    let tag = BASE64.decode(header("svix-signature").strip_prefix("v1,").unwrap().as_bytes()).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), message.as_bytes(), &tag).is_ok()
}

#[tokio::test]
async fn changes_have_signed_events() {
    let hook = Receiver::start(&[]).await;
    let clerk = clerk(&hook).await;
    let (_, user) =
        call(&clerk, Method::POST, "/v1/users", Some(json!({ "email_address": ["new@example.org"] }))).await;
    let id = user["id"].as_str().unwrap();
    hook.wait_for(1).await;
    call(&clerk, Method::PATCH, &format!("/v1/users/{id}/metadata"), Some(json!({ "public_metadata": { "a": 1 } })))
        .await;
    hook.wait_for(2).await;
    let session = clerk.sign_in(id).await;
    hook.wait_for(3).await;
    call(&clerk, Method::POST, &format!("/v1/sessions/{}/revoke", session.session_id), None).await;
    hook.wait_for(4).await;
    call(&clerk, Method::DELETE, &format!("/v1/users/{id}"), None).await;
    assert_eq!(
        hook.wait_for_types(5).await,
        ["user.created", "user.updated", "session.created", "session.revoked", "user.deleted"]
    );
    for (headers, body) in hook.received() {
        assert!(is_signed(&clerk, &headers, &body));
        let event: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(event["object"], "event");
        assert!(event["timestamp"].is_i64() && event["instance_id"].as_str().unwrap().starts_with("ins_"));
        match event["type"].as_str().unwrap() {
            "user.deleted" => assert_eq!(event["data"], json!({ "object": "user", "id": id, "deleted": true })),
            kind if kind.starts_with("session.") => {
                assert_eq!((&event["data"]["user_id"], &event["data"]["user"]["id"]), (&json!(id), &json!(id)));
            }
            _ => assert_eq!(event["data"]["id"], id),
        }
    }
}

#[tokio::test]
async fn failed_delivery_is_retried_with_the_same_id() {
    let hook = Receiver::start(&[500, 503]).await;
    let clerk = clerk(&hook).await;
    clerk.delete_user(&person(0).id).await;
    let received = hook.wait_for(3).await;
    let ids: BTreeSet<_> = received.iter().map(|(headers, _)| headers["svix-id"].to_str().unwrap()).collect();
    assert_eq!(ids.len(), 1);
    assert!(received.iter().all(|(headers, body)| is_signed(&clerk, headers, body)));
    let delivery = settled(&clerk).await;
    assert_eq!(
        (&delivery["state"], &delivery["attempts"], &delivery["last_status"]),
        (&json!("delivered"), &json!(3), &json!(204))
    );
}

#[tokio::test]
async fn restart_keeps_events_users_and_keys() {
    let hook = Receiver::start(&[500]).await;
    let retry = vec![Duration::from_millis(600)];
    let options = StandInOptions { webhook_url: Some(hook.url.clone()), retry, ..StandInOptions::default() };
    let mut clerk = start(options).await;
    let (_, keys) = call(&clerk, Method::GET, "/v1/jwks", None).await;
    let session = clerk.sign_in(&person(1).id).await;
    hook.wait_for(1).await;
    clerk.stop().await;
    assert!(client().get(clerk.url()).send().await.is_err());
    clerk.restart().await;
    let received = hook.wait_for(2).await;
    assert_eq!(received[0].0["svix-id"], received[1].0["svix-id"]);
    assert_eq!(call(&clerk, Method::GET, "/v1/jwks", None).await.1, keys);
    let (_, found) = call(&clerk, Method::GET, &format!("/v1/sessions/{}", session.session_id), None).await;
    assert_eq!(found["status"], "active");
    assert_eq!(call(&clerk, Method::GET, "/v1/users/count", None).await.1["total_count"], 8);
}

#[tokio::test]
async fn delivery_fails_after_the_last_retry() {
    let hook = Receiver::start(&[500; 9]).await;
    let clerk = clerk(&hook).await;
    clerk.delete_user(&person(0).id).await;
    let delivery = settled(&clerk).await;
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("failed"), &json!(4)));
}

#[tokio::test]
async fn events_can_be_lost_doubled_and_reordered() {
    let hook = Receiver::start(&[]).await;
    let clerk = clerk(&hook).await;
    clerk.set_webhook_mode(WebhookMode::Off);
    clerk.delete_user(&person(0).id).await;
    clerk.set_webhook_mode(WebhookMode::Doubled);
    clerk.delete_user(&person(1).id).await;
    let received = hook.wait_for(2).await;
    assert_eq!(received[0].0["svix-id"], received[1].0["svix-id"]);
    assert!(received[0].1.contains(&person(1).id));
    clerk.set_webhook_mode(WebhookMode::Reordered { delay: 300 });
    clerk.delete_user(&person(2).id).await;
    clerk.delete_user(&person(3).id).await;
    let received = hook.wait_for(4).await;
    assert!(received[2].1.contains(&person(3).id) && received[3].1.contains(&person(2).id));
}

#[tokio::test]
async fn events_can_be_delayed() {
    let hook = Receiver::start(&[]).await;
    let clerk = clerk(&hook).await;
    let mode = json!({ "mode": "late", "delay": 400 });
    client().put(format!("{}/control/webhooks", clerk.url())).json(&mode).send().await.unwrap();
    let start = std::time::Instant::now();
    clerk.delete_user(&person(0).id).await;
    hook.wait_for(1).await;
    assert!(start.elapsed() >= Duration::from_millis(400));
}

async fn settled(clerk: &ClerkStandIn) -> Value {
    for _ in 0..500 {
        let (_, list) = call(clerk, Method::GET, "/control/webhooks", None).await;
        if list["deliveries"][0]["state"] != "pending" {
            return list["deliveries"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the delivery is still pending after ten seconds");
}
