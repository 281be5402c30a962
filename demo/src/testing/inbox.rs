//! The mail catcher, on free ports.

use std::time::Duration;

use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use crate::inbox::{Mailbox, Message};

/// A running inbox in memory, until it is dropped.
pub struct Inbox {
    mailbox: Mailbox,
    smtp_url: String,
    url: String,
    serving: JoinHandle<()>,
}

impl Inbox {
    /// Starts an inbox.
    pub async fn start() -> Self {
        let web = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let smtp = TcpListener::bind("127.0.0.1:0").await.expect("the loopback interface has a free port");
        let smtp_url = format!("smtp://{}", smtp.local_addr().expect("a bound socket has an address"));
        let url = format!("http://{}", web.local_addr().expect("a bound socket has an address"));
        let mailbox = Mailbox::open(None).expect("an inbox in memory needs no files");
        let serving = mailbox.clone();
        let serving = tokio::spawn(async move {
            crate::inbox::serve(serving, web, smtp).await.expect("the inbox serves until it is dropped");
        });
        Self { mailbox, smtp_url, url, serving }
    }

    /// The SMTP URL, without TLS or a password.
    #[must_use]
    pub fn smtp_url(&self) -> &str {
        &self.smtp_url
    }

    /// The URL of the web inbox.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All mail, the oldest first.
    #[expect(clippy::unused_async, reason = "an inbox in another process would have to be awaited")]
    pub async fn messages(&self) -> Vec<Message> {
        self.mailbox.messages()
    }

    /// Waits until there are `count` mails, for ten seconds at most.
    pub async fn wait_for(&self, count: usize) -> Vec<Message> {
        let start = Instant::now();
        loop {
            let messages = self.mailbox.messages();
            if messages.len() >= count {
                return messages;
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{} of {count} mails arrived within ten seconds",
                messages.len()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
