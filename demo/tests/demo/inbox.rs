//! Mail by SMTP, read on the page and as JSON.

use lethe_demo::{inbox::Mailbox, testing::Inbox};
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{MultiPart, SinglePart},
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::client;

fn mail(subject: &str) -> Message {
    Message::builder()
        .from("Northwind <privacy@example.org>".parse().unwrap())
        .to("Ada <ada@example.org>".parse().unwrap())
        .subject(subject)
        .multipart(
            MultiPart::mixed()
                .multipart(MultiPart::alternative_plain_html(
                    "Grüße aus Kiel.\n.a line that begins with a dot\nhttp://127.0.0.1:3000/x?a=1&b=2 is a link"
                        .to_owned(),
                    "<p onclick=\"alert(1)\">Grüße <script>alert(1)</script></p>".to_owned(),
                ))
                .singlepart(SinglePart::plain("second".to_owned())),
        )
        .unwrap()
}

async fn send(smtp_url: &str, mail: Message) {
    let transport: AsyncSmtpTransport<Tokio1Executor> =
        AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url).unwrap().build();
    transport.send(mail).await.unwrap();
}

#[tokio::test]
async fn caught_mail_has_its_parts() {
    let inbox = Inbox::start().await;
    send(inbox.smtp_url(), mail("Ihre Löschung <1>")).await;
    let messages = inbox.wait_for(1).await;
    assert_eq!(messages[0].subject, "Ihre Löschung <1>");
    assert_eq!(
        (messages[0].from.as_str(), messages[0].to.as_slice()),
        ("privacy@example.org", ["ada@example.org".to_owned()].as_slice())
    );
    assert!(
        messages[0].text.as_ref().unwrap().contains("Grüße aus Kiel.\r\n.a line")
            || messages[0].text.as_ref().unwrap().contains("Grüße aus Kiel.\n.a line")
    );

    let json: Value = client().get(format!("{}/messages", inbox.url())).send().await.unwrap().json().await.unwrap();
    assert_eq!(json[0]["subject"], "Ihre Löschung <1>");
    let list = client().get(inbox.url()).send().await.unwrap().text().await.unwrap();
    assert!(list.contains("Ihre Löschung &lt;1&gt;") && list.contains("/mail/1"));
    let page = client().get(format!("{}/mail/1", inbox.url())).send().await.unwrap().text().await.unwrap();
    assert!(
        page.contains("href=\"http:&#x2f;&#x2f;127.0.0.1:3000&#x2f;x?a=1&amp;b=2\"")
            && page.contains("sandbox=")
            && !page.contains("<script")
    );
    let html = client().get(format!("{}/mail/1/html", inbox.url())).send().await.unwrap();
    let policy = html.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox") && policy.contains("default-src 'none'"));

    let deleted = client().delete(format!("{}/messages", inbox.url())).send().await.unwrap();
    assert_eq!(deleted.status(), 204);
    assert!(inbox.messages().await.is_empty());
    assert_eq!(client().get(format!("{}/mail/1", inbox.url())).send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn mail_in_a_directory_survives_a_restart() {
    let directory = std::env::temp_dir().join(format!("demo-inbox-{}", std::process::id()));
    let mailbox = Mailbox::open(Some(directory.clone())).unwrap();
    let (web, smtp) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let smtp_url = format!("smtp://{}", smtp.local_addr().unwrap());
    let serving = tokio::spawn(lethe_demo::inbox::serve(mailbox.clone(), web, smtp));
    send(&smtp_url, mail("one")).await;
    send(&smtp_url, mail("two")).await;
    serving.abort();
    let again = Mailbox::open(Some(directory.clone())).unwrap().messages();
    let before = mailbox.messages();
    assert_eq!(again.len(), 2);
    for (again, before) in again.iter().zip(&before) {
        assert_eq!(serde_json::to_value(again).unwrap(), serde_json::to_value(before).unwrap());
    }
    std::fs::remove_dir_all(directory).unwrap();
}
