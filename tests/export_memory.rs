//! A large export in constant memory. The only test in its process, because it measures the memory of the process.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use futures::TryStreamExt;
use lethe::data_map::DataMap;
use lethe::export::Snapshot;
use lethe::{ClerkUserId, Identifiers};
use lethe_demo::people;
use lethe_demo::testing::Database;

const ROWS: u64 = 300_000;
const MEBIBYTE: u64 = 1024 * 1024;

/// The peak memory of this process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kibibytes * 1024
}

#[tokio::test]
async fn large_export_streams_in_constant_memory() {
    let database = Database::create().await;
    let person = people::person(1);
    sqlx::query("INSERT INTO profiles (user_id) VALUES ($1)").bind(&person.id).execute(database.pool()).await.unwrap();
    sqlx::query(
        "INSERT INTO usage_logs (user_id, metric, quantity) \
         SELECT $1, repeat(md5(r::text), 12), r FROM generate_series(1, $2) AS r",
    )
    .bind(&person.id)
    .bind(i64::try_from(ROWS).unwrap())
    .execute(database.pool())
    .await
    .unwrap();
    let map = DataMap::parse(include_str!("../demo/data-map.toml")).unwrap();
    let snapshot = Snapshot::open(database.pool(), &map, &Identifiers::from(&ClerkUserId::parse(&person.id).unwrap()))
        .await
        .unwrap();
    let tally = snapshot.tally();

    let before = peak();
    let (bytes, largest) = snapshot
        .write(String::new(), "")
        .try_fold((0, 0), async |(bytes, largest), piece| Ok((bytes + piece.len() as u64, largest.max(piece.len()))))
        .await
        .unwrap();
    let grown = peak() - before;

    assert_eq!(tally.rows(), ROWS + 1);
    assert!(bytes > 120 * MEBIBYTE, "{bytes} bytes are too few to prove anything");
    assert!(largest < 64 * 1024, "a piece of {largest} bytes");
    assert!(grown < 16 * MEBIBYTE, "memory grew by {} MiB for {} MiB", grown / MEBIBYTE, bytes / MEBIBYTE);
    println!("{} MiB in pieces of up to {largest} bytes, {} KiB of memory", bytes / MEBIBYTE, grown / 1024);
}
