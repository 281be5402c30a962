//! A rolling upgrade: the previous release goes on serving while and after this version migrates the database.
//!
//! Needs the previous release's binary: `cargo xtask test --previous-release REVISION` builds it.

use lethe_demo::sample::{SeedOptions, seed};
use lethe_demo::testing::{ClerkStandIn, Database, Port, StandInOptions};
use reqwest::StatusCode;

use crate::process::{Process, lethe};
use crate::smoke::use_everything;
use crate::support::{Directory, environment, site};

/// The first migration with which versions know the rule of upgrades.
const FIRST_WITH_RULE: i64 = 7;

#[tokio::test(flavor = "multi_thread")]
async fn previous_release_serves_on_the_schema_of_this_version() {
    let variable = |name: &str| std::env::var(name).ok();
    let (Some(previous), Some(map)) = (variable("LETHE_PREVIOUS_RELEASE"), variable("LETHE_PREVIOUS_DATA_MAP")) else {
        eprintln!("skipped: there is no previous release; `cargo xtask test --previous-release REVISION` builds it");
        return;
    };
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = Port::hold();
    let url = port.url();
    let database = Database::create().await;
    let clerk = ClerkStandIn::start(StandInOptions {
        people: 8,
        application_origin: Some(url.clone()),
        ..StandInOptions::default()
    })
    .await;
    seed(database.pool(), &SeedOptions { people: 8, rows_per_person: 2 }).await.unwrap();
    let directory = Directory::new();
    site(&directory.path().join("site"));
    let current = environment(&url, &clerk, database.url(), directory.path());
    let mut old = current.clone();
    old.retain(|(name, _)| *name != "LETHE_DATA_MAP");
    old.push(("LETHE_DATA_MAP", map));

    let migrated = Process::command(&previous, &old, directory.path(), &["migrate"]).status().unwrap();
    assert!(migrated.success());
    let newest = async || -> i64 {
        let newest = "select max(version) from lethe.migration where success";
        sqlx::query_scalar(newest).fetch_one(database.pool()).await.unwrap()
    };
    let newest_of_previous = newest().await;
    let mut server = Process::serve_with(&previous, &old, directory.path(), &url).await;

    // This version migrates while the previous one serves.
    assert!(lethe(&current, directory.path(), &["migrate"]).status().unwrap().success());
    use_everything(&url, &clerk, &database, [1, 3]).await;
    if newest_of_previous >= FIRST_WITH_RULE {
        assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), StatusCode::OK);
        assert!(server.stop().await);
        assert!(Process::command(&previous, &old, directory.path(), &["migrate"]).status().unwrap().success());
        server = Process::serve_with(&previous, &old, directory.path(), &url).await;
        assert_eq!(reqwest::get(format!("{url}/readyz")).await.unwrap().status(), StatusCode::OK);
        use_everything(&url, &clerk, &database, [2, 4]).await;
    } else {
        eprintln!(
            "the release's newest migration is {newest_of_previous}: it doesn't know the rule, and can't be started again"
        );
    }
    assert!(server.stop().await);
}
