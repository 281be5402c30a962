//! What must hold at the end, whatever went wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::people::{PURPOSES, Person};
use super::system::{DATABASE, System};
use crate::http::{Client, Method};
use crate::interrupt;

/// How long everything that waits may take once nothing fails any more.
const CALM_LIMIT: Duration = Duration::from_mins(5);

/// What waits, by kind.
const WAITING: &str = "select json_build_object(
    'deletions', (select count(*) from lethe.deletion_request where finished_at is null),
    'mirrors', (select count(*) from lethe.consent_mirror),
    'unsealed entries', (select count(*) from lethe.audit_pending),
    'jobs', (select count(*) from lethe_jobs.jobs where attempts < max_attempts))";

/// Rows of the sample application that are a person's, as text that doesn't change unless the row does. A comment's post
/// may be deleted with its author.
const ROWS: &str = "select coalesce(json_object_agg(owner, digest), '{}') from (
    select owner, md5(string_agg(row, '' order by row)) as digest from (
        select clerk_id as owner, to_jsonb(t)::text as row from users t
        union all select author_id, to_jsonb(t)::text from posts t
        union all select author_id, (to_jsonb(t) - 'post_id')::text from comments t
        union all select user_id, to_jsonb(t)::text from preferences t
        union all select user_id, to_jsonb(t)::text from profiles t
        union all select user_id, to_jsonb(t)::text from projects t
        union all select user_id, to_jsonb(t)::text from reports t
        union all select user_id, to_jsonb(t)::text from experiments t
        union all select user_id, to_jsonb(t)::text from pipelines t
        union all select user_id, to_jsonb(t)::text from datasets t
        union all select user_id, to_jsonb(t)::text from api_keys t
        union all select user_id, to_jsonb(t)::text from activity_logs t
        union all select user_id, to_jsonb(t)::text from usage_logs t
    ) rows group by owner
) people";

/// Who has a row that a deletion erases or changes, with data of theirs still in it.
const PRESENT: &str = "select coalesce(json_agg(distinct id), '[]') from (
    select clerk_id as id from users
    union all select author_id from posts
    union all select author_id from comments
    union all select user_id from preferences
    union all select user_id from profiles where email is not null
    union all select user_id from projects where deleted_at is null
    union all select user_id from reports where deleted_at is null
    union all select user_id from datasets where deleted_at is null
    union all select user_id from api_keys where revoked_at is null
) people";

/// Digests of the rows of each person.
pub(super) type Rows = BTreeMap<String, String>;

/// Returns the digest of each person's rows.
pub(super) fn rows(system: &System) -> Result<Rows> {
    Ok(serde_json::from_str(&system.cluster.query(DATABASE, ROWS)?)?)
}

/// Waits until nothing waits any more. Returns how long that took.
pub(super) fn wait_for_calm(system: &System) -> Result<Duration> {
    let start = Instant::now();
    loop {
        let waiting: BTreeMap<String, u64> = serde_json::from_str(&system.cluster.query(DATABASE, WAITING)?)?;
        if waiting.values().all(|&count| count == 0) {
            return Ok(start.elapsed());
        }
        if start.elapsed() > CALM_LIMIT {
            bail!("after {} s something still waits: {waiting:?}", start.elapsed().as_secs());
        }
        interrupt::pause(500)?;
    }
}

/// Checks everything. Returns a sentence for each violation.
pub(super) fn violations(system: &System, people: &[Person], before: &Rows) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let ids: BTreeSet<String> = system.clerk.user_ids(usize::MAX)?.into_iter().collect();
    let after = rows(system)?;
    let present: BTreeSet<String> = serde_json::from_str(&system.cluster.query(DATABASE, PRESENT)?)?;
    let gone: Vec<&Person> = people.iter().filter(|person| !ids.contains(&person.id)).collect();
    for person in people {
        let id = &person.id;
        let exists = ids.contains(id);
        if exists && (person.receipt.is_some() || person.is_gone) {
            found.push(format!("{id} has a receipt or is gone, and still exists at Clerk"));
        }
        if !exists && !person.asked_to_delete {
            found.push(format!("{id} never asked, and is gone from Clerk"));
        }
        if !exists && present.contains(id) {
            found.push(format!("{id} was deleted, and has rows"));
        }
        if !person.asked_to_delete && after.get(id) != before.get(id) {
            found.push(format!("{id} never asked, and has other rows than before"));
        }
    }
    check_deletions(system, people, gone.len(), &mut found)?;
    check_consent(system, people.iter().filter(|person| ids.contains(&person.id)), &mut found)?;
    if let Err(error) = system.command(&["audit", "verify"]) {
        found.push(format!("the audit log: {error:#}"));
    }
    Ok(found)
}

/// Each request was carried out once, its receipt was written and mailed, and the archive store has its tombstone.
fn check_deletions(system: &System, people: &[Person], gone: usize, found: &mut Vec<String>) -> Result<()> {
    let query = |text: &str| system.cluster.query(DATABASE, text);
    let receipts: BTreeSet<String> = serde_json::from_str(&query(
        "select coalesce(json_agg(receipt_code), '[]') from lethe.deletion_request where finished_at is not null",
    )?)?;
    for receipt in people.iter().filter_map(|person| person.receipt.as_ref()) {
        if !receipts.contains(receipt) {
            found.push(format!("the deletion with the receipt {receipt} isn't finished"));
        }
    }
    let counts = [
        ("deletion requests", "select count(*) from lethe.deletion_request"),
        ("tombstones", "select count(*) from lethe.tombstone"),
        ("entries `deletion.requested`", "select count(*) from lethe.audit_entry where kind = 'deletion.requested'"),
        ("entries `deletion.completed`", "select count(*) from lethe.audit_entry where kind = 'deletion.completed'"),
        ("steps that aren't done", "select count(*) filter (where status <> 'done') from lethe.deletion_step"),
    ];
    for (name, text) in counts {
        let expected = if name.starts_with("steps") { 0 } else { gone };
        let count = query(text)?;
        if count != expected.to_string() {
            found.push(format!("{count} {name}, {expected} expected"));
        }
    }
    let stored = std::fs::read_dir(system.data.path().join("storage/tombstones")).map_or(0, Iterator::count);
    if stored != gone {
        found.push(format!("{stored} tombstones in the store, {gone} expected"));
    }
    let mails =
        Client::new(Duration::from_mins(1)).send(Method::Get, &format!("{}/messages", system.inbox_url), None, None)?;
    let mails = String::from_utf8_lossy(&mails.body).into_owned();
    let unmailed = receipts.iter().filter(|receipt| !mails.contains(receipt.as_str())).count();
    if unmailed > 0 {
        found.push(format!("{unmailed} receipts were not mailed"));
    }
    Ok(())
}

/// What the person was told, the ledger, the interface and Clerk agree.
fn check_consent<'a>(system: &System, people: impl Iterator<Item = &'a Person>, found: &mut Vec<String>) -> Result<()> {
    let newest: BTreeMap<String, BTreeMap<String, bool>> = serde_json::from_str(&system.cluster.query(
        DATABASE,
        "select coalesce(json_object_agg(clerk_id, decisions), '{}') from (
            select clerk_id, json_object_agg(purpose, granted) as decisions from (
                select distinct on (subject.clerk_id, entry.purpose) subject.clerk_id, entry.purpose, entry.granted
                from lethe.consent_entry entry join lethe.data_subject subject on subject.id = entry.subject_id
                where subject.clerk_id is not null
                order by subject.clerk_id, entry.purpose, entry.id desc
            ) entries group by clerk_id
        ) people",
    )?)?;
    let client = Client::new(Duration::from_mins(1));
    let port = system.servers[0].port.unwrap_or_default();
    for person in people {
        let url = format!("http://127.0.0.1:{port}/api/privacy/consent");
        let response = client.send(Method::Get, &url, Some(&person.token), None)?;
        let in_response: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let at_clerk = system.clerk.user(&person.id)?["public_metadata"]["consent"].clone();
        for (number, purpose) in PURPOSES.into_iter().enumerate() {
            let in_ledger = newest.get(&person.id).and_then(|decisions| decisions.get(purpose)).copied();
            let possible = &person.possible[number];
            let is_possible = match in_ledger {
                Some(value) => possible.contains(&value),
                None => !person.is_confirmed[number],
            };
            if !is_possible {
                found.push(format!("{}: {purpose} is {in_ledger:?} in the ledger, not {possible:?}", person.id));
            }
            if in_response[purpose] != in_ledger.unwrap_or(false) {
                found.push(format!(
                    "{}: {purpose} is {in_response} on the page, {in_ledger:?} in the ledger",
                    person.id
                ));
            }
            if newest.contains_key(&person.id) && at_clerk[purpose] != in_ledger.unwrap_or(false) {
                found.push(format!("{}: {purpose} is {at_clerk} at Clerk, {in_ledger:?} in the ledger", person.id));
            }
        }
    }
    Ok(())
}
