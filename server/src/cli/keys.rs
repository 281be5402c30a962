//! `lethe keys`: the secrets that the database was used with.

use anyhow::bail;
use clap::Subcommand;
use lethe::deletion::rotation::{self, SecretUse};
use lethe::{Lethe, secrets};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::exit::Exit;
use super::output;
use crate::bootstrap;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the secrets that the database was used with, and what depends on each.
    List,
    /// Seal with the newest secret what older ones sealed, and make anew the tombstones that can be. Running it again
    /// continues.
    Rotate,
    /// Record that a secret needn't be configured any more.
    Drop {
        /// Its id, as `lethe keys list` prints it.
        id: String,
        /// Also if it made tombstones: whoever was erased with it isn't recognised any more.
        #[arg(long)]
        forget_tombstones: bool,
    },
}

pub(super) async fn run(command: &KeysCommand, lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    match command {
        KeysCommand::List => {
            bootstrap::ensure_known_secret(lethe).await?;
            list(lethe, as_json).await
        }
        KeysCommand::Rotate => {
            bootstrap::ensure_migrated(lethe).await?;
            rotate(lethe, as_json).await
        }
        KeysCommand::Drop { id, forget_tombstones } => {
            bootstrap::ensure_known_secret(lethe).await?;
            drop_secret(lethe, id, *forget_tombstones, as_json).await
        }
    }
}

async fn list(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let uses = rotation::secret_uses(lethe).await?;
    if as_json {
        output::print_json(&json!({"secrets": secrets_json(&uses)?}))?;
    } else {
        print_secrets(&uses)?;
    }
    Ok(Exit::Success)
}

async fn rotate(lethe: &Lethe, as_json: bool) -> anyhow::Result<Exit> {
    let rotated = rotation::rotate(lethe).await?;
    let uses = rotation::secret_uses(lethe).await?;
    if as_json {
        output::print_json(&json!({
            "subject_keys": rotated.subject_keys,
            "contacts": rotated.contacts,
            "user_ids": rotated.user_ids,
            "tombstones": rotated.tombstones,
            "unreadable": rotated.unreadable,
            "secrets": secrets_json(&uses)?,
        }))?;
    } else {
        eprintln!(
            "{} keys of users, {} addresses and {} ids of erased users are sealed with the newest secret now, and {} tombstones \
             were made with it.",
            rotated.subject_keys, rotated.contacts, rotated.user_ids, rotated.tombstones
        );
        if rotated.unreadable > 0 {
            eprintln!("{} sealed texts can't be opened with the configured secrets.", rotated.unreadable);
        }
        print_secrets(&uses)?;
    }
    Ok(if rotated.unreadable > 0 { Exit::Attention } else { Exit::Success })
}

async fn drop_secret(lethe: &Lethe, id: &str, forget_tombstones: bool, as_json: bool) -> anyhow::Result<Exit> {
    let uses = rotation::secret_uses(lethe).await?;
    let Some(found) = uses.iter().find(|found| found.secret.id == id) else {
        bail!("this database was never used with a secret with the id {id}; `lethe keys list` lists them");
    };
    if found.is_newest {
        bail!("the secret {id} is the newest one; put another one before it in LETHE_SECRET first");
    }
    if found.sealed > 0 {
        bail!("{} sealed texts need the secret {id}; run `lethe keys rotate` first", found.sealed);
    }
    if found.tombstones > 0 && !forget_tombstones {
        bail!(
            "the secret {id} made {} tombstones. Without it, whoever they are about isn't recognised as erased when their id \
             comes up again, for example from a backup. If no backup from before {} exists any more, repeat the command \
             with --forget-tombstones",
            found.tombstones,
            found.newest_tombstone_at.map(date).transpose()?.unwrap_or_default()
        );
    }
    let dropped = secrets::drop_secret(&lethe.database, id, lethe.clock.now()).await?;
    if as_json {
        output::print_json(&json!({"id": id, "dropped": dropped}))?;
    } else if dropped {
        println!("The secret {id} needn't be in LETHE_SECRET any more.");
    } else {
        println!("The secret {id} was dropped before.");
    }
    Ok(Exit::Success)
}

fn secrets_json(uses: &[SecretUse]) -> anyhow::Result<Vec<Value>> {
    let secret = |found: &SecretUse| -> anyhow::Result<Value> {
        Ok(json!({
            "id": found.secret.id,
            "newest": found.is_newest,
            "configured": found.is_configured,
            "first_used_at": found.secret.first_used_at.map(|at| at.format(&Rfc3339)).transpose()?,
            "dropped_at": found.secret.dropped_at.map(|at| at.format(&Rfc3339)).transpose()?,
            "sealed": found.sealed,
            "tombstones": found.tombstones,
            "newest_tombstone_at": found.newest_tombstone_at.map(|at| at.format(&Rfc3339)).transpose()?,
            "unused": found.is_unused(),
        }))
    };
    uses.iter().map(secret).collect()
}

fn print_secrets(uses: &[SecretUse]) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for found in uses {
        rows.push([
            found.secret.id.clone(),
            found.secret.first_used_at.map(date).transpose()?.unwrap_or_default(),
            found.sealed.to_string(),
            found.tombstones.to_string(),
            advice(found)?,
        ]);
    }
    output::print_table(["id", "since", "sealed", "tombstones", "state"], &rows);
    Ok(())
}

/// What the operator may do about a secret.
fn advice(found: &SecretUse) -> anyhow::Result<String> {
    Ok(match (&found.secret.dropped_at, found.newest_tombstone_at) {
        (Some(at), _) => format!("dropped on {}", date(*at)?),
        (None, _) if found.is_newest => "in use".to_owned(),
        (None, _) if found.sealed > 0 => "needed; run `lethe keys rotate`".to_owned(),
        (None, Some(at)) => format!("may be dropped when no backup from before {} is kept", date(at)?),
        (None, None) => format!("may be dropped: `lethe keys drop {}`", found.secret.id),
    })
}

fn date(at: OffsetDateTime) -> anyhow::Result<String> {
    Ok(at.date().format(time::macros::format_description!("[year]-[month]-[day]"))?)
}
