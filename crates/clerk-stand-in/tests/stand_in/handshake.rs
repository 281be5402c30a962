//! Handshakes and the sign-in page, as a browser goes through them.

use clerk_stand_in::{ClerkStandIn, StandInOptions, people::person};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use url::Url;

use crate::support::{call, client, start};

const PAGE: &str = "http://127.0.0.1:3000/privacy?tab=2";

async fn clerk() -> ClerkStandIn {
    start(StandInOptions::default()).await
}

fn location(response: &Response) -> Url {
    Url::parse(response.headers()["location"].to_str().unwrap()).unwrap()
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn handshake(clerk: &ClerkStandIn, format: &str, browser: Option<&str>) -> Response {
    let mut query = vec![
        ("redirect_url", PAGE),
        ("suffixed_cookies", "true"),
        ("__clerk_hs_reason", "dev-browser-missing"),
        ("format", format),
    ];
    query.extend(browser.map(|browser| ("__clerk_db_jwt", browser)));
    client().get(format!("{}/v1/client/handshake", clerk.url())).query(&query).send().await.unwrap()
}

/// The directives of a handshake with a nonce, and the redirect's target.
async fn directives(clerk: &ClerkStandIn, browser: Option<&str>) -> (Vec<String>, Url) {
    let response = handshake(clerk, "nonce", browser).await;
    assert_eq!(response.status(), 307);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let back = location(&response);
    let nonce = parameter(&back, "__clerk_handshake_nonce").unwrap();
    let path = format!("/v1/clients/handshake_payload?nonce={nonce}");
    let (status, payload) = call(clerk, Method::GET, &path, None).await;
    assert_eq!(status, 200);
    assert_eq!(call(clerk, Method::GET, &path, None).await.0, 404, "a nonce can be used once");
    (serde_json::from_value(payload["directives"].clone()).unwrap(), back)
}

fn value<'a>(directives: &'a [String], name: &str) -> &'a str {
    let found = directives.iter().find_map(|directive| directive.strip_prefix(name)?.strip_prefix('='));
    found.unwrap_or_else(|| panic!("no {name} in {directives:?}")).split(';').next().unwrap()
}

async fn sign_in(clerk: &ClerkStandIn, user_id: &str) -> Response {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("user_id", user_id)
        .append_pair("redirect_url", PAGE)
        .finish();
    let request = client().post(format!("{}/sign-in", clerk.url())).body(form);
    request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap()
}

#[tokio::test]
async fn new_browser_gets_an_id_and_is_signed_out() {
    let clerk = clerk().await;
    let (directives, back) = directives(&clerk, None).await;
    assert!(back.as_str().starts_with(PAGE), "{back}");
    let suffix = clerk.cookie_suffix();
    assert_eq!(value(&directives, "__client_uat"), "0");
    assert_eq!(value(&directives, &format!("__client_uat_{suffix}")), "0");
    assert_eq!(value(&directives, "__session"), "");
    assert!(value(&directives, "__clerk_db_jwt").starts_with("dvb_"));
    assert_eq!(value(&directives, "__clerk_db_jwt"), value(&directives, &format!("__clerk_db_jwt_{suffix}")));
}

#[tokio::test]
async fn signed_in_browser_returns_with_a_session() {
    let clerk = clerk().await;
    let ada = person(0);
    let signed_in = sign_in(&clerk, &ada.id).await;
    assert_eq!(signed_in.status(), 303);
    assert!(signed_in.headers()["set-cookie"].to_str().unwrap().starts_with("__client="));
    let browser = parameter(&location(&signed_in), "__clerk_db_jwt").unwrap();
    let (directives, _) = directives(&clerk, Some(&browser)).await;
    let suffix = clerk.cookie_suffix();
    let token = value(&directives, "__session");
    assert_eq!(token, value(&directives, &format!("__session_{suffix}")));
    assert_eq!(value(&directives, "__clerk_db_jwt"), browser);
    let claims = claims(token);
    assert_eq!((&claims["sub"], &claims["azp"]), (&json!(ada.id), &json!("http://127.0.0.1:3000")));
    let signed_in_at: i64 = value(&directives, "__client_uat").parse().unwrap();
    assert!(
        signed_in_at > 0 && signed_in_at <= claims["iat"].as_i64().unwrap(),
        "the SDKs distrust tokens older than the sign-in"
    );

    // The refresh token renews the session without the browser, until the session ends.
    let refresh_token = value(&directives, &format!("__refresh_{suffix}"));
    let path = format!("/v1/sessions/{}/refresh", claims["sid"].as_str().unwrap());
    let body = json!({ "expired_token": token, "refresh_token": refresh_token, "request_origin": "http://127.0.0.1:3000", "format": "cookie" });
    let (status, refreshed) = call(&clerk, Method::POST, &path, Some(body.clone())).await;
    assert_eq!((status, &refreshed["object"]), (200, &json!("cookies")));
    let mut wrong = body.clone();
    wrong["refresh_token"] = "rt_wrong".into();
    assert_eq!(call(&clerk, Method::POST, &path, Some(wrong)).await.0, 401);
    call(&clerk, Method::POST, &path.replace("refresh", "revoke"), None).await;
    assert_eq!(call(&clerk, Method::POST, &path, Some(body)).await.0, 401);
}

#[tokio::test]
async fn handshake_can_be_a_token() {
    let clerk = clerk().await;
    let response = handshake(&clerk, "token", None).await;
    let token = parameter(&location(&response), "__clerk_handshake").unwrap();
    let directives: Vec<String> = serde_json::from_value(claims(&token)["handshake"].clone()).unwrap();
    assert_eq!(value(&directives, "__client_uat"), "0");
}

#[tokio::test]
async fn sign_out_ends_the_session() {
    let clerk = clerk().await;
    let browser = parameter(&location(&sign_in(&clerk, &person(0).id).await), "__clerk_db_jwt").unwrap();
    let response = client()
        .get(format!("{}/sign-out", clerk.url()))
        .query(&[("redirect_url", PAGE), ("__clerk_db_jwt", &browser)])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303);
    let (after, _) = directives(&clerk, Some(&browser)).await;
    assert_eq!((value(&after, "__client_uat"), value(&after, "__session")), ("0", ""));
}

#[tokio::test]
async fn deleted_user_is_signed_out_and_cannot_sign_in_again() {
    let clerk = clerk().await;
    let ada = person(0).id;
    let browser = parameter(&location(&sign_in(&clerk, &ada).await), "__clerk_db_jwt").unwrap();
    clerk.delete_user(&ada).await;
    let (after, _) = directives(&clerk, Some(&browser)).await;
    assert_eq!((value(&after, "__client_uat"), value(&after, "__session")), ("0", ""));
    let again = sign_in(&clerk, &ada).await;
    assert_eq!(again.status(), 422);
    assert!(again.text().await.unwrap().contains("Couldn’t find your account"));
}

#[tokio::test]
async fn redirect_to_a_foreign_origin_is_refused() {
    let clerk = clerk().await;
    for foreign in
        ["https://evil.example/", "javascript:alert(1)", "//evil.example", "http://127.0.0.1.evil.example/", ""]
    {
        for path in ["/v1/client/handshake", "/sign-in", "/sign-out"] {
            let response = client()
                .get(format!("{}{path}", clerk.url()))
                .query(&[("redirect_url", foreign)])
                .send()
                .await
                .unwrap();
            assert_eq!(response.status(), 422, "{path} {foreign}");
        }
    }
    clerk.set_application_origin("https://app.example");
    let known = client()
        .get(format!("{}/sign-in", clerk.url()))
        .query(&[("redirect_url", "https://app.example/x")])
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), 200);
}

#[tokio::test]
async fn sign_in_page_lists_searches_and_escapes() {
    let clerk = clerk().await;
    let name = json!({ "email_address": ["x@example.org"], "first_name": "<script>alert(1)</script>" });
    call(&clerk, Method::POST, "/v1/users", Some(name)).await;
    let page = |search: &'static str| {
        let request =
            client().get(format!("{}/sign-in", clerk.url())).query(&[("redirect_url", PAGE), ("search", search)]);
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let all = page("").await;
    assert!(
        all.contains("Ada Lovelace")
            && all.contains("Grace Hopper")
            && all.contains("<span class=\"tag\">member</span>")
    );
    assert!(all.contains("&lt;script&gt;") && !all.contains("<script"));
    let found = page("hopper").await;
    assert!(found.contains("Grace Hopper") && !found.contains("Ada Lovelace"));
    assert!(page("\"><script>").await.contains("Nobody here has that name"));
}

#[tokio::test]
async fn browser_gets_tokens_only_for_its_own_session() {
    let clerk = clerk().await;
    let browser = parameter(&location(&sign_in(&clerk, &person(0).id).await), "__clerk_db_jwt").unwrap();
    let other = clerk.sign_in(&person(1).id).await;
    let get = client().get(format!("{}/v1/client?__clerk_db_jwt={browser}", clerk.url())).send().await.unwrap();
    let session_id =
        get.json::<Value>().await.unwrap()["response"]["last_active_session_id"].as_str().unwrap().to_owned();
    let token = |session: &str| {
        let url = format!("{}/v1/client/sessions/{session}/tokens?__clerk_db_jwt={browser}", clerk.url());
        client().post(url).header("origin", "http://127.0.0.1:3000").send()
    };
    let response: Value = token(&session_id).await.unwrap().json().await.unwrap();
    assert_eq!(claims(response["jwt"].as_str().unwrap())["azp"], "http://127.0.0.1:3000");
    assert_eq!(token(&other.session_id).await.unwrap().status(), 404);
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}
