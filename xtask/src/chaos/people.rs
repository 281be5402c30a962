//! People who save, download and delete all the while, and what they were told.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Client, Method};

/// The purposes of the demo.
pub(super) const PURPOSES: [&str; 3] = ["marketing", "analytics", "thirdParty"];
/// Out of a hundred actions, how many are of each kind; the rest reads a page.
const SAVES: u8 = 45;
const DOWNLOADS: u8 = 15;
const DELETIONS: u8 = 10;
/// Longer than a server takes to answer anything but a download.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(45);
/// After a request without an answer nothing is sent for this person: the server may still be working on it.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// A person and what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) token: String,
    /// For each purpose the values that its newest decision may have; none if the person never decided.
    pub(super) possible: [BTreeSet<bool>; 3],
    /// For each purpose whether a decision was confirmed.
    pub(super) is_confirmed: [bool; 3],
    /// Whether a deletion was asked for, whatever the answer was.
    pub(super) asked_to_delete: bool,
    /// The receipt, if one was given.
    pub(super) receipt: Option<String>,
    /// Whether a server said that the person is gone.
    pub(super) is_gone: bool,
}

impl Person {
    pub(super) fn new(id: String, token: String) -> Self {
        Self {
            id,
            token,
            possible: Default::default(),
            is_confirmed: [false; 3],
            asked_to_delete: false,
            receipt: None,
            is_gone: false,
        }
    }
}

/// What one thread did.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) saves: u64,
    pub(super) downloads: u64,
    pub(super) deletions: u64,
    pub(super) pages: u64,
    pub(super) without_response: u64,
    pub(super) refused: u64,
    /// Responses that no server may give.
    pub(super) wrong: Vec<String>,
    pub(super) longest: Duration,
}

/// Acts for some people until `stop`.
pub(super) struct Actor<'a> {
    pub(super) people: Vec<Person>,
    pub(super) servers: &'a [String],
    pub(super) random: fastrand::Rng,
    pub(super) counts: Counts,
    client: Client,
}

impl<'a> Actor<'a> {
    pub(super) fn new(people: Vec<Person>, servers: &'a [String], seed: u64) -> Self {
        let client = Client::new(RESPONSE_TIMEOUT);
        Self { people, servers, random: fastrand::Rng::with_seed(seed), counts: Counts::default(), client }
    }

    /// Acts until `stop`. Returns the people and what happened.
    pub(super) fn run(mut self, stop: &AtomicBool) -> (Vec<Person>, Counts) {
        while !stop.load(Ordering::Relaxed) {
            let living: Vec<usize> = (0..self.people.len()).filter(|&n| !self.people[n].is_gone).collect();
            let Some(&person) = self.random.choice(&living) else { break };
            let asked = self.people[person].asked_to_delete;
            let action = self.random.u8(..100);
            // Whoever asked to be deleted asks again until there is a receipt, and acts as before now and then.
            if asked && self.people[person].receipt.is_none() || action < DELETIONS && !asked {
                self.delete(person);
            } else if action < DELETIONS + SAVES {
                self.save(person);
            } else if action < DELETIONS + SAVES + DOWNLOADS {
                self.download(person);
            } else {
                self.read(person);
            }
            std::thread::sleep(Duration::from_millis(self.random.u64(5..60)));
        }
        (self.people, self.counts)
    }

    /// Sends a request to any of the servers. No answer, or one that says nothing of what happened, is `None`.
    fn send(&mut self, method: Method, path: &str, person: usize, body: Option<&Value>) -> Option<(u16, Vec<u8>)> {
        let server = self.random.choice(self.servers)?;
        let start = Instant::now();
        let response = self.client.send(method, &format!("{server}{path}"), Some(&self.people[person].token), body);
        self.counts.longest = self.counts.longest.max(start.elapsed());
        let Ok(response) = response else {
            self.counts.without_response += 1;
            std::thread::sleep(SETTLE_TIME);
            return None;
        };
        if response.status == 401 {
            self.note_gone(person, &response.body);
        }
        if matches!(response.status, 429 | 500 | 503) {
            self.counts.refused += 1;
        }
        Some((response.status, response.body))
    }

    /// Only whoever asked to be deleted may be told that they are gone.
    fn note_gone(&mut self, person: usize, body: &[u8]) {
        let code = serde_json::from_slice::<Value>(body).ok().and_then(|body| body["code"].as_str().map(str::to_owned));
        let person = &mut self.people[person];
        if code.as_deref() != Some("gone") || !person.asked_to_delete {
            self.counts.wrong.push(format!("401 {code:?} for {}, asked: {}", person.id, person.asked_to_delete));
        }
        person.is_gone = person.asked_to_delete;
    }

    fn save(&mut self, person: usize) {
        let purpose = self.random.usize(..PURPOSES.len());
        let value = self.random.bool();
        let body = serde_json::json!({ PURPOSES[purpose]: value });
        let response = self.send(Method::Post, "/api/privacy/consent", person, Some(&body));
        let person = &mut self.people[person];
        match response {
            Some((200, body)) => {
                let state: Value = serde_json::from_slice(&body).unwrap_or_default();
                if state[PURPOSES[purpose]] != value {
                    self.counts.wrong.push(format!("saved {value}, answered {state}, for {}", person.id));
                }
                self.counts.saves += 1;
                person.possible[purpose] = BTreeSet::from([value]);
                person.is_confirmed[purpose] = true;
            }
            Some((401 | 429, _)) => {}
            // It may have been written before the answer was lost.
            _ => drop(person.possible[purpose].insert(value)),
        }
    }

    fn download(&mut self, person: usize) {
        let Some((200, body)) = self.send(Method::Get, "/api/privacy/export", person, None) else { return };
        let id = &self.people[person].id;
        // One that breaks off isn't valid JSON, and the client has noticed already.
        let Ok(export) = serde_json::from_slice::<Value>(&body) else {
            self.counts.wrong.push(format!("the export of {id} is no JSON"));
            return;
        };
        self.counts.downloads += 1;
        if export["clerkProfile"]["id"] != id.as_str() {
            self.counts.wrong.push(format!("the export of {id} has another profile"));
        }
        let owners = ["clerk_id", "author_id", "user_id"];
        for row in export["applicationData"].as_object().into_iter().flat_map(|tables| tables.values()) {
            for row in row.as_array().into_iter().flatten() {
                if owners.iter().any(|owner| row.get(owner).is_some_and(|owner| owner != id.as_str())) {
                    self.counts.wrong.push(format!("the export of {id} has a row of somebody else"));
                }
            }
        }
    }

    fn delete(&mut self, person: usize) {
        self.people[person].asked_to_delete = true;
        let response = self.send(Method::Delete, "/api/privacy/delete", person, None);
        let Some((200 | 202 | 500, body)) = response else { return };
        let deletion: Value = serde_json::from_slice(&body).unwrap_or_default();
        let Some(receipt) = deletion["receipt"].as_str().and_then(|path| path.strip_prefix("/receipt/")) else {
            return;
        };
        let person = &mut self.people[person];
        if person.receipt.as_ref().is_some_and(|earlier| earlier != receipt) {
            self.counts.wrong.push(format!("two receipts for {}", person.id));
        }
        person.receipt = Some(receipt.to_owned());
        self.counts.deletions += 1;
    }

    fn read(&mut self, person: usize) {
        let path = if self.random.bool() { "/" } else { "/api/privacy/consent" };
        if let Some((200, _)) = self.send(Method::Get, path, person, None) {
            self.counts.pages += 1;
        }
    }
}
