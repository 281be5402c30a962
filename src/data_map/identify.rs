//! Addresses of a person in columns that the map names.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::address::AddressKind;
use super::resolved::{Resolved, ResolvedPath};
use super::sql::{self, BindParams as _};
use crate::identifiers::Identifiers;

impl Resolved {
    /// Adds the addresses in the person's own rows of the subjects, except those that a row of somebody else has in the same column.
    /// Does nothing where no rows are found by addresses.
    pub(crate) async fn identify(
        &self,
        connection: &mut PgConnection,
        identifiers: Identifiers,
    ) -> Result<Identifiers, sqlx::Error> {
        if !self.finds_rows_by_address() {
            return Ok(identifiers);
        }
        let mut identified = identifiers.clone();
        for (index, table) in self.tables.enumerate() {
            for (column, kind) in &table.address_columns {
                let (name, own) = (&table.quoted_name, self.owned_rows(index, "t"));
                let same = format!("{} = {}", kind.normal_form("other", column), kind.normal_form("t", column));
                let others = self.owned_rows(index, "other");
                let query = format!(
                    "SELECT DISTINCT t.{column}::text FROM {name} AS t WHERE t.{column} IS NOT NULL AND {own} \
                     AND NOT EXISTS (SELECT FROM {name} AS other WHERE {same} AND ({others}) IS NOT TRUE)"
                );
                let query = sql::query_scalar::<String>(self.row_sets(&query).before(&query));
                let query = query.bind_params(&self.parameters, &identifiers, OffsetDateTime::UNIX_EPOCH);
                let addresses = query.fetch_all(&mut *connection).await?;
                identified = match kind {
                    AddressKind::Email => identified.with_email_addresses(addresses),
                    AddressKind::Phone => identified.with_phone_numbers(addresses),
                };
            }
        }
        Ok(identified)
    }

    fn finds_rows_by_address(&self) -> bool {
        let mut owners = self.tables.iter().flat_map(|table| &table.owners);
        owners.any(|owner| matches!(owner.path, ResolvedPath::Address { .. }))
    }
}
