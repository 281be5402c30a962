//! Where a cluster lies, whose it is, and which of Debian's Postgres versions runs it.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use nix::unistd::{Uid, User};
use ring::digest;

use crate::data_folder::write_private;
use crate::install;
use crate::process::RunAs;

const VERSIONS: &str = "/usr/lib/postgresql";
const REMEMBERED: &str = "cluster.path";

/// The folder of Postgres' programs: for an existing cluster those of its version, else the newest. Installs Postgres
/// when there is none.
pub(crate) fn binaries(cluster: &Path) -> Result<PathBuf> {
    if let Ok(version) = fs::read_to_string(cluster.join("PG_VERSION")) {
        let version = version.trim();
        if let Some(folder) = installed()
            .into_iter()
            .find(|folder| folder.parent().and_then(Path::file_name).is_some_and(|name| name == version))
        {
            return Ok(folder);
        }
        bail!(
            "{} was made by Postgres {version}, which isn't installed; install the package postgresql-{version}, or \
             start afresh with `cargo xtask reset`",
            cluster.display()
        );
    }
    if installed().is_empty() {
        install::debian(&["postgresql"])?;
    }
    installed().pop().with_context(|| format!("Postgres is installed, but not under {VERSIONS}"))
}

/// Folders with a Postgres server, the newest last.
fn installed() -> Vec<PathBuf> {
    let mut folders: Vec<(u32, PathBuf)> = fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .collect();
    folders.sort();
    folders.into_iter().map(|(_, folder)| folder).collect()
}

/// Postgres refuses to run as root: then it runs as `postgres`, whom Debian's package has made, or as `nobody`.
pub(crate) fn run_as() -> Result<Option<RunAs>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(Some(RunAs { user: user.uid.as_raw(), group: user.gid.as_raw() }));
        }
    }
    bail!("Postgres can't run as root, and there is neither a user `postgres` nor `nobody`");
}

/// The folder that holds the cluster of a data folder. It lies in the data folder wherever Postgres' user can get there,
/// and else below /var/tmp; the data folder remembers which.
pub(crate) fn directory(data: &Path, run_as: Option<&RunAs>) -> Result<PathBuf> {
    let memory = data.join(REMEMBERED);
    if let Some(remembered) = remembered(data) {
        return Ok(remembered);
    }
    let chosen = match run_as {
        Some(_) if !everybody_may_pass(data) => outside(data),
        _ => data.join("postgres"),
    };
    if chosen.exists() {
        // Nothing remembers it, so its password is lost with the data folder that it belonged to.
        check_owner(&chosen, run_as)?;
        super::clear_stale(&chosen.join("data"))?;
        fs::remove_dir_all(&chosen)?;
    }
    fs::create_dir(&chosen).with_context(|| format!("can't make {}", chosen.display()))?;
    if let Some(run_as) = run_as {
        chown(&chosen, Some(run_as.user), Some(run_as.group))?;
        if !chosen.starts_with(data) {
            println!("Postgres' user can't reach {}, so the cluster lies in {}", data.display(), chosen.display());
        }
    }
    fs::set_permissions(&chosen, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    write_private(&memory, &format!("{}\n", chosen.display()))?;
    Ok(chosen)
}

/// The folder of the cluster that a data folder remembers, as long as it exists.
pub(crate) fn remembered(data: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(fs::read_to_string(data.join(REMEMBERED)).ok()?.trim());
    let ours = path == data.join("postgres") || path == outside(data);
    (ours && path.is_dir()).then_some(path)
}

fn outside(data: &Path) -> PathBuf {
    let digest = digest::digest(&digest::SHA256, data.as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("lethe-{}", HEXLOWER.encode(&digest.as_ref()[..8])))
}

/// Whether every folder above and including this one lets everybody pass.
fn everybody_may_pass(folder: &Path) -> bool {
    folder.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
}

fn check_owner(folder: &Path, run_as: Option<&RunAs>) -> Result<()> {
    let owner = fs::symlink_metadata(folder)?.uid();
    let expected = run_as.map_or_else(|| Uid::effective().as_raw(), |run_as| run_as.user);
    if owner != expected {
        bail!("{} exists and belongs to somebody else", folder.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_outside_depends_on_the_data_folder_alone() {
        assert_eq!(outside(Path::new("/root/a")), outside(Path::new("/root/a")));
        assert_ne!(outside(Path::new("/root/a")), outside(Path::new("/root/b")));
    }

    #[test]
    fn a_private_folder_lets_nobody_pass() {
        let folder = std::env::temp_dir().join(format!("xtask-private-{}", std::process::id()));
        fs::create_dir(&folder).expect("it is new");
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
        assert!(!everybody_may_pass(&folder));
        fs::remove_dir(&folder).expect("it exists");
        assert!(everybody_may_pass(Path::new("/usr")));
    }
}
