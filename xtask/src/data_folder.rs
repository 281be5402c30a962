//! The data folder of a demo: the private cluster, secrets, logs and the files of its processes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use data_encoding::{BASE64, HEXLOWER};
use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;
use ring::rand::{SecureRandom, SystemRandom};

const MARKER: &str = "lethe-data";
const LEAST_FREE_MIB: u64 = 256;

/// A data folder, locked by this process until it is dropped.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    temporary: bool,
    _lock: File,
}

impl DataFolder {
    /// Opens a data folder, or creates it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path)?;
        let is_new = !path.join(MARKER).exists();
        if is_new && path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            bail!("{} has other files in it; --data-dir must name a new or empty folder", path.display());
        }
        fs::create_dir_all(path.join("logs"))
            .with_context(|| format!("can't create the data folder {}", path.display()))?;
        for folder in ["inbox", "storage"] {
            fs::create_dir_all(path.join(folder))?;
        }
        // As root the cluster belongs to another user, who must be able to traverse the folder, but not to list it.
        let mode = if Uid::effective().is_root() { 0o711 } else { 0o700 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        for folder in ["inbox", "logs", "storage"] {
            fs::set_permissions(path.join(folder), fs::Permissions::from_mode(0o700))?;
        }
        let lock = lock(&path)?;
        check_space(&path, LEAST_FREE_MIB)?;
        Ok(Self { path, temporary: false, _lock: lock })
    }

    /// Creates a data folder that is deleted when this value is dropped. `purpose` is part of its name.
    pub(crate) fn temporary(purpose: &str) -> Result<Self> {
        // Not in the target folder: if this program runs as root, Postgres' user often can't reach that.
        Self::temporary_in(&std::env::temp_dir(), purpose)
    }

    /// Like [`Self::temporary`], but on disk even if temporary files are in memory.
    pub(crate) fn temporary_on_disk(purpose: &str) -> Result<Self> {
        Self::temporary_in(Path::new("/var/tmp"), purpose)
    }

    fn temporary_in(parent: &Path, purpose: &str) -> Result<Self> {
        let mut folder = Self::open(&parent.join(format!("lethe-{purpose}-{}", std::process::id())))?;
        folder.temporary = true;
        Ok(folder)
    }

    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is deleted when this value is dropped.
    pub(crate) fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// Returns the path of a process's log file.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.path.join("logs").join(format!("{name}.log"))
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write_secret(&self, name: &str, content: &str) -> Result<()> {
        write_private(&self.path.join(name), content)
    }

    /// Returns the secrets of this folder, generated at the first call.
    pub(crate) fn secrets(&self) -> Result<Secrets> {
        let path = self.path.join("secrets.env");
        if let Ok(text) = fs::read_to_string(&path) {
            return Secrets::parse(&text)
                .with_context(|| format!("{} is damaged; `cargo xtask reset` creates a new one", path.display()));
        }
        let secrets = Secrets::generate();
        write_private(&path, &secrets.to_text())?;
        Ok(secrets)
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Returns the ID of the process that has locked a data folder, if any.
pub(crate) fn locked_by(path: &Path) -> Option<u32> {
    let lock = File::open(path.join(MARKER)).ok()?;
    match lock.try_lock() {
        Ok(()) => None,
        Err(_) => fs::read_to_string(path.join(MARKER)).ok()?.trim().parse().ok(),
    }
}

/// Whether a folder was created by [`DataFolder::open`].
pub(crate) fn is_data_folder(path: &Path) -> bool {
    path.join(MARKER).is_file()
}

fn lock(path: &Path) -> Result<File> {
    let mut lock = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path.join(MARKER))?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0)?;
            writeln!(lock, "{}", std::process::id())?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => bail!(
            "another `cargo xtask` uses {} (process {}); stop it, or choose another folder with --data-dir",
            path.display(),
            fs::read_to_string(path.join(MARKER)).unwrap_or_default().trim()
        ),
        Err(TryLockError::Error(error)) => Err(error).context("can't lock the data folder"),
    }
}

fn check_space(path: &Path, least: u64) -> Result<()> {
    let system = statvfs(path)?;
    let free = system.blocks_available() * system.fragment_size() / (1024 * 1024);
    if free < least {
        bail!("the disk is full: {free} MiB are free at {}, {least} MiB are needed", path.display());
    }
    Ok(())
}

/// Writes a file with mode 600, whatever it was before.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("can't write {}", path.display()))?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content.as_bytes())?;
    Ok(())
}

/// Secrets that must stay the same between runs.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secrets {
    pub(crate) postgres_password: String,
    pub(crate) clerk_secret_key: String,
    pub(crate) webhook_secret: String,
    pub(crate) lethe_secret: String,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Secrets")
    }
}

impl Secrets {
    fn generate() -> Self {
        Self {
            postgres_password: HEXLOWER.encode(&random::<24>()),
            clerk_secret_key: format!("sk_test_{}", HEXLOWER.encode(&random::<20>())),
            webhook_secret: format!("whsec_{}", BASE64.encode(&random::<24>())),
            lethe_secret: BASE64.encode(&random::<32>()),
        }
    }

    fn to_text(&self) -> String {
        format!(
            "POSTGRES_PASSWORD={}\nCLERK_SECRET_KEY={}\nCLERK_WEBHOOK_SIGNING_SECRET={}\nLETHE_SECRET={}\n",
            self.postgres_password, self.clerk_secret_key, self.webhook_secret, self.lethe_secret
        )
    }

    fn parse(text: &str) -> Result<Self> {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
                .with_context(|| format!("{name} is missing"))
        };
        Ok(Self {
            postgres_password: value("POSTGRES_PASSWORD")?,
            clerk_secret_key: value("CLERK_SECRET_KEY")?,
            webhook_secret: value("CLERK_WEBHOOK_SIGNING_SECRET")?,
            lethe_secret: value("LETHE_SECRET")?,
        })
    }
}

fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    SystemRandom::new().fill(&mut bytes).expect("the kernel provides random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_survive_writing_and_reading() {
        let secrets = Secrets::generate();
        assert_eq!(Secrets::parse(&secrets.to_text()).expect("it was just written"), secrets);
        assert!(Secrets::parse("POSTGRES_PASSWORD=x\n").is_err());
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }

    #[test]
    fn data_folder_is_locked_and_private_and_its_secrets_are_stable() {
        let folder = DataFolder::temporary("folder-test").expect("there is a folder for temporary files");
        let first = folder.secrets().expect("secrets can be written");
        assert_eq!(folder.secrets().expect("secrets can be read"), first);
        let mode = fs::metadata(folder.path().join("secrets.env")).expect("it exists").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let error = DataFolder::open(folder.path()).expect_err("it is locked").to_string();
        assert!(error.contains("another `cargo xtask` uses"), "{error}");
        assert_eq!(locked_by(folder.path()), Some(std::process::id()));
    }

    #[test]
    fn full_disk_is_an_error_before_anything_is_written() {
        let folder = std::env::temp_dir();
        assert!(check_space(&folder, 0).is_ok());
        let error = check_space(&folder, u64::MAX).expect_err("no disk is that large").to_string();
        assert!(error.starts_with("the disk is full: "), "{error}");
    }

    #[test]
    fn folder_with_other_files_is_refused() {
        let path = std::env::temp_dir().join(format!("xtask-other-{}", std::process::id()));
        fs::create_dir_all(&path).expect("it is new");
        fs::write(path.join("letter.txt"), "dear").expect("it is writable");
        let error = DataFolder::open(&path).expect_err("it isn't ours").to_string();
        fs::remove_dir_all(&path).expect("it exists");
        assert!(error.contains("other files"), "{error}");
    }
}
