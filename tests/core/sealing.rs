//! Sealed means sealed: what the log says about a person opens with their key, and with nothing once they are erased.
//!
//! The formats are read here by code of its own, as somebody would who has every table, every file and the secret.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use data_encoding::{BASE64, HEXLOWER};
use futures::StreamExt as _;
use lethe::audit::{self, AuditEvent};
use lethe::consent::{self, Choice, Source};
use lethe::deletion::{self, NewRequest, Origin};
use lethe::export::{self, Shape};
use lethe::rate_limit::RateLimit;
use lethe::{ClerkUserId, overview};
use lethe_demo::testing::eventually;
use ring::{aead, hkdf};
use uuid::Uuid;

use crate::world::{SECRET, World, subject};

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Everything that is left in the tables: each row as text, and each binary value of any column.
struct Loot {
    rows: Vec<String>,
    values: BTreeSet<Vec<u8>>,
    ids: BTreeSet<Uuid>,
}

/// A sealed entry, and what it belongs to.
#[derive(sqlx::FromRow)]
struct SealedEntry {
    subject_id: Uuid,
    kind: String,
    recorded_at: i64,
    sealed: Vec<u8>,
}

impl Loot {
    async fn of(world: &World) -> Self {
        let mut loot = Self { rows: Vec::new(), values: BTreeSet::new(), ids: BTreeSet::new() };
        let tables: Vec<String> = sqlx::query_scalar(
            "select format('%I.%I', schemaname, tablename) from pg_tables
            where schemaname not in ('pg_catalog', 'information_schema')",
        )
        .fetch_all(world.pool())
        .await
        .unwrap();
        for table in tables {
            let query = format!("select '{table} ' || row::text from {table} row");
            let rows: Vec<String> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(world.pool()).await.unwrap();
            loot.rows.extend(rows);
        }
        for name in world.lethe.storage.list("tombstones").await.unwrap() {
            loot.rows.push(format!("store {name}"));
        }
        for row in &loot.rows {
            for part in row.split(|letter: char| !letter.is_ascii_hexdigit() && letter != '-') {
                loot.ids.extend(Uuid::try_parse(part).ok());
                loot.values.extend(HEXLOWER.decode(part.as_bytes()).ok().filter(|value| value.len() >= 32));
            }
        }
        loot.values.insert(BASE64.decode(SECRET.as_bytes()).unwrap());
        loot
    }

    /// Every key that could be one: each value as it is, and what each unwraps to with the secret, for each id.
    fn keys(&self) -> Vec<[u8; 32]> {
        let (id, wrapping) = (derived(b"id"), derived(b"subject"));
        let mut keys: Vec<[u8; 32]> = self.values.iter().filter_map(|value| value.as_slice().try_into().ok()).collect();
        keys.extend([wrapping, derived(b"contact"), derived(b"browser"), derived(b"check")]);
        let prefix = [&[1], &id[..4]].concat();
        for wrapped in self.values.iter().filter_map(|value| value.strip_prefix(prefix.as_slice())) {
            for subject in &self.ids {
                let opened = open(&wrapping, &associated(&[b"data_subject", subject.as_bytes()]), wrapped);
                keys.extend(opened.and_then(|key| <[u8; 32]>::try_from(key).ok()));
            }
        }
        keys
    }

    /// What the sealed entries say, as far as they open.
    async fn opened(&self, world: &World) -> (usize, Vec<String>) {
        let entries: Vec<SealedEntry> = sqlx::query_as(
            "select subject_id, kind, (extract(epoch from recorded_at) * 1000000)::bigint as recorded_at, sealed
            from lethe.audit_entry where sealed is not null order by id",
        )
        .fetch_all(world.pool())
        .await
        .unwrap();
        let mut opened = Vec::new();
        for entry in &entries {
            let data = associated(&[
                b"audit_entry",
                entry.subject_id.as_bytes(),
                entry.kind.as_bytes(),
                &entry.recorded_at.to_be_bytes(),
            ]);
            let content = self.keys().iter().find_map(|key| open(key, &data, &entry.sealed[1..]));
            opened.extend(content.map(|content| String::from_utf8(content).unwrap()));
        }
        (entries.len(), opened)
    }
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

fn derived(label: &'static [u8]) -> [u8; 32] {
    let mut key = [0; 32];
    let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lethe").extract(&BASE64.decode(SECRET.as_bytes()).unwrap());
    root.expand(&[label], Length).unwrap().fill(&mut key).unwrap();
    key
}

fn associated(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes(), *part].concat()).collect()
}

fn open(key: &[u8; 32], data: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, sealed) = sealed.split_at_checked(12)?;
    let key = aead::LessSafeKey::new(aead::UnboundKey::new(&aead::CHACHA20_POLY1305, key).unwrap());
    let mut text = sealed.to_vec();
    let nonce = aead::Nonce::try_assume_unique_for_key(nonce).unwrap();
    Some(key.open_in_place(nonce, aead::Aad::from(data), &mut text).ok()?.to_vec())
}

async fn choose(world: &World, person: &ClerkUserId, purpose: &str) {
    let choice = Choice { purpose: purpose.to_owned(), granted: true };
    consent::set(&world.lethe, person, &[choice], Source::Page, false).await.unwrap();
}

/// Chooses, and downloads everything. Returns the size of the file.
async fn act(world: &World, person: &ClerkUserId) -> u64 {
    choose(world, person, "marketing").await;
    choose(world, person, "thirdParty").await;
    let mut bytes = 0;
    let limit = RateLimit::per_hour("export", NonZeroU32::new(10).unwrap());
    let mut body = export::start(&world.lethe, person, Shape::Full, &limit).await.unwrap().body;
    while let Some(chunk) = body.next().await {
        bytes += chunk.unwrap().len() as u64;
    }
    bytes
}

#[tokio::test]
async fn what_an_erased_person_chose_downloaded_and_did_is_unreadable() {
    let world = World::start().await;
    let (ada, grace) = (subject(0), subject(3));
    let bytes = act(&world, &ada).await;
    act(&world, &grace).await;
    let person: Uuid = sqlx::query_scalar("select id from lethe.data_subject where clerk_id = $1")
        .bind(ada.as_str())
        .fetch_one(world.pool())
        .await
        .unwrap();

    // Whoever has all of it reads the entries of those who are here: the search can find something.
    let (sealed, opened) = Loot::of(&world).await.opened(&world).await;
    assert_eq!((sealed, opened.len()), (8, 8), "{opened:?}");
    assert!(opened.iter().any(|content| content.contains("thirdParty")), "{opened:?}");
    assert!(opened.iter().any(|content| content.contains(&bytes.to_string())), "{opened:?}");

    let _working = world.start_worker();
    let new = NewRequest {
        subject: &ada,
        origin: Origin::Api,
        confirmed_plan: None,
        contact: Some("ada@example.org"),
        idempotency_key: None,
    };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    let waiting = "select count(*) from lethe.deletion_request where contact is not null or finished_at is null";
    eventually("the mail", async || sqlx::query_scalar::<_, i64>(waiting).fetch_one(world.pool()).await.unwrap() == 0)
        .await;

    let loot = Loot::of(&world).await;
    let (sealed, opened) = loot.opened(&world).await;
    assert_eq!((sealed, opened.len()), (8, 4), "hers stay in the chain, and only the other person's open: {opened:?}");
    assert!(!opened.iter().any(|content| content.contains(&format!("\"bytes\":{bytes},"))), "{opened:?}");
    assert!(audit::verify(&world.lethe).await.unwrap().is_intact());
    for row in loot.rows.iter().filter(|row| row.contains(&person.to_string())) {
        // The ledger is the evidence of consent. It says what somebody chose, and not who that was.
        let is_ledger = row.starts_with("lethe.consent_entry ");
        assert!(is_ledger || row.starts_with("lethe.audit_entry ") && row.contains("{}"), "{row}");
    }
    for row in &loot.rows {
        assert!(!row.contains(ada.as_str()) && !row.contains("ada@example.org"), "{row}");
        assert!(!row.contains(&format!("\"bytes\":{bytes},")), "{row}");
    }
}

#[tokio::test]
async fn deletion_writes_nothing_that_has_its_time_and_the_persons_random_id() {
    let world = World::start().await;
    choose(&world, &subject(0), "marketing").await;
    let new = NewRequest {
        subject: &subject(0),
        origin: Origin::Api,
        confirmed_plan: None,
        contact: None,
        idempotency_key: None,
    };
    let request = deletion::request(&world.lethe, new).await.unwrap();
    deletion::run(&world.lethe, request.id, TIMEOUT).await.unwrap();
    let linked: Vec<(String, bool)> = sqlx::query_as(
        "select kind, recorded_at >= (select requested_at from lethe.deletion_request) from lethe.audit_entry
        where subject_id is not null",
    )
    .fetch_all(world.pool())
    .await
    .unwrap();
    assert_eq!(linked, [("consent.changed".to_owned(), false)]);
}

#[tokio::test]
async fn activity_is_unsealed_on_read_and_moved_content_does_not_open() {
    let world = World::start().await;
    for index in [0, 1] {
        choose(&world, &subject(index), "marketing").await;
    }
    let open: Vec<String> =
        sqlx::query_scalar("select open::text from lethe.audit_entry").fetch_all(world.pool()).await.unwrap();
    assert_eq!(open, ["{}", "{}"]);
    let read = async |index| overview::activity(&world.lethe, &subject(index), i64::MAX, 5).await.unwrap().entries;
    let event = read(0).await.remove(0).event;
    assert!(
        matches!(&event, AuditEvent::ConsentChanged { changes, .. } if changes[0].purpose == "marketing"),
        "{event:?}"
    );

    // Somebody who can write to the table exchanges the contents of two people's entries.
    let mut transaction = world.pool().begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *transaction).await.unwrap();
    sqlx::query(
        "update lethe.audit_entry entry set sealed = other.sealed from lethe.audit_entry other where other.id <> entry.id",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    let event = read(0).await.remove(0).event;
    assert_eq!(event, AuditEvent::Unknown { kind: "consent.changed".to_owned() });
}

#[tokio::test]
async fn entries_of_older_versions_stay_readable_and_new_ones_are_sealed() {
    let world = World::start().await;
    // As version 0.1 wrote them: a key that is used for nothing, and everything in the open part.
    let old = "with person as (
            insert into lethe.data_subject (id, clerk_id, sealing_key, created_at)
            values (gen_random_uuid(), $1, decode(repeat('00', 32), 'hex'), now()) returning id
        )
        insert into lethe.audit_entry (kind, subject_id, open, recorded_at, digest)
        select 'export.completed', id, '{\"bytes\":2048,\"rows\":12}', now(), decode(repeat('00', 32), 'hex') from person";
    sqlx::query(old).bind(subject(0).as_str()).execute(world.pool()).await.unwrap();
    choose(&world, &subject(0), "analytics").await;
    let log = overview::activity(&world.lethe, &subject(0), i64::MAX, 5).await.unwrap();
    assert_eq!(log.entries.len(), 2);
    assert!(matches!(log.entries[0].event, AuditEvent::ConsentChanged { .. }));
    assert_eq!(log.entries[1].event, AuditEvent::ExportCompleted { bytes: 2048, rows: 12 });
}
