//! The audit log: it only grows, and changes to it show.

use lethe::audit::{seal, verify};
use lethe::consent::{Choice, Source, set};

use crate::world::{World, subject};

async fn some_entries(world: &World) {
    for index in 0..6 {
        let choice = Choice { purpose: "marketing".to_owned(), granted: index % 2 == 0 };
        set(&world.lethe, &subject(index), &[choice], Source::Api, false).await.unwrap();
    }
}

#[tokio::test]
async fn chain_verifies_across_several_seals() {
    let world = World::start().await;
    some_entries(&world).await;
    assert_eq!(verify(&world.lethe).await.unwrap().pending, 6);
    assert_eq!(seal(&world.lethe).await.unwrap(), 6);
    some_entries(&world).await;
    seal(&world.lethe).await.unwrap();
    let found = verify(&world.lethe).await.unwrap();
    assert!(found.is_intact() && found.pending == 0 && found.links >= 6, "{found:?}");
}

#[tokio::test]
async fn concurrent_seals_make_one_chain() {
    let world = World::start().await;
    some_entries(&world).await;
    let (one, other) = tokio::join!(seal(&world.lethe), seal(&world.lethe));
    assert_eq!(one.unwrap() + other.unwrap(), 6);
    assert!(verify(&world.lethe).await.unwrap().is_intact());
}

#[tokio::test]
async fn database_refuses_updates_and_deletes() {
    let world = World::start().await;
    some_entries(&world).await;
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
    some_entries(&world).await;
    seal(&world.lethe).await.unwrap();
    let tampering = [
        ("update lethe.audit_entry set open = '{}' where id = 3", vec![3], vec![]),
        ("delete from lethe.audit_link where position = 5", vec![6], vec![5]),
    ];
    for (statement, broken, unlinked) in tampering {
        let mut transaction = world.pool().begin().await.unwrap();
        sqlx::query("set local session_replication_role = replica").execute(&mut *transaction).await.unwrap();
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        let found = verify(&world.lethe).await.unwrap();
        assert!(!found.is_intact());
        assert!(broken.iter().all(|position| found.broken.contains(position)), "{statement}: {found:?}");
        assert_eq!(found.unlinked, unlinked, "{statement}");
    }
}
