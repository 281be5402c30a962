//! The database goes away, takes no changes, and has no space.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lethe::deletion::{self, Status};
use lethe::{ErrorCode, Lethe, overview};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};

use super::{request, save};
use crate::world::{RunningWorker, World, eventually, subject};

/// A connection that may do what the database refuses others.
async fn administrator(world: &World, database: &str) -> PgConnection {
    let options: PgConnectOptions = world.database.url().parse().unwrap();
    options.database(database).options([("default_transaction_read_only", "off")]).connect().await.unwrap()
}

async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

fn name_of(world: &World) -> String {
    world.database.url().rsplit('/').next().unwrap().to_owned()
}

/// Ends every session of the world's database but the one that does it.
async fn end_sessions(world: &World, administrator: &mut PgConnection) {
    let name = name_of(world);
    let ended = format!(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
    );
    execute(administrator, ended).await;
}

/// As a switch to a standby, and as services do whose disk is nearly full.
#[tokio::test]
async fn read_only_database_is_read_and_jobs_go_on_within_seconds_of_its_end() {
    let world = World::start().await;
    let lethe = world.connected().await;
    let _working = RunningWorker::start(&lethe);
    save(&lethe, true).await.unwrap();
    let name = name_of(&world);
    let mut administrator = administrator(&world, &name).await;
    execute(&mut administrator, format!("alter database {name} set default_transaction_read_only = on")).await;
    end_sessions(&world, &mut administrator).await;
    eventually("changes are refused", async || {
        save(&lethe, false).await.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    // Connections that were ended before they were checked again are replaced at their next use.
    eventually("choices are read", async || {
        let overview = overview::read(&lethe, &subject(2), false, 10).await;
        overview.is_ok_and(|overview| overview.consent.granted("marketing"))
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;

    // Sessions that were opened meanwhile would refuse changes for as long as they live.
    execute(&mut administrator, format!("alter database {name} reset default_transaction_read_only")).await;
    finishes_within_five_seconds(&lethe).await;
    assert!(save(&lethe, false).await.is_ok());
}

/// As a restart: there is no connection, and none can be opened for a time.
#[tokio::test]
async fn jobs_go_on_within_seconds_of_the_databases_return() {
    let world = World::start().await;
    let lethe = world.connected().await;
    let _working = RunningWorker::start(&lethe);
    save(&lethe, true).await.unwrap();
    let name = name_of(&world);
    let mut administrator = administrator(&world, "postgres").await;
    execute(&mut administrator, format!("alter database {name} with allow_connections false")).await;
    end_sessions(&world, &mut administrator).await;
    eventually("everything is refused", async || {
        save(&lethe, false).await.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    execute(&mut administrator, format!("alter database {name} with allow_connections true")).await;
    finishes_within_five_seconds(&lethe).await;
}

/// Requests a deletion as soon as that is possible, and lets the worker execute it.
async fn finishes_within_five_seconds(lethe: &Lethe) {
    let started = Instant::now();
    let mut stored = None;
    eventually("a request is stored", async || {
        stored = request(lethe, 0).await.ok();
        stored.is_some()
    })
    .await;
    let request = stored.unwrap();
    eventually("the worker goes on", async || {
        deletion::progress(lethe, request).await.is_ok_and(|progress| progress.steps[0].status == Status::Done)
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    eventually("the deletion ends", async || {
        deletion::progress(lethe, request).await.is_ok_and(|progress| progress.finished)
    })
    .await;
}

#[tokio::test]
async fn full_disk_refuses_changes_and_ends_nothing() {
    let world = World::start().await;
    let mut administrator = administrator(&world, "postgres").await;
    let Some(disk) = SmallDisk::mount(&mut administrator).await else { return };
    let name = name_of(&world);
    let space = format!("space_{name}");
    execute(&mut administrator, format!("create tablespace {space} location '{}'", disk.0.display())).await;
    end_sessions(&world, &mut administrator).await;
    execute(&mut administrator, format!("alter database {name} set tablespace {space}")).await;

    let lethe = world.connected().await;
    let worker = RunningWorker::start(&lethe);
    // The tables are empty: whatever is written first needs a page.
    fill(&world).await;
    eventually("changes are refused", async || {
        let request = request(&lethe, 0).await;
        request.is_err_and(|error| error.public() == ErrorCode::Unavailable)
    })
    .await;
    assert!(overview::read(&lethe, &subject(2), false, 10).await.is_ok());
    sqlx::query("drop table filler").execute(world.pool()).await.unwrap();
    finishes_within_five_seconds(&lethe).await;

    drop(worker);
    end_sessions(&world, &mut administrator).await;
    lethe.database.close().await;
    world.pool().close().await;
    execute(&mut administrator, format!("alter database {name} set tablespace pg_default")).await;
    execute(&mut administrator, format!("drop tablespace {space}")).await;
}

/// Takes every page that is free.
async fn fill(world: &World) {
    let create = "create table filler (value text) with (autovacuum_enabled = false)";
    sqlx::query(create).execute(world.pool()).await.unwrap();
    for rows in [10_000, 1_000, 10] {
        let insert = "insert into filler select repeat('x', 1000) from generate_series(1, $1::int4)";
        while sqlx::query(insert).bind(rows).execute(world.pool()).await.is_ok() {}
    }
}

/// A file system in memory that Postgres' user may write.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Returns `None`, and says so, where this process may not mount.
    async fn mount(administrator: &mut PgConnection) -> Option<Self> {
        let data: String =
            sqlx::query_scalar("select current_setting('data_directory')").fetch_one(administrator).await.unwrap();
        let folder = Path::new(&data).parent().unwrap().join(format!("disk-{}", std::process::id()));
        let run = |program: &str, arguments: &[&str]| {
            std::process::Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
        };
        let path = folder.display().to_string();
        std::fs::create_dir_all(&folder).unwrap();
        let disk = Self(folder);
        let owner = format!("--reference={data}");
        if run("mount", &["-t", "tmpfs", "-o", "size=48m,mode=700", "none", &path]) && run("chown", &[&owner, &path]) {
            return Some(disk);
        }
        eprintln!("skipped: only root can mount a file system, on which the disk can be full");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
        let _ = std::fs::remove_dir(&self.0);
    }
}
