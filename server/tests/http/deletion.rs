//! Deleting over the API: by the map's rules, completely, and nobody else.

use lethe_demo::people::person;
use lethe_demo::testing::{Fault, TokenOptions};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Row;

use crate::support::{TestApp, TestOptions, eventually, header, json, lethe_rows, limit, masked, problem};

const DELETE: &str = "/api/privacy/delete";
const CONFIRMED: &str = "/api/compliance/gdpr-delete";

#[tokio::test]
async fn blog_user_is_deleted_completely_and_others_are_untouched() {
    let app = TestApp::start().await;
    let neighbours = [app.rows_of(1).await, app.rows_of(5).await, app.rows_of(7).await];
    assert!(count(&app, "posts", "author_id", 0).await > 0);
    let ada = app.sign_in(0).await;
    let response = json(ada.delete(DELETE).send().await.unwrap(), StatusCode::OK).await;
    assert!(response["receipt"].as_str().unwrap().starts_with("/receipt/"));
    insta::assert_json_snapshot!(masked(&response, "receipt"), @r#"
    {
      "deleted": true,
      "log": [
        {
          "status": "done",
          "step": "end_sessions"
        },
        {
          "status": "done",
          "step": "pending_work"
        },
        {
          "status": "done",
          "step": "application_data"
        },
        {
          "status": "done",
          "step": "verification"
        },
        {
          "status": "done",
          "step": "clerk_user"
        },
        {
          "status": "done",
          "step": "audit"
        },
        {
          "status": "done",
          "step": "receipt"
        }
      ],
      "receipt": "[receipt]"
    }
    "#);
    assert!(app.rows_of(0).await.iter().all(|(_, rows)| rows.is_empty()), "{:?}", app.rows_of(0).await);
    assert!(app.clerk.user(&person(0).id).await.is_none());
    assert_eq!([app.rows_of(1).await, app.rows_of(5).await, app.rows_of(7).await], neighbours);
}

#[tokio::test]
async fn comments_of_others_are_detached_from_deleted_posts() {
    let app = TestApp::start().await;
    let theirs = "select count(*) from public.comments comment join public.posts post on post.id = comment.post_id
         where post.author_id = $1 and comment.author_id <> $1";
    let under_hers: i64 = sqlx::query_scalar(theirs).bind(person(0).id).fetch_one(app.pool()).await.unwrap();
    assert!(under_hers > 0, "the sample has such comments");
    let others = "select count(*) from public.comments where author_id <> $1";
    let before: i64 = sqlx::query_scalar(others).bind(person(0).id).fetch_one(app.pool()).await.unwrap();
    let ada = app.sign_in(0).await;
    json(ada.delete(DELETE).send().await.unwrap(), StatusCode::OK).await;
    let after: i64 = sqlx::query_scalar(others).bind(person(0).id).fetch_one(app.pool()).await.unwrap();
    assert_eq!(before, after);
    let detached = "select count(*) from public.comments where post_id is null";
    let detached: i64 = sqlx::query_scalar(detached).fetch_one(app.pool()).await.unwrap();
    assert_eq!(detached, under_hers);
}

#[tokio::test]
async fn lab_user_is_deleted_by_the_data_maps_rules() {
    let app = TestApp::start().await;
    let neighbours = [app.rows_of(0).await, app.rows_of(5).await];
    let logs = [count(&app, "activity_logs", "user_id", 1).await, count(&app, "usage_logs", "user_id", 1).await];
    let grace = app.sign_in(1).await;
    let response = grace.post(CONFIRMED).json(&json!({"confirm": true})).send().await.unwrap();
    assert_eq!(json(response, StatusCode::OK).await["deleted"], true);

    let profile =
        sqlx::query("select email, deleted_at is not null as stamped from public.profiles where user_id = $1")
            .bind(person(1).id)
            .fetch_one(app.pool())
            .await
            .unwrap();
    assert_eq!((profile.get::<Option<String>, _>(0), profile.get::<bool, _>(1)), (None, true));
    for table in ["projects", "reports", "experiments", "pipelines", "datasets"] {
        let query = format!("select count(*), count(deleted_at) from public.{table} where user_id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(query)).bind(person(1).id).fetch_one(app.pool()).await.unwrap();
        assert!(row.get::<i64, _>(0) > 0, "{table}");
        assert_eq!(row.get::<i64, _>(0), row.get::<i64, _>(1), "{table}");
    }
    let revoked = "select count(*) = count(revoked_at) from public.api_keys where user_id = $1";
    assert!(sqlx::query_scalar::<_, bool>(revoked).bind(person(1).id).fetch_one(app.pool()).await.unwrap());
    let retained = [count(&app, "activity_logs", "user_id", 1).await, count(&app, "usage_logs", "user_id", 1).await];
    assert_eq!(retained, logs);
    assert!(app.clerk.user(&person(1).id).await.is_none());
    assert_eq!([app.rows_of(0).await, app.rows_of(5).await], neighbours);
}

#[tokio::test]
async fn compliance_deletion_requires_session_and_confirmation() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let before = app.rows_of(0).await;
    for body in ["", "{}", "{\"confirm\": false}", "{\"confirm\": \"true\"}", "{\"confirm\": true", "[]"] {
        let response = ada.post(CONFIRMED).body(body).send().await.unwrap();
        problem(response, StatusCode::BAD_REQUEST, "confirmation_missing").await;
        let response = app.request(Method::POST, CONFIRMED).body(body).send().await.unwrap();
        problem(response, StatusCode::UNAUTHORIZED, "not_signed_in").await;
    }
    assert_eq!(app.rows_of(0).await, before);
}

#[tokio::test]
async fn impersonated_session_cannot_delete() {
    let app = TestApp::start().await;
    let options = TokenOptions { actor: Some(person(5).id), ..TokenOptions::default() };
    let ada = app.sign_in_with(0, options).await;
    problem(ada.delete(DELETE).send().await.unwrap(), StatusCode::FORBIDDEN, "impersonated").await;
    let response = ada.post(CONFIRMED).json(&json!({"confirm": true})).send().await.unwrap();
    problem(response, StatusCode::FORBIDDEN, "impersonated").await;
    assert!(app.clerk.user(&person(0).id).await.is_some());
}

#[tokio::test]
async fn failed_step_is_reported_and_retried_in_the_background() {
    let app = TestApp::with(TestOptions { run_jobs: true, ..TestOptions::default() }).await;
    let ada = app.sign_in(0).await;
    app.clerk.fail(Fault {
        operation: Some("DELETE /v1/users/{user_id}".to_owned()),
        status: Some(500),
        ..Fault::default()
    });
    let response = ada.delete(DELETE).send().await.unwrap();
    let document = problem(response, StatusCode::INTERNAL_SERVER_ERROR, "deletion_unfinished").await;
    assert_eq!(document["deleted"], false);
    let status = |step: &str| {
        let log = document["log"].as_array().unwrap();
        log.iter().find(|entry| entry["step"] == step).unwrap()["status"].clone()
    };
    assert_eq!((status("application_data"), status("clerk_user")), (json!("done"), json!("retrying")));
    assert_eq!(status("audit"), "pending");
    assert!(document["receipt"].as_str().unwrap().starts_with("/receipt/"));
    // The rows are gone, the person too as far as anybody can see.
    problem(ada.get("/api/privacy/export").send().await.unwrap(), StatusCode::UNAUTHORIZED, "gone").await;

    app.clerk.recover();
    eventually("the end of the deletion", async || app.clerk.user(&person(0).id).await.is_none()).await;
    eventually("the tombstone", async || {
        sqlx::query_scalar::<_, i64>("select count(*) from lethe.tombstone").fetch_one(app.pool()).await.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn receipt_as_a_document_names_where_was_looked_and_what_stays() {
    let app = TestApp::start().await;
    let grace = app.sign_in(1).await;
    let deleted = json(grace.delete("/api/privacy/delete").send().await.unwrap(), StatusCode::OK).await;
    let page = deleted["receipt"].as_str().unwrap();
    let path = format!("/api/receipts/{}", page.trim_start_matches("/receipt/"));
    let receipt = json(app.get(&path).send().await.unwrap(), StatusCode::OK).await;
    assert!(receipt["finishedAt"].is_string(), "{receipt}");
    let results = receipt["results"].as_array().unwrap();
    let of = |table: &str| results.iter().find(|result| result["table"] == table).unwrap();
    let profile = of("public.profiles");
    assert_eq!(
        (&profile["outcome"]["kind"], &profile["key"]),
        (&serde_json::json!("scrubbed"), &serde_json::json!("user_id"))
    );
    assert_eq!(profile["outcome"]["reason"], "it credits you as the author of published results");
    assert!(
        receipt["searched"]["tables"].as_array().unwrap().contains(&serde_json::json!("public.projects")),
        "{receipt}"
    );
    assert_eq!(receipt["searched"]["unsearched"], serde_json::json!([]));
    let rechecks = receipt["rechecks"].as_array().unwrap();
    assert_eq!(rechecks.len(), 2);
    assert!(rechecks.iter().all(|recheck| recheck["dueAt"].is_string() && recheck["finishedAt"].is_null()));
    assert!(receipt["replanned"].is_null());
    let page = app.navigate(page).send().await.unwrap().text().await.unwrap();
    for text in ["Tables checked", "public.projects", "with your user ID (user_id)", "What stays keeps your user ID."] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("everything") && !page.contains("nothing left"), "{page}");
    for code in ["7Q2M-9KXA-41TD-0000-ABCD", "nonsense"] {
        problem(app.get(&format!("/api/receipts/{code}")).send().await.unwrap(), StatusCode::NOT_FOUND, "not_found")
            .await;
    }
}

#[tokio::test]
async fn token_of_a_deleted_user_is_refused() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.delete(DELETE).send().await.unwrap(), StatusCode::OK).await;
    for (method, path) in [
        (Method::GET, "/api/privacy/consent"),
        (Method::POST, "/api/privacy/consent"),
        (Method::GET, "/api/privacy/export"),
        (Method::DELETE, DELETE),
        (Method::GET, "/api/compliance/gdpr-export"),
        (Method::POST, CONFIRMED),
    ] {
        let response = ada.request(method.clone(), path).body("{\"marketing\": true}").send().await.unwrap();
        problem(response, StatusCode::UNAUTHORIZED, "gone").await;
        let response = ada.bearer(method, path).body("{\"marketing\": true}").send().await.unwrap();
        problem(response, StatusCode::UNAUTHORIZED, "gone").await;
    }
    let traces: i64 = sqlx::query_scalar("select count(*) from lethe.data_subject where clerk_id = $1")
        .bind(person(0).id)
        .fetch_one(app.pool())
        .await
        .unwrap();
    assert_eq!(traces, 0, "nothing brought the person back");
}

#[tokio::test]
async fn concurrent_requests_make_one_deletion() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let (one, other) = tokio::join!(ada.delete(DELETE).send(), ada.delete(DELETE).send());
    let statuses = [one.unwrap().status(), other.unwrap().status()];
    assert!(statuses.contains(&StatusCode::OK), "{statuses:?}");
    // The second may come when everything is done already.
    assert!(statuses.iter().all(|status| [StatusCode::OK, StatusCode::UNAUTHORIZED].contains(status)), "{statuses:?}");
    let requests: i64 =
        sqlx::query_scalar("select count(*) from lethe.deletion_request").fetch_one(app.pool()).await.unwrap();
    assert_eq!(requests, 1);
}

#[tokio::test]
async fn deletions_are_rate_limited() {
    let settings = vec![("LETHE_DELETIONS_PER_HOUR", limit(1))];
    let app = TestApp::with(TestOptions { settings, ..TestOptions::default() }).await;
    // The request can't be stored, so that the person stays.
    sqlx::query("alter table lethe.deletion_step rename to missing_step").execute(app.pool()).await.unwrap();
    let ada = app.sign_in(0).await;
    let before = app.rows_of(0).await;
    let response = ada.delete(DELETE).send().await.unwrap();
    problem(response, StatusCode::INTERNAL_SERVER_ERROR, "internal").await;
    let response = ada.delete(DELETE).send().await.unwrap();
    assert!(!header(response.headers(), "retry-after").is_empty());
    problem(response, StatusCode::TOO_MANY_REQUESTS, "too_many_requests").await;
    assert_eq!(app.rows_of(0).await, before);
}

#[tokio::test]
async fn receipt_opens_without_an_account() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    let response = json(ada.delete(DELETE).send().await.unwrap(), StatusCode::OK).await;
    let receipt = response["receipt"].as_str().unwrap();
    let page = app.navigate(receipt).send().await.unwrap();
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    assert!(page.contains(receipt.trim_start_matches("/receipt/")), "{page}");
    assert!(!page.contains(&person(0).email), "{page}");
    assert_eq!(app.navigate("/receipt/0000-0000-0000-0000").send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

async fn count(app: &TestApp, table: &str, column: &str, index: usize) -> i64 {
    let query = format!("select count(*) from public.{table} where {column} = $1");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).bind(person(index).id).fetch_one(app.pool()).await.unwrap()
}

#[tokio::test]
async fn deletion_leaves_no_trace_in_lethes_tables() {
    let app = TestApp::start().await;
    let ada = app.sign_in(0).await;
    json(ada.post("/api/privacy/consent").json(&json!({"marketing": true})).send().await.unwrap(), StatusCode::OK)
        .await;
    json(ada.delete(DELETE).send().await.unwrap(), StatusCode::OK).await;
    let ada = person(0);
    for (table, rows) in lethe_rows(app.pool()).await {
        for trace in [&ada.id, &ada.email, &ada.name()] {
            assert!(rows.iter().all(|row| !row.contains(trace.as_str())), "{table}: {rows:?}");
        }
    }
    assert_eq!(Value::Null, app.clerk.user(&ada.id).await.unwrap_or_default());
}
