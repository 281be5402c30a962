//! The mail catcher for a test, on free ports.

use std::time::Duration;

use tokio::{net::TcpListener, task::JoinHandle, time::Instant};

use crate::inbox::{Mailbox, Message};

/// A running inbox. Dropping it ends it.
pub struct Inbox {
    mailbox: Mailbox,
    smtp_url: String,
    url: String,
    serving: JoinHandle<()>,
}

impl Inbox {
    /// Starts one, in memory.
    pub async fn start() -> Self {
        let web = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let smtp = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let smtp_url = format!("smtp://{}", smtp.local_addr().expect("a bound socket has an address"));
        let url = format!("http://{}", web.local_addr().expect("a bound socket has an address"));
        let mailbox = Mailbox::open(None).expect("memory can be opened");
        let serving = mailbox.clone();
        let serving = tokio::spawn(async move {
            serving.serve(web, smtp).await.expect("the inbox serves until it is dropped");
        });
        Self { mailbox, smtp_url, url, serving }
    }

    /// Where to send mail, without TLS and password.
    #[must_use]
    pub fn smtp_url(&self) -> &str {
        &self.smtp_url
    }

    /// The web inbox.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All mail so far, the oldest first.
    #[expect(clippy::unused_async, reason = "callers needn't change when the inbox is asked over the network")]
    pub async fn messages(&self) -> Vec<Message> {
        self.mailbox.messages()
    }

    /// Waits up to ten seconds until there are `count` mails.
    pub async fn wait_for(&self, count: usize) -> Vec<Message> {
        let start = Instant::now();
        loop {
            let messages = self.mailbox.messages();
            if messages.len() >= count {
                return messages;
            }
            assert!(
                start.elapsed() < Duration::from_secs(10),
                "{} of {count} mails came in ten seconds",
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
