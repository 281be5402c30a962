//! Where the files of a cluster are, which user owns them, and which installed Postgres version runs it.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::HEXLOWER;
use nix::unistd::{Uid, User};
use ring::digest;

use super::stale;
use crate::data_folder::write_private;
use crate::install;
use crate::process::RunAs;

const VERSIONS: &str = "/usr/lib/postgresql";
const PATH_FILE: &str = "cluster.path";

/// Returns the folder of Postgres' programs: for an existing cluster those of its version, otherwise the newest.
/// Installs Postgres if there is none.
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
            "{} was created by Postgres {version}, which isn't installed; install the package postgresql-{version}, or \
             start afresh with `cargo xtask reset`",
            cluster.display()
        );
    }
    if installed().is_empty() {
        install::debian(&["postgresql"])?;
    }
    installed().pop().with_context(|| format!("Postgres is installed, but not under {VERSIONS}"))
}

/// Returns the folders with a Postgres server, the newest last.
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

/// Returns the user to run Postgres as if this program runs as root, which Postgres refuses: `postgres`, created by
/// Debian's package, or `nobody`.
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

/// Returns the folder of a data folder's cluster, and creates it if needed. It is in the data folder if Postgres' user
/// can reach that, otherwise below /var/tmp; the data folder stores the path.
pub(crate) fn directory(data: &Path, run_as: Option<&RunAs>) -> Result<PathBuf> {
    let memory = data.join(PATH_FILE);
    if let Some(stored) = stored(data) {
        return Ok(stored);
    }
    let chosen = match run_as {
        Some(_) if !is_reachable_by_all(data) => outside(data),
        _ => data.join("postgres"),
    };
    if chosen.exists() {
        // No data folder refers to it, so its password is lost.
        check_owner(&chosen, run_as)?;
        stale::clear(&chosen.join("data"))?;
        fs::remove_dir_all(&chosen)?;
    }
    fs::create_dir(&chosen).with_context(|| format!("can't create {}", chosen.display()))?;
    if let Some(run_as) = run_as {
        chown(&chosen, Some(run_as.user), Some(run_as.group))?;
        if !chosen.starts_with(data) {
            println!("Postgres' user can't reach {}, so the cluster is in {}", data.display(), chosen.display());
        }
    }
    fs::set_permissions(&chosen, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    write_private(&memory, &format!("{}\n", chosen.display()))?;
    Ok(chosen)
}

/// Returns the cluster folder that a data folder refers to, if it exists.
pub(crate) fn stored(data: &Path) -> Option<PathBuf> {
    let path = PathBuf::from(fs::read_to_string(data.join(PATH_FILE)).ok()?.trim());
    let ours = path == data.join("postgres") || path == outside(data);
    (ours && path.is_dir()).then_some(path)
}

fn outside(data: &Path) -> PathBuf {
    let digest = digest::digest(&digest::SHA256, data.as_os_str().as_encoded_bytes());
    Path::new("/var/tmp").join(format!("lethe-{}", HEXLOWER.encode(&digest.as_ref()[..8])))
}

/// Whether this folder and all folders above it may be traversed by every user.
fn is_reachable_by_all(folder: &Path) -> bool {
    folder.ancestors().all(|folder| fs::metadata(folder).is_ok_and(|metadata| metadata.mode() & 0o001 != 0))
}

fn check_owner(folder: &Path, run_as: Option<&RunAs>) -> Result<()> {
    let owner = fs::symlink_metadata(folder)?.uid();
    let expected = run_as.map_or_else(|| Uid::effective().as_raw(), |run_as| run_as.user);
    if owner != expected {
        bail!("{} exists and belongs to another user", folder.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_location_depends_only_on_the_data_folder() {
        assert_eq!(outside(Path::new("/root/a")), outside(Path::new("/root/a")));
        assert_ne!(outside(Path::new("/root/a")), outside(Path::new("/root/b")));
    }

    #[test]
    fn private_folder_is_not_reachable() {
        let folder = std::env::temp_dir().join(format!("xtask-private-{}", std::process::id()));
        fs::create_dir(&folder).expect("it is new");
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("it is ours");
        assert!(!is_reachable_by_all(&folder));
        fs::remove_dir(&folder).expect("it exists");
        assert!(is_reachable_by_all(Path::new("/usr")));
    }
}
