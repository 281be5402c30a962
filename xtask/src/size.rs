//! `cargo xtask size`: how many bytes a first visit transfers to a browser that accepts brotli.

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;

use crate::build::Build;
use crate::build::assets::{Assets, kilobytes};
use crate::cluster::{Cluster, Durability};
use crate::data_folder::DataFolder;
use crate::http;
use crate::ports::Ports;
use crate::stack::{Sample, Stack};
use crate::workspace::Workspace;

/// The limit for a first visit in bytes, without the font.
pub(crate) const BUDGET: usize = 120_000;

/// Arguments of `cargo xtask size`.
#[derive(Debug, Args)]
pub(crate) struct Size {
    /// Prints JSON only.
    #[arg(long)]
    json: bool,
}

/// Transferred bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FirstLoad {
    pub(crate) html_signed_out: usize,
    pub(crate) html_signed_in: usize,
    pub(crate) wasm: usize,
    pub(crate) javascript: usize,
    pub(crate) css: usize,
    /// The larger page and everything it loads, without the font.
    pub(crate) total: usize,
    pub(crate) budget: usize,
    pub(crate) font: usize,
}

impl Size {
    pub(crate) fn run(self, workspace: &Workspace) -> Result<()> {
        let programs = Build::start(workspace, true)?.finish()?;
        let data = DataFolder::temporary("size")?;
        let cluster = Cluster::start(&data, Durability::None)?;
        let sample = Sample { people: 4, rows_per_person: 4 };
        let stack = Stack::start(workspace, &programs, data, cluster, Ports::free()?, sample)?;
        let load = FirstLoad::measure(workspace, &stack)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&load)?);
        } else {
            load.print();
        }
        load.check()
    }
}

impl FirstLoad {
    /// Requests everything that a browser would.
    pub(crate) fn measure(workspace: &Workspace, stack: &Stack) -> Result<Self> {
        let assets = Assets::read(&workspace.site())?;
        let url = stack.url();
        let clerk = stack.clerk();
        let user_id = clerk.user_ids(1)?.pop().context("the Clerk stand-in has no users")?;
        let bearer = format!("Bearer {}", clerk.sign_in(&user_id)?);
        let compressed = |path: &str| transferred(&format!("{url}{path}"), None);
        let html_signed_out = compressed("/")?;
        let html_signed_in = transferred(&format!("{url}/"), Some(&bearer))?;
        let wasm = compressed(&format!("/pkg/{}_bg.wasm", assets.output_name))?;
        let javascript = compressed(&format!("/pkg/{}.js", assets.output_name))?;
        let css = compressed(&assets.style)?;
        let font = match &assets.font {
            Some(font) => http::get(&format!("{url}{font}"), &[])?.body.len(),
            None => 0,
        };
        Ok(Self {
            html_signed_out,
            html_signed_in,
            wasm,
            javascript,
            css,
            total: html_signed_out.max(html_signed_in) + wasm + javascript + css,
            budget: BUDGET,
            font,
        })
    }

    /// Prints a table.
    pub(crate) fn print(&self) {
        println!("\nA first visit transfers, as brotli:");
        for (name, bytes) in [
            ("HTML, signed out", self.html_signed_out),
            ("HTML, signed in", self.html_signed_in),
            ("WASM", self.wasm),
            ("JavaScript", self.javascript),
            ("CSS", self.css),
            ("Total, with the larger page", self.total),
            ("  budget", self.budget),
            ("Font, not included", self.font),
        ] {
            println!("  {name:<34} {:>7.1} kB", kilobytes(bytes));
        }
    }

    /// Returns an error if the total exceeds the budget.
    pub(crate) fn check(&self) -> Result<()> {
        if self.total > self.budget {
            bail!(
                "a first visit transfers {:.1} kB, but the budget is {:.1} kB",
                kilobytes(self.total),
                kilobytes(self.budget)
            );
        }
        Ok(())
    }
}

/// Returns the body size of one response, which must be compressed with brotli.
fn transferred(url: &str, authorization: Option<&str>) -> Result<usize> {
    // Not requested as a document: a development instance of Clerk would first redirect a new visitor to itself and
    // back.
    let mut headers = vec![("accept-encoding", "br"), ("accept", "text/html,*/*"), ("sec-fetch-dest", "empty")];
    headers.extend(authorization.map(|value| ("authorization", value)));
    let response = http::get(url, &headers)?;
    if response.status != 200 {
        bail!("{url} returned {}", response.status);
    }
    if response.encoding.as_deref() != Some("br") {
        bail!("{url} is not compressed with brotli, but with {:?}", response.encoding);
    }
    Ok(response.body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn font_is_not_counted() {
        let load = FirstLoad {
            html_signed_out: 1,
            html_signed_in: 2,
            wasm: 3,
            javascript: 4,
            css: 5,
            total: BUDGET,
            budget: BUDGET,
            font: 40_000,
        };
        assert!(load.check().is_ok());
        assert!(FirstLoad { total: BUDGET + 1, ..load }.check().is_err());
    }
}
