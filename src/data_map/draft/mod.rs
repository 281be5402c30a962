//! Writes a first map from a live schema: it infers whose the rows of each table are, says on what evidence, and leaves what it
//! can't know as a question. A question has no default: until it is settled, `lethe map check` refuses the map.

mod candidate;
mod entry_text;
mod evidence;
mod infer;
mod inference;
mod question;
mod questions;
mod writer;

use sqlx::PgConnection;

use super::catalog::{self, PgCatalog};
use super::error::{Error, Problems};
use super::index::RelationIndex;
pub use evidence::SAMPLE_ROWS;
pub(super) use evidence::{Evidence, Values};
use inference::Inference;
pub use question::{Draft, MOST_COUNTED_ROWS, Question};

/// How a map is drafted.
#[derive(Clone, Debug, Default)]
pub struct DraftOptions {
    /// The table that holds the users, for example `public.users`. Without it, every table with a unique text column that is named
    /// like a user id, or that holds Clerk user ids, is taken.
    pub subject: Option<String>,
    /// Whether values are looked at: at most [`SAMPLE_ROWS`] rows of each table.
    pub sample: bool,
}

/// Writes a map for the live schema.
///
/// # Errors
/// Where the named subject doesn't exist, and where the database can't be read.
pub async fn draft(connection: &mut PgConnection, options: &DraftOptions) -> Result<Draft, Error> {
    let catalog = catalog::read(connection).await?;
    if let Some(subject) = &options.subject
        && catalog.relations_named(subject).is_empty()
    {
        let mut problems = Problems::default();
        problems.add_for_table(
            subject,
            "the database has no such table",
            "Name the table with its schema: public.users",
        );
        return Err(problems.into_error());
    }
    let evidence = if options.sample { Evidence::read(&catalog, connection).await? } else { Evidence::default() };
    let inference = infer::infer(&catalog, &evidence, options.subject.as_deref());
    Ok(writer::write(&catalog, &inference))
}

/// Returns the question about a table without an entry.
pub(super) fn undecided_entry(catalog: &PgCatalog, relation: RelationIndex) -> String {
    let mut draft = Draft::default();
    questions::ask_about_table(&mut draft, catalog, &Inference::default(), relation);
    draft.text
}
