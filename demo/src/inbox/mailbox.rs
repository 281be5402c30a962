//! The caught mail, in memory and in a directory.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, RwLock, RwLockReadGuard},
};

use mail_parser::{MessageParser, MimeHeaders};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A caught mail.
#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// The number of the mail, counted from 1.
    pub id: u64,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The subject; empty if there is none.
    pub subject: String,
    /// The first plain text part.
    pub text: Option<String>,
    /// The first HTML part.
    pub html: Option<String>,
    /// The names of attached files.
    pub attachments: Vec<String>,
    /// When it arrived, in RFC 3339.
    pub received_at: String,
    /// The whole mail as it was received.
    pub raw: String,
}

/// The caught mail. Clones share one inbox.
#[derive(Clone)]
pub struct Mailbox(Arc<State>);

struct State {
    messages: RwLock<Vec<Message>>,
    directory: Option<PathBuf>,
}

impl Mailbox {
    /// Opens an inbox with the mail in `directory`; without a directory, it is in memory only.
    pub fn open(directory: Option<PathBuf>) -> io::Result<Self> {
        let mut messages = Vec::new();
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory)?;
            let mut files: Vec<PathBuf> = std::fs::read_dir(directory)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()?;
            files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
            files.sort();
            for file in files {
                messages.extend(parse_stored(&std::fs::read(file)?));
            }
        }
        Ok(Self(Arc::new(State { messages: RwLock::new(messages), directory })))
    }

    /// All mail, the oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.read().clone()
    }

    fn read(&self) -> RwLockReadGuard<'_, Vec<Message>> {
        self.0.messages.read().expect("no holder of the lock panics")
    }

    pub(super) fn message(&self, id: u64) -> Option<Message> {
        self.read().iter().find(|message| message.id == id).cloned()
    }

    #[expect(clippy::disallowed_methods, reason = "nothing depends on when a mail arrives")]
    pub(super) fn deliver(&self, from: &str, to: &[String], raw: &[u8]) -> io::Result<()> {
        let mut messages = self.0.messages.write().expect("no holder of the lock panics");
        let id = messages.last().map_or(1, |last| last.id + 1);
        let received_at = OffsetDateTime::now_utc().format(&Rfc3339).expect("the present can be formatted");
        if let Some(directory) = &self.0.directory {
            let mut stored = format!("X-Envelope: {id}\nX-Envelope: {received_at}\nX-Envelope: {from}\n");
            stored.extend(to.iter().map(|to| format!("X-Envelope: {to}\n")));
            let stored = [stored.as_bytes(), raw].concat();
            // A half-written file would be read as a mail at the next start.
            let unfinished = directory.join("unfinished");
            std::fs::write(&unfinished, stored)?;
            std::fs::rename(unfinished, directory.join(format!("{id:08}.eml")))?;
        }
        messages.push(parse(id, from, to, raw, received_at));
        Ok(())
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        let mut messages = self.0.messages.write().expect("no holder of the lock panics");
        if let Some(directory) = &self.0.directory {
            for message in messages.iter() {
                std::fs::remove_file(directory.join(format!("{:08}.eml", message.id)))?;
            }
        }
        messages.clear();
        Ok(())
    }
}

fn parse(id: u64, from: &str, to: &[String], raw: &[u8], received_at: String) -> Message {
    let parsed = MessageParser::default().parse(raw);
    let parsed = parsed.as_ref();
    let part = |html: bool| {
        let message = parsed?;
        let ids = if html { &message.html_body } else { &message.text_body };
        ids.iter().filter_map(|id| message.part(*id)).find_map(|part| match &part.body {
            mail_parser::PartType::Html(text) if html => Some(text.to_string()),
            mail_parser::PartType::Text(text) if !html => Some(text.to_string()),
            _ => None,
        })
    };
    Message {
        id,
        from: from.to_owned(),
        to: to.to_vec(),
        subject: parsed.and_then(mail_parser::Message::subject).unwrap_or_default().to_owned(),
        text: part(false),
        html: part(true),
        attachments: parsed
            .into_iter()
            .flat_map(mail_parser::Message::attachments)
            .map(|attachment| attachment.attachment_name().unwrap_or("unnamed").to_owned())
            .collect(),
        received_at,
        raw: String::from_utf8_lossy(raw).into_owned(),
    }
}

/// Parses a file of the directory: lines with the envelope, then the mail.
fn parse_stored(stored: &[u8]) -> Option<Message> {
    let mut rest = stored;
    let mut envelope = Vec::new();
    while let Some(line) = rest.strip_prefix(b"X-Envelope: ") {
        let end = line.iter().position(|byte| *byte == b'\n')?;
        envelope.push(String::from_utf8_lossy(&line[..end]).into_owned());
        rest = &line[end + 1..];
    }
    let mut envelope = envelope.into_iter();
    let (id, received_at, from) = (envelope.next()?.parse().ok()?, envelope.next()?, envelope.next()?);
    Some(parse(id, &from, &envelope.collect::<Vec<_>>(), rest, received_at))
}
