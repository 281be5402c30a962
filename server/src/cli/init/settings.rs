//! The file of settings that `lethe init` begins beside the data map.

use std::fs::OpenOptions;
use std::io::{BufRead, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use data_encoding::BASE64;
use lethe::Random;

use super::prompt;
use crate::config::{self, Setting, SettingDoc, Values, docs};

/// The name of the file, unless another is given. It stands beside the map.
const FILE_NAME: &str = "lethe.toml";

/// The file's owner may read and write it: it has secrets.
const MODE: u32 = 0o600;

/// A file that was written.
pub(super) struct NewSettings {
    pub(super) path: PathBuf,
    /// The names of settings that are required and still missing.
    pub(super) missing: Vec<&'static str>,
}

/// Returns the file to offer, if none is in use, and there is none yet.
pub(super) fn offered(values: &Values, map: &Path) -> Option<PathBuf> {
    let path = map.parent().unwrap_or(Path::new("")).join(FILE_NAME);
    (!values.has_file() && !path.exists()).then_some(path)
}

/// Writes what is set, and a new secret, into a new file. With an `input`, asks for what is required and not set. A file that exists is
/// an error.
pub(super) fn begin(
    values: &Values,
    path: &Path,
    map: &Path,
    input: Option<&mut impl BufRead>,
) -> anyhow::Result<NewSettings> {
    if path.exists() {
        bail!("{} exists; it is left as it is", path.display());
    }
    let map = std::path::absolute(map).context("the folder of the data map can't be found")?;
    let secret = BASE64.encode(&Random::system().bytes::<32>());
    let known = |setting: &Setting| match setting.name {
        "LETHE_DATA_MAP" => Some(map.display().to_string()),
        "LETHE_SECRET" => Some(values.given(setting).map_or_else(|| secret.clone(), str::to_owned)),
        _ => values.given(setting).map(str::to_owned),
    };
    let mut missing: Vec<&SettingDoc> =
        config::settings().filter(|doc| doc.is_required && known(&doc.setting).is_none()).collect();
    let entered = match input {
        Some(input) => prompt::ask_for_settings(&missing, input)?,
        None => Vec::new(),
    };
    let text = docs::settings_file(&|setting| {
        let entered = entered.iter().find(|(name, _)| *name == setting.name);
        entered.map(|(_, text)| text.clone()).or_else(|| known(setting))
    });
    missing.retain(|doc| entered.iter().all(|(name, _)| *name != doc.setting.name));
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} can't be written", path.display()))?;
    let missing = missing.iter().map(|doc| doc.setting.name).collect();
    Ok(NewSettings { path: path.to_owned(), missing })
}
