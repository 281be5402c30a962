//! `cargo xtask reset`: ends a demo and deletes its data.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use nix::sys::signal::{Signal, kill};

use crate::workspace::Workspace;
use crate::{cluster, data_folder, interrupt, process, run};

/// What `cargo xtask reset` is asked.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Where the data is kept [default: .lethe in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
}

impl Reset {
    pub(crate) fn work(self, workspace: &Workspace) -> Result<()> {
        let folder = std::path::absolute(run::data_folder(workspace, self.data_dir))?;
        if !folder.exists() {
            println!("{} does not exist; there is nothing to clear.", folder.display());
            return Ok(());
        }
        if !data_folder::is_data_folder(&folder) {
            bail!("{} was not made by `cargo xtask run`, so it stays", folder.display());
        }
        let asked = Instant::now();
        if let Some(id) = data_folder::user_of(&folder) {
            let _ = kill(process::process_id(id), Signal::SIGTERM);
        }
        while let Some(id) = data_folder::user_of(&folder) {
            if asked.elapsed() > Duration::from_mins(1) {
                bail!("process {id} uses {} and does not end", folder.display());
            }
            interrupt::pause(100)?;
        }
        cluster::remove(&folder)?;
        fs::remove_dir_all(&folder)?;
        println!("{} is cleared.", folder.display());
        Ok(())
    }
}
