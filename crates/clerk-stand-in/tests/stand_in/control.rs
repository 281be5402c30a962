//! Faults, rate limits, clock and request counts.

use std::time::{Duration, Instant};

use clerk_stand_in::{ClerkStandIn, Fault, FaultMoment, StandInOptions, people::person};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{call, client, send, start};

async fn clerk() -> ClerkStandIn {
    start(StandInOptions::default()).await
}

#[tokio::test]
async fn fault_affects_only_matching_requests() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}", person(0).id);
    let fault = json!({ "operation": "GET /v1/users/{user_id}", "times": 2, "status": 503, "retry_after": 7 });
    let added = client().post(format!("{}/control/faults", clerk.url())).json(&fault).send().await.unwrap();
    assert_eq!(added.json::<Value>().await.unwrap().as_array().unwrap().len(), 1);
    assert_eq!(call(&clerk, Method::GET, "/v1/users", None).await.0, 200);
    for _ in 0..2 {
        let failed = send(&clerk, Method::GET, &path, None).await;
        assert_eq!((failed.status().as_u16(), failed.headers()["retry-after"].to_str().unwrap()), (503, "7"));
        assert_eq!(failed.json::<Value>().await.unwrap()["errors"][0]["code"], "service_unavailable");
    }
    assert_eq!(call(&clerk, Method::GET, &path, None).await.0, 200);
}

#[tokio::test]
async fn response_can_be_lost_after_the_operation() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    clerk.fail(Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        moment: FaultMoment::After,
        drop: true,
        times: Some(1),
        ..Fault::default()
    });
    let lost =
        client().delete(format!("{}/v1/users/{user_id}", clerk.url())).bearer_auth(clerk.secret_key()).send().await;
    assert!(lost.unwrap_err().is_request());
    assert_eq!(clerk.user(&user_id).await, None);
    clerk.fail(Fault {
        path: Some(person(1).id),
        status: Some(409),
        code: Some("user_managed_by_scim".to_owned()),
        ..Fault::default()
    });
    let (status, response) = call(&clerk, Method::DELETE, &format!("/v1/users/{}", person(1).id), None).await;
    assert_eq!((status, &response["errors"][0]["code"]), (409, &json!("user_managed_by_scim")));
    clerk.recover();
    assert!(clerk.user(&person(1).id).await.is_some());
}

#[tokio::test]
async fn latency_delays_the_response() {
    let clerk = clerk().await;
    clerk.fail(Fault { latency: 200, times: Some(1), ..Fault::default() });
    let start = Instant::now();
    assert_eq!(call(&clerk, Method::GET, "/v1/users", None).await.0, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn rate_limits_can_be_turned_on() {
    let clerk = clerk().await;
    let path = format!("/v1/users/{}/metadata", person(0).id);
    clerk.limit_rate(true);
    for _ in 0..10 {
        assert_eq!(call(&clerk, Method::PATCH, &path, Some(json!({}))).await.0, 200);
    }
    let refused = send(&clerk, Method::PATCH, &path, Some(json!({}))).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=10).contains(&wait));
    assert_eq!(call(&clerk, Method::GET, "/v1/users", None).await.0, 200, "the limit is per user");
    let limits = json!({ "enabled": true, "instance": 3 });
    client().put(format!("{}/control/limits", clerk.url())).json(&limits).send().await.unwrap();
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(call(&clerk, Method::GET, "/v1/users", None).await.0);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(call(&clerk, Method::GET, "/v1/jwks", None).await.0, 200, "keys have no limit");
}

#[tokio::test]
async fn clock_can_be_ahead_and_behind_until_the_reset() {
    let clerk = clerk().await;
    let issued_at = |ahead: Option<i64>| {
        let clerk = &clerk;
        async move {
            let request = match ahead {
                Some(ahead) => client().put(format!("{}/control/clock", clerk.url())).json(&json!({ "ahead": ahead })),
                None => client().post(format!("{}/control/reset", clerk.url())),
            };
            request.send().await.unwrap();
            let token = clerk.sign_in(&person(0).id).await.jwt;
            let claims = data_encoding::BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
            serde_json::from_slice::<Value>(&claims).unwrap()["iat"].as_i64().unwrap()
        }
    };
    let (ahead, behind, right) = (issued_at(Some(90_000)).await, issued_at(Some(-90_000)).await, issued_at(None).await);
    assert!((80..=90).contains(&(ahead - right)), "{ahead} {right}");
    assert!((90..=100).contains(&(right - behind)), "{behind} {right}");
}

#[tokio::test]
async fn connection_can_be_dropped_before_the_operation() {
    let clerk = clerk().await;
    let user_id = person(0).id;
    let fault = json!({ "operation": "DELETE /v1/users/{user_id}", "drop": true, "times": 1 });
    client().post(format!("{}/control/faults", clerk.url())).json(&fault).send().await.unwrap();
    let path = format!("{}/v1/users/{user_id}", clerk.url());
    assert!(client().delete(&path).bearer_auth(clerk.secret_key()).send().await.unwrap_err().is_request());
    assert!(clerk.user(&user_id).await.is_some(), "the user wasn't deleted");
}

#[tokio::test]
async fn requests_are_counted_by_operation() {
    let clerk = clerk().await;
    for index in 0..3 {
        call(&clerk, Method::GET, &format!("/v1/users/{}", person(index).id), None).await;
    }
    assert_eq!(clerk.requests("GET /v1/users/{user_id}"), 3);
    let (_, counts) = call(&clerk, Method::GET, "/control/requests", None).await;
    assert_eq!(counts, json!({ "total": 3, "operations": { "GET /v1/users/{user_id}": 3 } }));
    clerk.forget_requests();
    assert_eq!(clerk.all_requests(), 0);
}

#[tokio::test]
async fn sixteen_thousand_people_are_created_quickly() {
    let clerk = clerk().await;
    let start = Instant::now();
    let body = json!({ "count": 15_992 });
    let response = client().post(format!("{}/control/people", clerk.url())).json(&body).send().await.unwrap();
    assert_eq!(response.json::<Value>().await.unwrap(), json!({ "created": 15_992, "total": 16_000 }));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let (_, page) = call(&clerk, Method::GET, "/v1/users?limit=500", None).await;
    assert_eq!(page.as_array().unwrap().len(), 500);
}
