//! The map's file, which is the state of `lethe init`.

use std::path::PathBuf;

use anyhow::Context;
use lethe::data_map::{self, Choice, DataMap, Error, Problem, Question};
use sqlx::PgConnection;

/// The map, as it stands in its file.
pub(super) struct MapFile {
    pub(super) path: PathBuf,
    text: String,
}

impl MapFile {
    /// Reads the file, or writes the draft where there is none.
    pub(super) fn read_or_create(path: PathBuf, draft: &str) -> anyhow::Result<Self> {
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

    pub(super) fn open_questions<'a>(&self, questions: &'a [Question]) -> impl Iterator<Item = &'a Question> {
        questions.iter().filter(|question| question.is_open(&self.text))
    }

    pub(super) fn settle(&mut self, question: &Question, choice: &Choice, input: &str) -> anyhow::Result<()> {
        self.text = question.settle(&self.text, choice, input);
        self.write()
    }

    /// Returns the problems that the map has, and about which it can be asked. None while it isn't valid: the check says why.
    pub(super) async fn open_problems(&self, connection: &mut PgConnection) -> anyhow::Result<Vec<Problem>> {
        let Ok(map) = DataMap::parse(&self.text) else { return Ok(Vec::new()) };
        let mut problems = match data_map::resolve(&map, connection).await {
            Ok(_) => Vec::new(),
            Err(Error::Mismatch(problems)) => problems,
            Err(error) => return Err(error.into()),
        };
        problems.retain(|problem| {
            let first = problem.choices.first();
            first.is_some_and(|choice| data_map::amend(&self.text, problem, choice, "").is_ok_and(|map| map.is_some()))
        });
        Ok(problems)
    }

    /// Adds a choice to the entry of the problem's table.
    pub(super) fn amend(&mut self, problem: &Problem, choice: &Choice, input: &str) -> anyhow::Result<()> {
        if let Some(amended) = data_map::amend(&self.text, problem, choice, input)? {
            self.text = amended;
            self.write()?;
        }
        Ok(())
    }
}
