//! The web inbox: a list, a page for each mail, and both as JSON.

use std::sync::LazyLock;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use minijinja::{Environment, Value, context};

use super::mailbox::{Mailbox, Message};

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    for (name, source) in [
        ("layout.html", include_str!("templates/layout.html")),
        ("list.html", include_str!("templates/list.html")),
        ("mail.html", include_str!("templates/mail.html")),
        ("not_found.html", include_str!("templates/not_found.html")),
    ] {
        environment.add_template(name, source).expect("the templates are valid");
    }
    environment
});

pub(super) fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/mail/{id}", get(show))
        .route("/mail/{id}/html", get(html_part))
        .route("/messages", get(messages).delete(clear))
        .route("/messages/{id}", get(message))
        .with_state(mailbox)
}

async fn list(State(mailbox): State<Mailbox>) -> Html<String> {
    let messages: Vec<Value> = mailbox.messages().iter().rev().map(summary).collect();
    render("list.html", context! { messages => messages })
}

async fn show(State(mailbox): State<Mailbox>, Path(id): Path<u64>) -> Response {
    let Some(message) = mailbox.message(id) else { return not_found() };
    let context = context! {
        message => summary(&message),
        from => message.from,
        text => message.text.as_deref().map(with_links),
        has_html => message.html.is_some(),
        attachments => message.attachments,
    };
    render("mail.html", context).into_response()
}

/// The HTML part, unchanged but restricted: it may neither run scripts nor load anything.
async fn html_part(State(mailbox): State<Mailbox>, Path(id): Path<u64>) -> Response {
    let Some(html) = mailbox.message(id).and_then(|message| message.html) else { return not_found() };
    let policy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    ([(header::CONTENT_SECURITY_POLICY, policy)], Html(format!("<base target=\"_blank\">{html}"))).into_response()
}

async fn messages(State(mailbox): State<Mailbox>) -> Json<Vec<Message>> {
    Json(mailbox.messages())
}

async fn message(State(mailbox): State<Mailbox>, Path(id): Path<u64>) -> Result<Json<Message>, StatusCode> {
    mailbox.message(id).map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn clear(State(mailbox): State<Mailbox>) -> StatusCode {
    match mailbox.clear() {
        Ok(()) => StatusCode::NO_CONTENT,
        Err(error) => {
            tracing::error!(%error, "mail could not be deleted");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, render("not_found.html", context! {})).into_response()
}

/// Renders a template; values are escaped, as its name ends with `.html`.
fn render(name: &str, context: Value) -> Html<String> {
    let template = TEMPLATES.get_template(name).expect("the template exists");
    Html(template.render(context).expect("the template's expressions are valid"))
}

fn summary(message: &Message) -> Value {
    let subject = if message.subject.is_empty() { "Without a subject" } else { &message.subject };
    context! {
        id => message.id,
        subject => subject,
        to => message.to.join(", "),
        // `2026-11-22 20:15`, from RFC 3339.
        time => message.received_at.chars().take(16).collect::<String>().replace('T', " "),
    }
}

/// Splits a text into words with the white space that follows them; `link` marks web addresses.
fn with_links(text: &str) -> Vec<Value> {
    text.split_inclusive(char::is_whitespace)
        .map(|piece| {
            let word = piece.trim_end();
            let link = word.starts_with("http://") || word.starts_with("https://");
            context! { word => word, space => &piece[word.len()..], link => link }
        })
        .collect()
}
