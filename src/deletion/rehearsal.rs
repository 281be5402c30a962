//! An erasure that is rolled back: what would happen, found out by trying.

use sqlx::{Connection as _, PgConnection};

use super::erasure::{TableResult, erase_and_observe};
use super::side_effects::SideEffect;
use super::verification::{Leftover, verify};
use crate::Result;
use crate::data_map::Resolved;
use crate::identifiers::Identifiers;
use crate::platform::connection;

/// What an erasure did before it was rolled back.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// What the map's rules did.
    pub results: Vec<TableResult>,
    /// What triggers, rules and foreign keys did beside them.
    pub side_effects: Vec<SideEffect>,
    /// What should have gone, and was there afterwards.
    pub leftovers: Vec<Leftover>,
}

/// Erases the person's rows and rolls that back. Fails as the erasure would. Rows are locked meanwhile, and what doesn't belong to the
/// transaction happens: sequences advance, and triggers that call other systems call them.
pub async fn rehearse(resolved: &Resolved, connection: &mut PgConnection, subject: &Identifiers) -> Result<Rehearsal> {
    let mut transaction = connection.begin().await?;
    let now = connection::now(&mut transaction).await?;
    let subject = resolved.identify(&mut transaction, subject.clone()).await?;
    let erasure = erase_and_observe(resolved, &mut transaction, &subject, now).await?;
    let leftovers = verify(resolved, &mut transaction, &subject).await?;
    transaction.rollback().await?;
    Ok(Rehearsal { results: erasure.results, side_effects: erasure.side_effects, leftovers })
}
