//! Runs the load generator `wrk`.

use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use super::report::rounded;
use super::usage;
use crate::process;
use crate::stack::Stack;
use crate::{interrupt, progress};

/// The request that `wrk` repeats.
#[derive(Debug)]
pub(super) struct Request<'a> {
    /// The name in the progress output.
    pub(super) name: &'a str,
    pub(super) path: &'a str,
    /// The JSON body of a POST request, as a Lua expression; `None` for a GET request.
    pub(super) body: Option<&'a str>,
    /// Session tokens, used in rotation; if empty, requests are anonymous.
    pub(super) tokens: &'a [String],
    pub(super) connections: u32,
    pub(super) seconds: u32,
}

/// The measurements of one run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// CPU time of the server per request.
    pub(super) processor_ms: f64,
    /// Responses with a status of 400 or above, and failed connections.
    pub(super) errors: u64,
}

/// Repeats a request for its duration and calls `watch` ten times a second.
pub(super) fn run(stack: &Stack, request: &Request<'_>, mut watch: impl FnMut()) -> Result<Load> {
    let script = stack.folder().join("load.lua");
    fs::write(&script, lua(stack, request))?;
    progress::stage(request.name, || {
        let before = usage::processor_ms(stack.server_id())?;
        let mut command = Command::new("wrk");
        command
            .args(["--threads", "1", "--timeout", "10s"])
            .args(["--connections", &request.connections.to_string()])
            .args(["--duration", &format!("{}s", request.seconds)])
            .arg("--script")
            .arg(&script)
            .arg(stack.url());
        let mut command = process::with_death_signal(&command, "TERM", None);
        let mut child = process::spawn(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()))?;
        let ended = wait(&mut child, &mut watch);
        if ended.is_err() {
            let _ = child.kill();
        }
        let output = child.wait_with_output()?;
        ended?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut load = parse(&text, request.connections).with_context(|| format!("wrk printed:\n{text}"))?;
        load.set_processor_time(usage::processor_ms(stack.server_id())? - before);
        if load.requests == 0 || load.errors * 100 > load.requests {
            bail!("{} of {} requests failed", load.errors, load.requests);
        }
        Ok(load)
    })
}

fn wait(child: &mut Child, watch: &mut impl FnMut()) -> Result<()> {
    while child.try_wait()?.is_none() {
        watch();
        interrupt::pause(100)?;
    }
    Ok(())
}

fn lua(stack: &Stack, request: &Request<'_>) -> String {
    let tokens: Vec<String> = request.tokens.iter().map(|token| format!("\"Bearer {token}\"")).collect();
    let (method, body) = match request.body {
        Some(body) => ("POST", body),
        None => ("GET", "nil"),
    };
    format!(
        r#"
local tokens = {{ {tokens} }}
local headers = {{
  ["Accept"] = "text/html,application/json",
  ["Accept-Encoding"] = "br, gzip",
  ["Content-Type"] = "application/json",
  ["Origin"] = "{origin}",
  ["Sec-Fetch-Site"] = "same-origin",
}}
local count = 0
request = function()
  count = count + 1
  headers["Authorization"] = tokens[count % #tokens + 1]
  return wrk.format("{method}", "{path}", headers, {body})
end
done = function(summary, latency)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout + errors.status
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), broken))
end
"#,
        tokens = tokens.join(", "),
        origin = stack.url(),
        path = request.path,
    )
}

fn parse(output: &str, connections: u32) -> Result<Load> {
    let line = output.lines().find_map(|line| line.strip_prefix("RESULT ")).context("no result")?;
    let numbers: Vec<u32> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, microseconds, p50, p99, errors] = numbers[..] else {
        bail!("not five numbers");
    };
    Ok(Load {
        connections,
        requests: requests.into(),
        requests_per_second: rounded(f64::from(requests) * 1e6 / f64::from(microseconds.max(1))),
        p50_ms: f64::from(p50) / 1e3,
        p99_ms: f64::from(p99) / 1e3,
        processor_ms: 0.0,
        errors: errors.into(),
    })
}

impl Load {
    #[expect(clippy::cast_precision_loss, reason = "a run has far fewer than 2^53 requests")]
    fn set_processor_time(&mut self, milliseconds: f64) {
        self.processor_ms = (milliseconds / self.requests.max(1) as f64 * 1e3).round() / 1e3;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_line_is_parsed() {
        let mut load = parse("Running 10s test\nRESULT 20000 10000000 1500 9000 3\n", 32).expect("it has a result");
        load.set_processor_time(10_000.0);
        assert!((load.processor_ms - 0.5).abs() < 0.001);
        assert_eq!((load.requests, load.errors), (20_000, 3));
        assert!((load.requests_per_second - 2000.0).abs() < 0.1);
        assert!((load.p99_ms - 9.0).abs() < 0.001);
        assert!(parse("Running 10s test\n", 1).is_err());
    }
}
