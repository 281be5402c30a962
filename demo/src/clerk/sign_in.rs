//! The hosted sign-in page: choose who you are. No password, no JavaScript.

use std::fmt::Write;

use axum::{
    Form, Router,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    StandIn,
    errors::ApiError,
    frontend::{BROWSER, Browser, redirect_headers},
    sessions,
    users::{self, Filter},
};
use crate::html::{Escaped, page};

const SHOWN: usize = 50;

pub(super) fn router() -> Router<StandIn> {
    Router::new().route("/sign-in", get(choose).post(sign_in))
}

async fn choose(State(stand_in): State<StandIn>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = Filter::parse(query.as_deref());
    let redirect_url = query.first("redirect_url").unwrap_or_default();
    if stand_in.redirect_target(redirect_url).is_none() {
        return Ok(no_way_back());
    }
    let search = query.first("search").unwrap_or_default();
    let wanted = format!(
        "limit={SHOWN}&order_by=created_at&query={}",
        url::form_urlencoded::byte_serialize(search.as_bytes()).collect::<String>()
    );
    let filter = Filter::parse(Some(&wanted));
    let people = users::list(&stand_in, &filter).await?;
    let total = users::count(&stand_in, &filter).await?;
    Ok(Html(page("Sign in", &people_list(&people, total, search, redirect_url))).into_response())
}

#[derive(Deserialize)]
struct Choice {
    user_id: String,
    redirect_url: String,
}

async fn sign_in(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Form(choice): Form<Choice>,
) -> Result<Response, ApiError> {
    let Some(mut target) = stand_in.redirect_target(&choice.redirect_url) else { return Ok(no_way_back()) };
    if users::find(stand_in.pool(), &choice.user_id).await.is_err() {
        return Ok(unknown_account(&choice.redirect_url));
    }
    let client = browser.client_or_new(&stand_in).await?;
    sessions::create(&stand_in, &client, &choice.user_id).await?;
    target.query_pairs_mut().append_pair(BROWSER, &client.browser);
    Ok((StatusCode::SEE_OTHER, redirect_headers(&stand_in, &client, &target)).into_response())
}

fn people_list(people: &[Value], total: i64, search: &str, redirect_url: &str) -> String {
    let (search, redirect_url) = (Escaped(search), Escaped(redirect_url));
    let mut rows = String::new();
    for user in people {
        let name = [&user["first_name"], &user["last_name"]]
            .into_iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        let email = user["email_addresses"][0]["email_address"].as_str().unwrap_or_default();
        let products = user["public_metadata"]["products"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let tags = products
            .fold(String::new(), |tags, product| format!("{tags}<span class=\"tag\">{}</span>", Escaped(product)));
        let id = user["id"].as_str().unwrap_or_default();
        let name = if name.is_empty() { id } else { &name };
        write!(
            rows,
            "<li><button class=\"row\" name=\"user_id\" value=\"{}\"><span><b>{}</b><small>{}</small></span>{tags}</button></li>",
            Escaped(id),
            Escaped(name),
            Escaped(email)
        )
        .expect("writing to a string succeeds");
    }
    let count = match (people.len(), total) {
        (0, _) => {
            "Nobody here has that name or address. An account that was deleted can't sign in any more.".to_owned()
        }
        (shown, total) if i64::try_from(shown).is_ok_and(|shown| shown < total) => {
            format!("{shown} of {total} people. Search for the others.")
        }
        (1, _) => "One person.".to_owned(),
        (shown, _) => format!("{shown} people."),
    };
    format!(
        "<h1>Who are you today?</h1><p>This page stands in for Clerk’s sign-in in a demonstration. There are no passwords: choose a person.</p>\
         <form class=\"search\" role=\"search\" action=\"/sign-in\"><input type=\"hidden\" name=\"redirect_url\" value=\"{redirect_url}\">\
         <label>Name or address<input type=\"search\" name=\"search\" value=\"{search}\" autocomplete=\"off\"></label>\
         <button class=\"btn\">Search</button></form><p role=\"status\">{count}</p>\
         <form method=\"post\" action=\"/sign-in\"><input type=\"hidden\" name=\"redirect_url\" value=\"{redirect_url}\">\
         <ul class=\"card\">{rows}</ul></form>"
    )
}

fn no_way_back() -> Response {
    let body = "<h1>No way back</h1><p>Sign-in needs the address of the application in <code>redirect_url</code>, \
                and only addresses of this machine or of the configured application are accepted.</p>";
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page("No way back", body))).into_response()
}

fn unknown_account(redirect_url: &str) -> Response {
    let body = format!(
        "<h1>Couldn’t find your account</h1><p>It doesn’t exist, or it was deleted. Nobody can sign in with it any more.</p>\
         <p><a class=\"btn\" href=\"/sign-in?redirect_url={}\">Choose somebody else</a></p>",
        url::form_urlencoded::byte_serialize(redirect_url.as_bytes()).collect::<String>()
    );
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page("Couldn’t find your account", &body))).into_response()
}
