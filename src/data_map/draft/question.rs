//! What a draft can't know, as questions with the answers that can be given, each as a part of the map's text.

use sqlx::PgConnection;

use crate::data_map::choice::Choice;
use crate::data_map::error::Problem;
use crate::data_map::sql::{self, quote_identifier};

/// Rows are counted up to this number.
pub const MOST_COUNTED_ROWS: u32 = 100_000;

/// The text of a draft, and the questions in it.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// The map's text.
    pub text: String,
    /// In the order of the text. That about purposes isn't among them.
    pub questions: Vec<Question>,
}

impl Draft {
    pub(super) fn ask(&mut self, question: Question) {
        self.text.push_str(&question.text);
        self.questions.push(question);
    }
}

/// A question of a draft. It is open as long as its text stands in the map.
#[derive(Clone, Debug)]
pub struct Question {
    /// Identifies it: the table, and the columns in question if it isn't about the whole table.
    pub id: String,
    /// The comments that ask it.
    pub text: String,
    /// What can be answered.
    pub choices: Vec<Choice>,
    quoted_table: String,
}

impl Question {
    pub(super) fn new(table: &str, quoted_table: &str, columns: &[String], text: String, choices: Vec<Choice>) -> Self {
        let id = std::iter::once(table).chain(columns.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        Self { id, text, choices, quoted_table: quoted_table.to_owned() }
    }

    /// Returns what a problem asks: which of its choices to add to the map. See [`amend`](crate::data_map::amend).
    #[must_use]
    pub fn of_problem(problem: &Problem) -> Self {
        let name = problem.table.split_once('.').unwrap_or(("public", &problem.table));
        let quoted_table = [quote_identifier(name.0), quote_identifier(name.1)].join(".");
        let column = problem.column.as_slice();
        Self::new(&problem.table, &quoted_table, column, problem.message.clone(), problem.choices.clone())
    }

    /// Returns the question itself, without the parts of the map.
    #[must_use]
    pub fn prompt(&self) -> &str {
        let first = self.text.lines().next().unwrap_or_default();
        first.trim_start_matches("# DECIDE: ")
    }

    /// Whether the map has no answer to it yet.
    #[must_use]
    pub fn is_open(&self, map: &str) -> bool {
        map.contains(&self.text)
    }

    /// Returns the map with the answer in the place of the question.
    #[must_use]
    pub fn settle(&self, map: &str, choice: &Choice, input: &str) -> String {
        map.replacen(&self.text, &choice.with_input(input), 1)
    }

    /// Counts the table's rows, up to [`MOST_COUNTED_ROWS`].
    pub async fn rows(&self, connection: &mut PgConnection) -> sqlx::Result<u64> {
        self.count("true", connection).await
    }

    /// Counts the rows that an answer is about: those with values in its columns. `None` where it is about all of them.
    pub async fn rows_of(&self, choice: &Choice, connection: &mut PgConnection) -> sqlx::Result<Option<u64>> {
        match choice.condition() {
            Some(condition) => self.count(&condition, connection).await.map(Some),
            None => Ok(None),
        }
    }

    async fn count(&self, condition: &str, connection: &mut PgConnection) -> sqlx::Result<u64> {
        let table = &self.quoted_table;
        let query = format!(
            "SELECT count(*) FROM (SELECT FROM {table} WHERE {condition} LIMIT {MOST_COUNTED_ROWS}) AS counted"
        );
        Ok(sql::query_scalar::<i64>(query).fetch_one(connection).await?.unsigned_abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_take_the_place_of_their_question() {
        let text = "# DECIDE: whose is it?\n# [[ignore]]\n".to_owned();
        let ignored = Choice::new("nobody's", "[[ignore]]\nreason = \"..\"\n").with_reason();
        let filtered = Choice::new("people's", "where = { kind = [\"..\"] }\n").with_values();
        let question = Question::new("public.a", "\"public\".\"a\"", &["b".to_owned()], text, vec![ignored, filtered]);
        let map = "version = 2\n# DECIDE: whose is it?\n# [[ignore]]\nrest\n";
        assert!(question.is_open(map) && question.prompt() == "whose is it?" && question.id == "public.a b");
        let settled = question.settle(map, &question.choices[0], " a \"log\" ");
        assert_eq!(settled, "version = 2\n[[ignore]]\nreason = \"a \\\"log\\\"\"\nrest\n");
        assert!(!question.is_open(&settled));
        let settled = question.settle(map, &question.choices[1], "user, team");
        assert_eq!(settled, "version = 2\nwhere = { kind = [\"user\", \"team\"] }\nrest\n");
    }
}
