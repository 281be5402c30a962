//! `lethe doctor`: is this installation set up well? Every check is a line, and the lines stand side by side: a setting
//! that is missing hides nothing but what needs it.
//!
//! The checks change nothing but a small file in the store, which is deleted again; no mail is sent, nothing is written
//! to the database.

mod clerk;
mod keys;
mod places;
mod report;

use std::future::Future;
use std::time::Duration;

use futures::join;

use super::{Finding, output};
use crate::settings::{Settings, SettingsError, Values};
use report::Line;

/// How long one check may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn run(loaded: Result<Values, SettingsError>, as_json: bool) -> anyhow::Result<Finding> {
    let lines = match loaded {
        Ok(values) => Box::pin(examine(values)).await,
        Err(error) => setting_lines(error.0),
    };
    if as_json {
        output::json(&report::document(&lines))?;
    } else {
        report::print(&lines);
    }
    Ok(report::finding(&lines))
}

async fn examine(mut values: Values) -> Vec<Line> {
    Settings::read(&mut values);
    let mut lines = setting_lines(values.take_problems());
    lines.extend(keys::lines(&values));
    let (clerk, database, mail, store) = join!(
        clerk::lines(&values),
        places::database(&values),
        in_time("mail", places::mail(&values)),
        in_time("store", places::store(&values)),
    );
    lines.extend(clerk);
    lines.extend(database);
    lines.extend([mail, store, places::site(&values)]);
    lines
}

/// A line a problem. What the settings say of themselves has the form "NAME is …; it must be …".
fn setting_lines(problems: Vec<String>) -> Vec<Line> {
    if problems.is_empty() {
        return vec![Line::ok(report::SETTINGS, "every required setting is there, and each can be read")];
    }
    let line = |problem: String| match problem.split_once("; ") {
        Some((message, accepted)) => Line::wrong(report::SETTINGS, message, format!("{accepted} (README, Settings)")),
        None => Line::wrong(report::SETTINGS, problem, "correct it where the settings come from (README, Settings)"),
    };
    problems.into_iter().map(line).collect()
}

async fn in_time(check: &'static str, line: impl Future<Output = Line>) -> Line {
    tokio::time::timeout(PATIENCE, line).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} seconds", PATIENCE.as_secs());
        Line::wrong(check, message, "see whether the address and the port are right, and whether a firewall is between")
    })
}
