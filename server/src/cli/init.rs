//! `lethe init`: drafts the data map and asks what the draft can't know, one question at a time.
//!
//! The map's file is the state: a question is open as long as its comment stands there. So it can be left at any time, answered by
//! hand, and resumed.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::num::NonZeroU32;
use std::path::PathBuf;

use anyhow::{Context, bail};
use lethe::connection::TimeLimits;
use lethe::data_map::{self, Choice, DraftOptions, Input, MOST_COUNTED_ROWS, Question};
use serde_json::json;
use sqlx::PgConnection;

use super::exit::Exit;
use super::output;
use crate::bootstrap;
use crate::config::{DatabaseConfig, Section, Values, data};

/// How a map is begun.
pub(super) struct Options {
    pub(super) draft: DraftOptions,
    pub(super) decisions: Vec<Decision>,
}

/// A decision that was given as an option: `public.posts=1` or `public.logs=2=only addresses of servers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    question: String,
    number: usize,
    input: String,
}

/// What somebody entered.
enum Entered {
    Choice(usize),
    Later,
    Quit,
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
    let mut map = MapFile::read_or_create(path, &draft.text)?;
    for decision in &options.decisions {
        map.settle_by(decision, &draft.questions)?;
    }
    if as_json {
        return print_open(&map, &draft.questions, &mut connection).await;
    }
    if options.decisions.is_empty() {
        ask_all(&mut map, &draft.questions, &mut connection, &mut std::io::stdin().lock()).await?;
    }
    drop(connection);
    database.close().await;
    let open = map.open_questions(&draft.questions).count();
    println!("{}: {}", map.path.display(), counted(open, "open question"));
    if open > 0 {
        println!("Run `lethe init` again to go on, or answer them in the file.");
        return Ok(Exit::Attention);
    }
    super::map::check(values, false, false).await
}

/// The map, as it stands in its file.
struct MapFile {
    path: PathBuf,
    text: String,
}

impl MapFile {
    /// Reads the file, or writes the draft where there is none.
    fn read_or_create(path: PathBuf, draft: &str) -> anyhow::Result<Self> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let file = Self { path, text: draft.to_owned() };
                file.write()?;
                Ok(file)
            }
            Err(error) => Err(error).with_context(|| format!("{} can't be read", path.display())),
        }
    }

    /// Replaces the file at once, so that whatever happens one whole version is there.
    fn write(&self) -> anyhow::Result<()> {
        let temporary = self.path.with_extension("toml.new");
        let written = std::fs::write(&temporary, &self.text).and_then(|()| std::fs::rename(&temporary, &self.path));
        written.with_context(|| format!("{} can't be written", self.path.display()))
    }

    fn open_questions<'a>(&self, questions: &'a [Question]) -> impl Iterator<Item = &'a Question> {
        questions.iter().filter(|question| question.is_open(&self.text))
    }

    fn settle(&mut self, question: &Question, choice: &Choice, input: &str) -> anyhow::Result<()> {
        self.text = question.settle(&self.text, choice, input);
        self.write()
    }

    fn settle_by(&mut self, decision: &Decision, questions: &[Question]) -> anyhow::Result<()> {
        let Decision { question: id, number, input } = decision;
        let Some(question) = self.open_questions(questions).find(|question| question.id == *id) else {
            bail!("there is no open question {id:?}; `lethe init --json` lists them");
        };
        let Some(choice) = number.checked_sub(1).and_then(|index| question.choices.get(index)) else {
            bail!("the question {id:?} has {}", counted(question.choices.len(), "answer"));
        };
        if choice.input.is_some() && input.is_empty() {
            bail!("the answer {number} to {id:?} needs {}: {id}={number}=TEXT", needed(choice.input));
        }
        self.settle(question, choice, input)
    }
}

/// Asks every open question, until somebody stops or the input ends.
async fn ask_all(
    map: &mut MapFile,
    questions: &[Question],
    connection: &mut PgConnection,
    input: &mut impl BufRead,
) -> anyhow::Result<()> {
    let open: Vec<&Question> = map.open_questions(questions).collect();
    if !open.is_empty() {
        println!("{} about {}. Every answer is written at once.", counted(open.len(), "question"), map.path.display());
    }
    for (position, question) in open.iter().enumerate() {
        println!("\n{} of {}: {}", position + 1, open.len(), describe(question, connection).await);
        for (index, choice) in question.choices.iter().enumerate() {
            let rows = question.rows_of(choice, connection).await.ok().flatten();
            let rows = rows.map(|rows| format!(" ({})", counted_rows(rows))).unwrap_or_default();
            println!("  {}  {}{rows}", index + 1, choice.description);
        }
        match read_choice(question.choices.len(), input)? {
            Entered::Quit => return Ok(()),
            Entered::Later => {}
            Entered::Choice(index) => {
                let choice = &question.choices[index];
                let Some(text) = read_input(choice.input, input)? else { return Ok(()) };
                map.settle(question, choice, &text)?;
            }
        }
    }
    Ok(())
}

async fn describe(question: &Question, connection: &mut PgConnection) -> String {
    match question.rows(connection).await {
        Ok(rows) => format!("{} ({})\n{}", question.id, counted_rows(rows), question.prompt()),
        Err(_) => format!("{} (rows can't be counted)\n{}", question.id, question.prompt()),
    }
}

fn read_choice(choices: usize, input: &mut impl BufRead) -> anyhow::Result<Entered> {
    loop {
        let Some(line) = read_line("Number, s to decide later, q to stop: ", input)? else { return Ok(Entered::Quit) };
        match (line.as_str(), line.parse::<usize>()) {
            ("s", _) => return Ok(Entered::Later),
            ("q", _) => return Ok(Entered::Quit),
            (_, Ok(number)) if (1..=choices).contains(&number) => return Ok(Entered::Choice(number - 1)),
            _ => println!("Enter a number from 1 to {choices}, s or q."),
        }
    }
}

/// Reads what a choice needs. Returns `None` if the input ends.
fn read_input(needed_input: Option<Input>, input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    if needed_input.is_none() {
        return Ok(Some(String::new()));
    }
    loop {
        let prompt = format!("It needs {}: ", needed(needed_input));
        match read_line(&prompt, input)? {
            Some(line) if line.is_empty() => {}
            line => return Ok(line),
        }
    }
}

/// Returns the next line without spaces around it, or `None` at the end.
fn read_line(prompt: &str, input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    print!("{prompt}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    Ok((input.read_line(&mut line)? > 0).then(|| line.trim().to_owned()))
}

async fn print_open(map: &MapFile, questions: &[Question], connection: &mut PgConnection) -> anyhow::Result<Exit> {
    let mut open = Vec::new();
    for question in map.open_questions(questions) {
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

const fn needed(input: Option<Input>) -> &'static str {
    match input {
        Some(Input::Reason) => "a reason",
        Some(Input::Values) => "the values, separated by commas",
        None => "nothing",
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn counted_rows(rows: u64) -> String {
    if rows >= u64::from(MOST_COUNTED_ROWS) {
        return format!("at least {MOST_COUNTED_ROWS} rows");
    }
    counted(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}
