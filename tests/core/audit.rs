//! The audit log: it only grows, and changes to it are detected.

use lethe::audit::{seal, verify};
use lethe::consent::{Choice, Source, set};

use crate::world::{World, subject};

/// Writes six entries. Each batch must differ from the one before: only changes are written.
async fn write_entries(world: &World, batch: usize) {
    for index in 0..6 {
        let choice = Choice { purpose: "marketing".to_owned(), granted: (index + batch).is_multiple_of(2) };
        set(&world.lethe, &subject(index), &[choice], Source::Api, false).await.unwrap();
    }
}

/// Runs a statement without the triggers that refuse it.
async fn tamper(world: &World, statement: &'static str) {
    let mut transaction = world.pool().begin().await.unwrap();
    sqlx::query("set local session_replication_role = replica").execute(&mut *transaction).await.unwrap();
    sqlx::query(statement).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn chain_verifies_across_several_seals() {
    let world = World::start().await;
    for batch in 0..3 {
        write_entries(&world, batch).await;
        let found = verify(&world.lethe).await.unwrap();
        assert!(found.is_intact() && found.pending == 6 && found.links == 6 * batch as u64, "{found:?}");
        assert_eq!(seal(&world.lethe).await.unwrap(), 6);
    }
    let found = verify(&world.lethe).await.unwrap();
    assert!(found.is_intact() && found.pending == 0 && found.links == 18, "{found:?}");
}

#[tokio::test]
async fn link_that_ignores_the_seal_before_it_is_detected() {
    let world = World::start().await;
    write_entries(&world, 0).await;
    seal(&world.lethe).await.unwrap();
    write_entries(&world, 1).await;
    seal(&world.lethe).await.unwrap();
    // Rewrites the first link of the second seal as if a new chain began there.
    tamper(
        &world,
        "update lethe.audit_link link
        set hash = sha256(decode(repeat('00', 32), 'hex') || int8send(link.position) || entry.digest)
        from lethe.audit_entry entry where entry.id = link.entry_id and link.position = 7",
    )
    .await;
    assert_eq!(verify(&world.lethe).await.unwrap().broken, [7, 8]);
}

#[tokio::test]
async fn concurrent_seals_make_one_chain() {
    let world = World::start().await;
    write_entries(&world, 0).await;
    let (one, other) = tokio::join!(seal(&world.lethe), seal(&world.lethe));
    assert_eq!(one.unwrap() + other.unwrap(), 6);
    assert!(verify(&world.lethe).await.unwrap().is_intact());
}

#[tokio::test]
async fn database_refuses_updates_and_deletes() {
    let world = World::start().await;
    write_entries(&world, 0).await;
    seal(&world.lethe).await.unwrap();
    for statement in [
        "update lethe.audit_entry set kind = 'x'",
        "delete from lethe.audit_entry",
        "truncate lethe.audit_entry cascade",
        "update lethe.audit_link set hash = hash",
        "delete from lethe.audit_link",
        "update lethe.consent_entry set granted = true",
        "delete from lethe.consent_entry",
    ] {
        let refused = sqlx::query(statement).execute(world.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn verify_detects_rows_changed_behind_the_trigger() {
    let world = World::start().await;
    write_entries(&world, 0).await;
    seal(&world.lethe).await.unwrap();
    let tampering = [
        ("update lethe.audit_entry set open = '{\"rows\":1}' where id = 3", vec![3], vec![]),
        ("update lethe.audit_entry set sealed = sealed || '\\x00' where id = 2", vec![2], vec![]),
        ("delete from lethe.audit_link where position = 5", vec![6], vec![5]),
    ];
    for (statement, broken, unlinked) in tampering {
        tamper(&world, statement).await;
        let found = verify(&world.lethe).await.unwrap();
        assert!(!found.is_intact());
        assert!(broken.iter().all(|position| found.broken.contains(position)), "{statement}: {found:?}");
        assert_eq!(found.unlinked, unlinked, "{statement}");
    }
}
