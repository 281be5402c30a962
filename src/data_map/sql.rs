//! The one place where text becomes SQL. Identifiers come from the catalog, never from a person,
//! and are quoted here; values are always bound.

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::{Query, QueryScalar};

/// Quotes an identifier of the catalog, whatever it holds.
pub(crate) fn quote_identifier(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// A statement that was put together from quoted identifiers and the words of this crate.
pub(crate) fn query<'a>(text: String) -> Query<'a, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(text))
}

/// The same for a statement that answers one value a row.
pub(crate) fn query_scalar<'a, Value>(text: String) -> QueryScalar<'a, Postgres, Value, PgArguments>
where
    (Value,): for<'row> sqlx::FromRow<'row, sqlx::postgres::PgRow>,
{
    sqlx::query_scalar(AssertSqlSafe(text))
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
