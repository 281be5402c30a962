//! `lethe doctor`: is this installation set up well? Every check is a line, and the lines stand side by side: a setting
//! that is missing hides nothing but what needs it.
//!
//! The checks change nothing but a small file in the store, which is deleted again; no mail is sent, nothing is written
//! to the database.

mod clerk;
mod report;
mod resources;
mod settings;

use std::future::Future;
use std::time::Duration;

use futures::join;

use super::{Exit, output};
use crate::config::{ConfigError, ServerConfig, Values};
use report::CheckResult;

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn run(loaded: Result<Values, ConfigError>, as_json: bool) -> anyhow::Result<Exit> {
    let lines = match loaded {
        Ok(values) => Box::pin(run_checks(values)).await,
        Err(error) => config_results(error.0),
    };
    if as_json {
        output::print_json(&report::json_document(&lines))?;
    } else {
        report::print(&lines);
    }
    Ok(report::exit(&lines))
}

async fn run_checks(mut values: Values) -> Vec<CheckResult> {
    ServerConfig::read(&mut values);
    let mut lines = config_results(values.take_problems());
    lines.extend(settings::check_settings(&values));
    let (clerk, database, mail, store) = join!(
        clerk::check_clerk(&values),
        resources::check_database(&values),
        with_timeout("mail", resources::check_mail(&values)),
        with_timeout("store", resources::check_storage(&values)),
    );
    lines.extend(clerk);
    lines.extend(database);
    lines.extend([mail, store, resources::check_site(&values)]);
    lines
}

/// A line a problem. What the settings say of themselves has the form "NAME is …; it must be …".
fn config_results(problems: Vec<String>) -> Vec<CheckResult> {
    if problems.is_empty() {
        return vec![CheckResult::ok(report::SETTINGS, "every required setting is there, and each can be read")];
    }
    let line = |problem: String| match problem.split_once("; ") {
        Some((message, accepted)) => {
            CheckResult::wrong(report::SETTINGS, message, format!("{accepted} (README, Settings)"))
        }
        None => {
            CheckResult::wrong(report::SETTINGS, problem, "correct it where the settings come from (README, Settings)")
        }
    };
    problems.into_iter().map(line).collect()
}

async fn with_timeout(check: &'static str, line: impl Future<Output = CheckResult>) -> CheckResult {
    tokio::time::timeout(CHECK_TIMEOUT, line).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} seconds", CHECK_TIMEOUT.as_secs());
        CheckResult::wrong(
            check,
            message,
            "see whether the address and the port are right, and whether a firewall is between",
        )
    })
}
