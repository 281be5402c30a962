//! The resident memory of a process.

use std::fs;

use anyhow::{Context, Result};

/// Resident memory in MiB.
pub(super) fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    in_mebibytes(&status).context("the kernel tells no VmRSS")
}

fn in_mebibytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(super::load::rounded(f64::from(kibibytes) / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        assert_eq!(in_mebibytes("Name:\tlethe\nVmRSS:\t   20480 kB\n"), Some(20.0));
        assert_eq!(in_mebibytes("Name:\tlethe\n"), None);
    }
}
