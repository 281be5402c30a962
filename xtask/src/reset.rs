//! `cargo xtask reset`: stops a demo and deletes its data.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use nix::sys::signal::{Signal, kill};

use crate::workspace::Workspace;
use crate::{cluster, data_folder, interrupt, process, run};

/// Arguments of `cargo xtask reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// The data folder [default: .lethe in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl Reset {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let folder = std::path::absolute(run::data_folder(workspace, self.data_dir))?;
        if !folder.exists() {
            println!("{} does not exist; nothing to delete.", folder.display());
            return Ok(());
        }
        if !data_folder::is_data_folder(&folder) {
            bail!("{} was not created by `cargo xtask run`, so it is not deleted", folder.display());
        }
        let start = Instant::now();
        if let Some(id) = data_folder::locked_by(&folder) {
            let _ = kill(process::process_id(id), Signal::SIGTERM);
        }
        while let Some(id) = data_folder::locked_by(&folder) {
            if start.elapsed() > Duration::from_mins(1) {
                bail!("process {id} uses {} and does not exit", folder.display());
            }
            interrupt::pause(100)?;
        }
        cluster::remove(&folder)?;
        fs::remove_dir_all(&folder)?;
        println!("Deleted {}.", folder.display());
        Ok(())
    }
}
