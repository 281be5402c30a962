//! `lethe doctor`: checks an installation. Each check is one line, and the checks are independent: a setting that is missing
//! hides only what needs it.
//!
//! The checks change nothing except for a small file in the archive store, which is deleted again. No mail is sent, and
//! nothing is written to the database.

mod clerk;
mod installation;
mod report;
mod resources;
mod settings;
mod timeout;

use futures::join;

use super::exit::Exit;
use super::output;
use crate::config::{ConfigError, ServerConfig, Values};
pub(super) use clerk::ensure_one_instance;
use report::CheckResult;
use timeout::with_timeout;

pub(super) async fn run(loaded: Result<Values, ConfigError>, as_json: bool) -> anyhow::Result<Exit> {
    let results = match loaded {
        Ok(values) => Box::pin(run_checks(values)).await,
        Err(error) => config_results(error.0),
    };
    if as_json {
        output::print_json(&report::json_document(&results))?;
    } else {
        report::print(&results);
    }
    Ok(report::exit(&results))
}

async fn run_checks(mut values: Values) -> Vec<CheckResult> {
    ServerConfig::read(&mut values);
    let mut results = config_results(values.take_problems());
    results.extend(values.warnings().iter().map(|warning| {
        CheckResult::warning("secret_files", warning.clone(), "let only the process's user read the file (chmod 600)")
    }));
    results.extend(settings::check_settings(&values));
    // One after the other: both find out what is between them and the database, and beside each other they could keep a pooler's
    // sessions apart.
    let database = async {
        let mut results = resources::check_database(&values).await;
        if results.first().is_some_and(CheckResult::is_ok) {
            results.extend(installation::check_installation(&values).await);
        }
        results
    };
    let (clerk, database, mail, storage) = join!(
        clerk::check_clerk(&values),
        database,
        with_timeout("mail", resources::check_mail(&values)),
        with_timeout("store", resources::check_storage(&values)),
    );
    results.extend(clerk);
    results.extend(database);
    results.extend([mail, storage, resources::check_export_folder(&values), resources::check_site(&values)]);
    results
}

/// Returns a line per problem. The configuration words problems as "NAME is …; it must be …".
fn config_results(problems: Vec<String>) -> Vec<CheckResult> {
    if problems.is_empty() {
        return vec![CheckResult::ok(report::SETTINGS, "all required settings are present and valid")];
    }
    let result = |problem: String| match problem.split_once("; ") {
        Some((message, accepted)) => {
            CheckResult::wrong(report::SETTINGS, message, format!("{accepted} (see docs/configuration.md)"))
        }
        None => CheckResult::wrong(report::SETTINGS, problem, "correct the configuration (see docs/configuration.md)"),
    };
    problems.into_iter().map(result).collect()
}
