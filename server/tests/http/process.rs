//! The real binary as a child process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A lease has to run out and the queue has to notice, while other tests run too.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(150);

/// The binary with the settings of a test, and nothing else from this process's environment.
pub(crate) fn lethe(environment: &[(&'static str, String)], directory: &Path, arguments: &[&str]) -> Command {
    Process::command(env!("CARGO_BIN_EXE_lethe"), environment, directory, arguments)
}

/// A serving child that doesn't outlive its test.
pub(crate) struct Process(Child);

impl Process {
    /// A command of this or another binary, with the settings of a test.
    pub(crate) fn command(
        program: &str,
        environment: &[(&'static str, String)],
        directory: &Path,
        arguments: &[&str],
    ) -> Command {
        let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        command
    }

    pub(crate) async fn serve(environment: &[(&'static str, String)], directory: &Path, url: &str) -> Self {
        Self::serve_with(env!("CARGO_BIN_EXE_lethe"), environment, directory, url).await
    }

    pub(crate) async fn serve_with(
        program: &str,
        environment: &[(&'static str, String)],
        directory: &Path,
        url: &str,
    ) -> Self {
        let mut server = Self(Self::command(program, environment, directory, &["serve"]).spawn().unwrap());
        let started = std::time::Instant::now();
        while reqwest::get(format!("{url}/readyz")).await.is_err() {
            let ended = server.0.try_wait().unwrap();
            let log = || std::fs::read_to_string(directory.join("log")).unwrap_or_default();
            assert!(ended.is_none() && started.elapsed() < PROCESS_TIMEOUT, "it doesn't start: {}", log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        server
    }

    /// SIGKILL: no destructor runs, no connection is closed properly.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// A worker without HTTP, which the caller waits for by what it does.
    pub(crate) fn work(environment: &[(&'static str, String)], directory: &Path) -> Self {
        Self(lethe(environment, directory, &["work"]).spawn().unwrap())
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGTERM: asks it to stop. Answers whether it ended well.
    pub(crate) async fn stop(mut self) -> bool {
        self.signal("-TERM");
        let mut ended = None;
        wait_until("it stops", async || {
            ended = self.0.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        ended.is_some_and(|status| status.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PROCESS_TIMEOUT, waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
