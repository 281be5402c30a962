//! `lethe init`: drafts the data map and asks what the draft can't know, and then what the decisions lead to, one question at a time.
//!
//! The map's file is the state: a question is open as long as its comment stands there. So it can be left at any time, answered by
//! hand, and resumed.

mod map_file;
mod prompt;
mod settings;

use std::collections::BTreeMap;
use std::io::BufRead;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::bail;
use lethe::connection::TimeLimits;
use lethe::data_map::{self, Choice, DraftOptions, Question};
use serde_json::json;
use sqlx::PgConnection;

use self::map_file::MapFile;
use self::prompt::{Asked, counted, needed};
use self::settings::NewSettings;
use super::exit::Exit;
use super::output;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values, data};

/// How a map is begun.
pub(super) struct Options {
    pub(super) draft: DraftOptions,
    pub(super) decisions: Vec<Decision>,
    /// Where a file of settings is begun.
    pub(super) settings: Option<PathBuf>,
}

/// A decision that was given as an option: `public.posts=1` or `public.logs=2=only addresses of servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    question: String,
    number: usize,
    input: String,
}

impl std::str::FromStr for Decision {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SYNTAX: &str = "write QUESTION=NUMBER, or QUESTION=NUMBER=TEXT for a reason or values";
        let (question, rest) = text.split_once('=').ok_or(SYNTAX)?;
        let (number, input) = rest.split_once('=').unwrap_or((rest, ""));
        let number = number.trim().parse().map_err(|_| SYNTAX)?;
        Ok(Self { question: question.trim().to_owned(), number, input: input.trim().to_owned() })
    }
}

pub(super) async fn run(mut values: Values, as_json: bool, options: Options) -> anyhow::Result<Exit> {
    let config = DatabaseConfig::read(&mut values);
    let path = values.read::<PathBuf>(&data::DATA_MAP);
    let (config, path) = values.clone().finish(config.zip(path))?;
    let database = bootstrap::connect_directly(&config, NonZeroU32::MIN, TimeLimits::BATCH).await?;
    let mut connection = database.acquire().await?;
    let draft = data_map::draft(&mut connection, &options.draft).await?;
    let mut input = std::io::stdin().lock();
    let asks = !as_json && options.decisions.is_empty();
    let mut begun = match &options.settings {
        Some(file) => Some(settings::begin(&values, file, &path, asks.then_some(&mut input))?),
        None => None,
    };
    let mut map = MapFile::read_or_create(path, &draft.text)?;
    for decision in &options.decisions {
        settle(&mut map, &draft.questions, decision, &mut connection).await?;
    }
    if as_json {
        return print_open(&map, &draft.questions, &mut connection).await;
    }
    if asks && ask_all(&mut map, &draft.questions, &mut connection, &mut input).await? && begun.is_none() {
        begun = offer_settings(&values, &map.path, &mut input)?;
    }
    let mut open = map.open_questions(&draft.questions).count();
    if open == 0 {
        open = map.open_problems(&mut connection).await?.len();
    }
    drop(connection);
    database.close().await;
    if let Some(NewSettings { path, missing }) = begun {
        println!("\n{}: new. Start Lethe with LETHE_CONFIG={}", path.display(), path.display());
        if !missing.is_empty() {
            println!("It still lacks {}.", missing.join(", "));
        }
    }
    println!("{}: {}", map.path.display(), counted(open, "open question"));
    if open > 0 {
        println!("Run `lethe init` again to go on, or answer them in the file.");
        return Ok(Exit::Attention);
    }
    super::map::check(values, false, false).await
}

/// Begins a file of settings beside the map, if that is wanted and there is none.
fn offer_settings(values: &Values, map: &Path, input: &mut impl BufRead) -> anyhow::Result<Option<NewSettings>> {
    let Some(file) = settings::offered(values, map) else { return Ok(None) };
    let question =
        format!("\nBegin a file of settings, {}, with what is set, secrets included? y or n: ", file.display());
    match prompt::read_line(&question, input)?.as_deref() {
        Some("y") => settings::begin(values, &file, map, Some(input)).map(Some),
        _ => Ok(None),
    }
}

/// Asks every open question. Returns `false` if somebody stops or the input ends.
async fn ask_all(
    map: &mut MapFile,
    questions: &[Question],
    connection: &mut PgConnection,
    input: &mut impl BufRead,
) -> anyhow::Result<bool> {
    let open: Vec<&Question> = map.open_questions(questions).collect();
    if !open.is_empty() {
        println!("{} about {}. Every answer is written at once.", counted(open.len(), "question"), map.path.display());
    }
    for (position, question) in open.iter().enumerate() {
        let heading = format!("{} of {}", position + 1, open.len());
        match prompt::ask(&heading, question, connection, input).await? {
            Asked::Quit => return Ok(false),
            Asked::Later => {}
            Asked::Decided(choice, text) => map.settle(question, choice, &text)?,
        }
    }
    if map.open_questions(questions).next().is_some() {
        return Ok(true);
    }
    ask_about_problems(map, connection, input).await
}

/// Asks what the decisions so far lead to: each can settle others, or lead to further ones. Returns as [`ask_all`].
async fn ask_about_problems(
    map: &mut MapFile,
    connection: &mut PgConnection,
    input: &mut impl BufRead,
) -> anyhow::Result<bool> {
    let mut later: Vec<String> = Vec::new();
    loop {
        let problems = map.open_problems(connection).await?;
        let mut open = problems.iter().map(|problem| (problem, Question::of_problem(problem)));
        let left = problems.len().saturating_sub(later.len());
        let Some((problem, question)) = open.find(|(_, question)| !later.contains(&question.id)) else {
            return Ok(true);
        };
        match prompt::ask(&format!("{left} more"), &question, connection, input).await? {
            Asked::Quit => return Ok(false),
            Asked::Later => later.push(question.id.clone()),
            Asked::Decided(choice, text) => map.amend(problem, choice, &text)?,
        }
    }
}

/// Carries out a decision about an open question or problem.
async fn settle(
    map: &mut MapFile,
    questions: &[Question],
    decision: &Decision,
    connection: &mut PgConnection,
) -> anyhow::Result<()> {
    let is_meant = |question: &Question| question.id == decision.question;
    let open = map.open_questions(questions).find(|question| is_meant(question));
    if let Some(question) = open {
        return map.settle(question, decision.choice_of(question)?, &decision.input);
    }
    let problems = map.open_problems(connection).await?;
    let mut asked = problems.iter().map(|problem| (problem, Question::of_problem(problem)));
    let Some((problem, question)) = asked.find(|(_, question)| is_meant(question)) else {
        bail!("there is no open question {:?}; `lethe init --json` lists them", decision.question);
    };
    map.amend(problem, decision.choice_of(&question)?, &decision.input)
}

impl Decision {
    fn choice_of<'a>(&self, question: &'a Question) -> anyhow::Result<&'a Choice> {
        let Self { question: id, number, input } = self;
        let Some(choice) = number.checked_sub(1).and_then(|index| question.choices.get(index)) else {
            bail!("the question {id:?} has {}", counted(question.choices.len(), "answer"));
        };
        if choice.input.is_some() && input.is_empty() {
            bail!("the answer {number} to {id:?} needs {}: {id}={number}=TEXT", needed(choice.input));
        }
        Ok(choice)
    }
}

async fn print_open(map: &MapFile, questions: &[Question], connection: &mut PgConnection) -> anyhow::Result<Exit> {
    let mut open = Vec::new();
    let mut questions: Vec<Question> = map.open_questions(questions).cloned().collect();
    // What the decisions lead to shows once all are there.
    if questions.is_empty() {
        questions = map.open_problems(connection).await?.iter().map(Question::of_problem).collect();
    }
    for question in questions {
        let choices: Vec<_> = question
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let needs = choice.input.map(|input| needed(Some(input)));
                json!({"number": index + 1, "description": choice.description, "needs": needs})
            })
            .collect();
        let rows = question.rows(connection).await.ok();
        open.push(json!({"question": question.id, "prompt": question.prompt(), "rows": rows, "choices": choices}));
    }
    let exit = if open.is_empty() { Exit::Success } else { Exit::Attention };
    output::print_json(&BTreeMap::from([("map", json!(map.path)), ("open", json!(open))]))?;
    Ok(exit)
}
