//! What a process uses: its resident memory and its time on the processors.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Resident memory in MiB.
pub(super) fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    in_mebibytes(&status).context("the kernel tells no VmRSS")
}

/// Milliseconds that a process has spent on the processors, in itself and in the kernel. Unlike requests a second, this
/// doesn't depend on what else the machine does.
pub(super) fn processor_ms(process: u32) -> Result<f64> {
    let line = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks(&line).context("the kernel tells no processor time")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the kernel tells no length of a tick")?;
    Ok(ticks * 1e3 / f64::from(u32::try_from(per_second)?))
}

/// The name of the program, which may hold anything, stands in parentheses; eleven fields after it come the times.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some(next()? + next()?)
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

    #[test]
    fn the_times_are_found_behind_any_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(line), Some(300.0));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
