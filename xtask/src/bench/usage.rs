//! The memory and CPU time of a process.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Returns the resident memory in MiB.
pub(super) fn resident(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    in_mebibytes(&status).context("/proc has no VmRSS")
}

/// Returns the CPU time of a process in milliseconds, user and system. Unlike requests per second, it doesn't depend on
/// what else runs on the machine.
pub(super) fn processor_ms(process: u32) -> Result<f64> {
    let line = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let ticks = ticks(&line).context("/proc has no CPU time")?;
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the system has no clock tick length")?;
    Ok(ticks * 1e3 / f64::from(u32::try_from(per_second)?))
}

/// The program's name is in parentheses and may contain anything; the times come after eleven more fields.
fn ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok().map(f64::from);
    Some(next()? + next()?)
}

fn in_mebibytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u32 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(super::report::rounded(f64::from(kibibytes) / 1024.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_in_mebibytes() {
        assert_eq!(in_mebibytes("Name:\tlethe\nVmRSS:\t   20480 kB\n"), Some(20.0));
        assert_eq!(in_mebibytes("Name:\tlethe\n"), None);
    }

    #[test]
    fn cpu_times_are_found_after_any_program_name() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 1 1 1";
        assert_eq!(ticks(line), Some(300.0));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
