//! The receipt: what was asked for, what was done, and where the audit log says so. It opens
//! without an account, by a code that nobody can guess, and names nobody.

use serde_json::Value;
use time::OffsetDateTime;

use super::plan::{Plan, PlanLine};
use super::runner::progress;
use super::{Progress, TableResult};
use crate::{Error, ErrorCode, Lethe, Random, Result};

/// What opens a receipt: 20 characters of Crockford's base 32 in groups of four, 100 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiptCode(String);

/// No `I`, `L`, `O` and `U`: they are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl ReceiptCode {
    pub(super) fn generate(random: &Random) -> Self {
        let bytes: [u8; 20] = random.bytes();
        let characters = bytes.map(|byte| char::from(ALPHABET[usize::from(byte % 32)]));
        let groups: Vec<String> = characters.chunks(4).map(|group| group.iter().collect()).collect();
        Self(groups.join("-"))
    }

    /// Takes what comes from the database.
    pub(crate) const fn from_database(code: String) -> Self {
        Self(code)
    }

    /// Reads what a person may have typed: small letters are taken for capitals, and the letters
    /// that are misread for the digits they look like.
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        let read: String = text
            .trim()
            .chars()
            .filter(|character| *character != '-')
            .map(|character| match character.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect();
        if read.len() != 20 || !read.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Err(ErrorCode::NotFound);
        }
        let groups: Vec<&str> = (0..5).map(|group| &read[group * 4..group * 4 + 4]).collect();
        Ok(Self(groups.join("-")))
    }

    /// As it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for ReceiptCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ReceiptCode(..)")
    }
}

/// A receipt.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// What opens it.
    pub code: ReceiptCode,
    /// When the deletion was asked for.
    pub requested_at: OffsetDateTime,
    /// By when it must be done (GDPR 12(3)).
    pub due_at: OffsetDateTime,
    /// When it was done.
    pub finished_at: Option<OffsetDateTime>,
    /// How far each step is.
    pub progress: Progress,
    /// What was to be done.
    pub plan: Plan,
    /// What was done, a line a table; empty before the step for the application's data.
    pub results: Vec<TableResult>,
    /// The position of the last entry in the audit log and the log's length then; `None` before.
    pub log_position: Option<(u64, u64)>,
}

/// Opens the receipt of `code`.
pub async fn receipt(lethe: &Lethe, code: &ReceiptCode) -> Result<Receipt> {
    let row = sqlx::query!(
        r#"select request.id, request.requested_at, request.due_at, request.finished_at, request.plan, request.results,
            link.position as "position?", (select max(position) from lethe.audit_link) as "length"
        from lethe.deletion_request request
        left join lethe.audit_link link on link.entry_id = request.audit_entry_id
        where request.receipt_code = $1"#,
        code.as_str(),
    )
    .fetch_optional(&lethe.database)
    .await?
    .ok_or(ErrorCode::NotFound)?;
    let unreadable = |_| Error::Internal("a stored plan is unreadable");
    let plan: Plan = serde_json::from_value(row.plan).map_err(unreadable)?;
    let mut results: Vec<TableResult> =
        serde_json::from_value(row.results.unwrap_or(Value::Array(Vec::new()))).map_err(unreadable)?;
    sort_by_plan(&plan, &mut results);
    Ok(Receipt {
        code: code.clone(),
        requested_at: row.requested_at,
        due_at: row.due_at,
        finished_at: row.finished_at,
        progress: progress(lethe, row.id).await?,
        plan,
        results,
        log_position: row
            .position
            .zip(row.length)
            .map(|(position, length)| (position.unsigned_abs(), length.unsigned_abs())),
    })
}

/// Results come in the order in which they were done; people compare them with what they were shown.
fn sort_by_plan(plan: &Plan, results: &mut [TableResult]) {
    let place = |result: &TableResult| {
        let is_its_line = |line: &PlanLine| line.table == result.table && line.others == result.others;
        plan.lines.iter().position(is_its_line).unwrap_or(usize::MAX)
    };
    results.sort_by_key(place);
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::*;

    #[test]
    fn results_stand_where_the_plan_had_them() {
        let line = |table: &str, others| PlanLine {
            table: table.to_owned(),
            label: table.to_owned(),
            rows: 1,
            outcome: Outcome::Deleted,
            others,
        };
        let done = |table: &str, others| TableResult {
            table: table.to_owned(),
            label: table.to_owned(),
            rows: 1,
            outcome: Outcome::Deleted,
            others,
            purge_due: None,
        };
        let lines = vec![line("users", false), line("posts", false), line("comments", false), line("comments", true)];
        let plan = Plan { lines, ..Plan::unknown(OffsetDateTime::UNIX_EPOCH) };
        let mut results = [("new", false), ("comments", true), ("comments", false), ("posts", false), ("users", false)]
            .map(|(table, others)| done(table, others));
        sort_by_plan(&plan, &mut results);
        let order = results.each_ref().map(|result| (result.table.as_str(), result.others));
        assert_eq!(
            order,
            [("users", false), ("posts", false), ("comments", false), ("comments", true), ("new", false)]
        );
    }

    #[test]
    fn a_code_survives_being_typed() {
        let code = ReceiptCode::generate(&Random::system());
        assert_eq!(code.as_str().len(), 24);
        assert_eq!(ReceiptCode::parse(code.as_str()), Ok(code.clone()));
        assert_eq!(ReceiptCode::parse(&format!(" {} ", code.as_str().to_lowercase().replace('-', ""))), Ok(code));
        let misread = ReceiptCode::parse("OIL0-1111-0000-ZZZZ-9999").unwrap();
        assert_eq!(misread.as_str(), "0110-1111-0000-ZZZZ-9999");
        for wrong in ["", "short", "UUUU-0000-0000-0000-0000", "é000-0000-0000-0000-000"] {
            assert_eq!(ReceiptCode::parse(wrong), Err(ErrorCode::NotFound), "{wrong}");
        }
    }
}
