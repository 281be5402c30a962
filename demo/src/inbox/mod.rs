//! A mail catcher: accepts all mail by SMTP, delivers none, and shows it on a page. Must not know the senders.

mod mailbox;
mod pages;
mod smtp;

use std::io;

use tokio::net::TcpListener;

pub use mailbox::{Mailbox, Message};

/// Accepts mail and shows it until the future is dropped.
pub async fn serve(mailbox: Mailbox, web: TcpListener, smtp: TcpListener) -> io::Result<()> {
    let router = pages::router(mailbox.clone());
    tokio::select! {
        served = axum::serve(web, router) => served,
        served = smtp::serve(smtp, mailbox) => served,
    }
}
