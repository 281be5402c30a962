//! The hosted sign-in page: choose a user. It has no passwords and no JavaScript.

use axum::{
    Form, Router,
    extract::{RawQuery, State},
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use minijinja::context;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    StandIn,
    api_error::ApiError,
    frontend::{Browser, DEV_BROWSER, redirect_headers},
    query::QueryParameters,
    sessions, templates, users,
};

/// How many users are listed at most.
const LIMIT: usize = 50;

pub(crate) fn router() -> Router<StandIn> {
    Router::new().route("/sign-in", get(show).post(sign_in))
}

async fn show(State(stand_in): State<StandIn>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let query = QueryParameters::parse(query.as_deref());
    let redirect_url = query.first("redirect_url").unwrap_or_default();
    if stand_in.redirect_target(redirect_url).is_none() {
        return Ok(invalid_redirect_url());
    }
    let search = query.first("search").unwrap_or_default();
    let filter = format!(
        "limit={LIMIT}&order_by=created_at&query={}",
        url::form_urlencoded::byte_serialize(search.as_bytes()).collect::<String>()
    );
    let filter = QueryParameters::parse(Some(&filter));
    let users = users::list(&stand_in, &filter).await?;
    let total = users::count(&stand_in, &filter).await?;
    let context = context! {
        redirect_url => redirect_url,
        search => search,
        count => count(users.len(), total),
        users => users.iter().map(list_item).collect::<Vec<_>>(),
    };
    Ok(Html(templates::render("sign_in.html", context)).into_response())
}

#[derive(Deserialize)]
struct SignIn {
    user_id: String,
    redirect_url: String,
}

async fn sign_in(
    State(stand_in): State<StandIn>,
    browser: Browser,
    Form(form): Form<SignIn>,
) -> Result<Response, ApiError> {
    let Some(mut target) = stand_in.redirect_target(&form.redirect_url) else { return Ok(invalid_redirect_url()) };
    if users::find(stand_in.pool(), &form.user_id).await.is_err() {
        return Ok(unknown_account(&form.redirect_url));
    }
    let client = browser.client_or_new(&stand_in).await?;
    sessions::create(&stand_in, &client, &form.user_id).await?;
    target.query_pairs_mut().append_pair(DEV_BROWSER, &client.dev_browser);
    Ok((StatusCode::SEE_OTHER, redirect_headers(&stand_in, &client, &target)).into_response())
}

/// Name, address, and as tags the texts of lists in the public metadata, such as roles or plans.
fn list_item(user: &Value) -> minijinja::Value {
    let names = [&user["first_name"], &user["last_name"]];
    let name = names.into_iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ");
    let id = user["id"].as_str().unwrap_or_default();
    let metadata = user["public_metadata"].as_object().into_iter().flat_map(serde_json::Map::values);
    let tags = metadata.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
    context! {
        id => id,
        name => if name.is_empty() { id } else { &name },
        email => user["email_addresses"][0]["email_address"].as_str().unwrap_or_default(),
        tags => tags.map(str::to_owned).collect::<Vec<_>>(),
    }
}

fn count(listed: usize, total: i64) -> String {
    match (listed, total) {
        (0, _) => {
            "Nobody here has that name or address. An account that was deleted can't sign in any more.".to_owned()
        }
        (listed, total) if i64::try_from(listed).is_ok_and(|listed| listed < total) => {
            format!("{listed} of {total} people. Search for the others.")
        }
        (1, _) => "One person.".to_owned(),
        (listed, _) => format!("{listed} people."),
    }
}

fn invalid_redirect_url() -> Response {
    let page = templates::render("invalid_redirect_url.html", context! {});
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
}

fn unknown_account(redirect_url: &str) -> Response {
    let redirect_url: String = url::form_urlencoded::byte_serialize(redirect_url.as_bytes()).collect();
    let page = templates::render("unknown_account.html", context! { redirect_url => redirect_url });
    (StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()
}
