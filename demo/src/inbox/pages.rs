//! The web side: a list, a page for each mail, and the same as JSON.

use std::fmt::Write;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use super::{Mailbox, Message};
use crate::html::{Escaped, page};

pub(super) fn router(mailbox: Mailbox) -> Router {
    Router::new()
        .route("/", get(list))
        .route("/mail/{id}", get(read))
        .route("/mail/{id}/html", get(html_part))
        .route("/messages", get(messages).delete(clear))
        .route("/messages/{id}", get(message))
        .with_state(mailbox)
}

async fn list(State(mailbox): State<Mailbox>) -> Html<String> {
    let messages = mailbox.messages();
    let mut body =
        "<h1>Inbox</h1><p>Every mail that the demonstration sends ends here, whoever it is for.</p>".to_owned();
    if messages.is_empty() {
        body.push_str("<p>No mail yet. Reload this page when there should be some.</p>");
        return Html(page("Inbox", &body));
    }
    body.push_str("<ul class=\"card\">");
    for message in messages.iter().rev() {
        write!(
            body,
            "<li><a class=\"row\" href=\"/mail/{}\"><span><b>{}</b><small>to {}</small></span><small>{}</small></a></li>",
            message.id,
            Escaped(subject(message)),
            Escaped(&message.to.join(", ")),
            minute(message)
        )
        .expect("writing to a string succeeds");
    }
    body.push_str("</ul>");
    Html(page("Inbox", &body))
}

async fn read(State(mailbox): State<Mailbox>, Path(id): Path<u64>) -> Response {
    let Some(message) = mailbox.message(id) else { return missing() };
    let mut body = format!(
        "<p><a href=\"/\">Inbox</a></p><h1>{}</h1><dl><dt>From</dt><dd>{}</dd><dt>To</dt><dd>{}</dd><dt>At</dt><dd>{}</dd></dl>",
        Escaped(subject(&message)),
        Escaped(&message.from),
        Escaped(&message.to.join(", ")),
        minute(&message)
    );
    if let Some(text) = &message.text {
        write!(body, "<pre>{}</pre>", linked(text)).expect("writing to a string succeeds");
    }
    if message.html.is_some() {
        // No scripts, no forms, an origin of its own; links open in a tab that is free of that.
        write!(body, "<iframe title=\"The mail as a page\" sandbox=\"allow-popups allow-popups-to-escape-sandbox\" src=\"/mail/{id}/html\"></iframe>")
            .expect("writing to a string succeeds");
    }
    for name in &message.attachments {
        write!(body, "<p>With it: {}</p>", Escaped(name)).expect("writing to a string succeeds");
    }
    Html(page(subject(&message), &body)).into_response()
}

/// The HTML part as it came, which may run nothing and load nothing from elsewhere.
async fn html_part(State(mailbox): State<Mailbox>, Path(id): Path<u64>) -> Response {
    let Some(html) = mailbox.message(id).and_then(|message| message.html) else { return missing() };
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
            tracing::error!(%error, "mail could not be removed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, Html(page("No such mail", "<h1>No such mail</h1><p><a href=\"/\">Inbox</a></p>")))
        .into_response()
}

fn subject(message: &Message) -> &str {
    if message.subject.is_empty() { "Without a subject" } else { &message.subject }
}

/// `2026-11-22 20:15`, from RFC 3339.
fn minute(message: &Message) -> String {
    message.received_at.chars().take(16).collect::<String>().replace('T', " ")
}

/// Escaped text in which web addresses are links.
fn linked(text: &str) -> String {
    let mut out = String::new();
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        if word.starts_with("http://") || word.starts_with("https://") {
            write!(out, "<a href=\"{0}\">{0}</a>{1}", Escaped(word), Escaped(&piece[word.len()..]))
        } else {
            write!(out, "{}", Escaped(piece))
        }
        .expect("writing to a string succeeds");
    }
    out
}
