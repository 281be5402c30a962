//! The only place where text becomes SQL. Identifiers come from the catalog and are quoted here; values are always
//! bound.
//!
//! In every statement on personal rows `$1` is the person's Clerk user id, `$2` the time, `$3` and `$4` are their e-mail addresses and
//! phone numbers, and the values that the map writes follow from `$5`.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::{Query, QueryScalar};
use time::OffsetDateTime;

use crate::identifiers::Identifiers;

/// Quotes an identifier, whatever characters it contains.
pub(crate) fn quote_identifier(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Returns a query for a statement that consists of quoted identifiers and text of this crate.
///
/// It isn't cached: another map makes the same text with other parameters, and a cached statement would refuse them.
pub(crate) fn query<'a>(text: String) -> Query<'a, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(text)).persistent(false)
}

/// The same for a statement that returns one column.
pub(crate) fn query_scalar<'a, Value>(text: String) -> QueryScalar<'a, Postgres, Value, PgArguments>
where
    (Value,): for<'row> sqlx::FromRow<'row, sqlx::postgres::PgRow>,
{
    sqlx::query_scalar(AssertSqlSafe(text)).persistent(false)
}

/// The values of the map that statements bind from `$5` on.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<String>);

impl Parameters {
    /// Adds a value and returns the number of its parameter.
    pub(super) fn add(&mut self, value: &str) -> usize {
        self.0.push(value.to_owned());
        self.next() - 1
    }

    /// Returns the number of the first parameter after these.
    pub(crate) const fn next(&self) -> usize {
        const BOUND_BEFORE: usize = 4;
        BOUND_BEFORE + self.0.len() + 1
    }

    /// Returns the values in the order of their numbers.
    pub(crate) fn values(&self) -> &[String] {
        &self.0
    }
}

/// Binds the parameters of every statement on personal rows.
pub(crate) trait BindParams {
    fn bind_params(self, parameters: &Parameters, subject: &Identifiers, now: OffsetDateTime) -> Self;
}

impl BindParams for Query<'_, Postgres, PgArguments> {
    fn bind_params(self, parameters: &Parameters, subject: &Identifiers, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.user_id().as_str().to_owned()).bind(now);
        let query = query.bind(subject.email_addresses().to_vec()).bind(subject.phone_numbers().to_vec());
        parameters.values().iter().fold(query, |query, value| query.bind(value.clone()))
    }
}

impl<Value> BindParams for QueryScalar<'_, Postgres, Value, PgArguments> {
    fn bind_params(self, parameters: &Parameters, subject: &Identifiers, now: OffsetDateTime) -> Self {
        let query = self.bind(subject.user_id().as_str().to_owned()).bind(now);
        let query = query.bind(subject.email_addresses().to_vec()).bind(subject.phone_numbers().to_vec());
        parameters.values().iter().fold(query, |query, value| query.bind(value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::quote_identifier;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote_identifier("plain"), r#""plain""#);
        assert_eq!(quote_identifier(r#"a"; drop table users; --"#), r#""a""; drop table users; --""#);
    }
}
