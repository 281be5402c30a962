//! Asks one question on the terminal.

use std::io::{BufRead, Write};

use lethe::data_map::{Choice, Input, MOST_COUNTED_ROWS, Question};
use sqlx::PgConnection;

use crate::config::SettingDoc;

/// What somebody entered.
enum Entered {
    Choice(usize),
    Later,
    Quit,
}

/// What became of a question.
pub(super) enum Asked<'a> {
    /// A choice, and what it needs beside.
    Decided(&'a Choice, String),
    Later,
    Quit,
}

/// Prints a question with its choices, and reads what is decided.
pub(super) async fn ask<'a>(
    heading: &str,
    question: &'a Question,
    connection: &mut PgConnection,
    input: &mut impl BufRead,
) -> anyhow::Result<Asked<'a>> {
    println!("\n{heading}: {}", describe(question, connection).await);
    for (index, choice) in question.choices.iter().enumerate() {
        let rows = question.rows_of(choice, connection).await.ok().flatten();
        let rows = rows.map(|rows| format!(" ({})", counted_rows(rows))).unwrap_or_default();
        println!("  {}  {}{rows}", index + 1, choice.description);
    }
    Ok(match read_choice(question.choices.len(), input)? {
        Entered::Quit => Asked::Quit,
        Entered::Later => Asked::Later,
        Entered::Choice(index) => {
            let choice = &question.choices[index];
            read_input(choice.input, input)?.map_or(Asked::Quit, |text| Asked::Decided(choice, text))
        }
    })
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
pub(super) fn read_line(prompt: &str, input: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    print!("{prompt}");
    std::io::stdout().flush()?;
    let mut line = String::new();
    Ok((input.read_line(&mut line)? > 0).then(|| line.trim().to_owned()))
}

/// Asks for each setting. What is left empty isn't among those that are returned.
pub(super) fn ask_for_settings(
    settings: &[&SettingDoc],
    input: &mut impl BufRead,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let mut entered = Vec::new();
    if !settings.is_empty() {
        println!("Settings that Lethe needs. Leave one empty to set it later.");
    }
    for doc in settings {
        let description = doc.description.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(text) = read_line(&format!("\n{description}\n{}: ", doc.setting.name), input)? else { break };
        if !text.is_empty() {
            entered.push((doc.setting.name, text));
        }
    }
    Ok(entered)
}

pub(super) const fn needed(input: Option<Input>) -> &'static str {
    match input {
        Some(Input::Reason) => "a reason",
        Some(Input::Values) => "the values, separated by commas",
        None => "nothing",
    }
}

pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn counted_rows(rows: u64) -> String {
    if rows >= u64::from(MOST_COUNTED_ROWS) {
        return format!("at least {MOST_COUNTED_ROWS} rows");
    }
    counted(usize::try_from(rows).unwrap_or(usize::MAX), "row")
}
