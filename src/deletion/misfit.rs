//! Tells a data map that doesn't fit the database, which has an alert of its own, from rows that refuse what a fitting map says.

use crate::{Error, Lethe, Result, data_map};

/// Returns the error if it is that the map doesn't fit the database, and not that rows refuse what a fitting map says.
pub(super) async fn map_error<'a>(lethe: &Lethe, error: &'a Error) -> Result<Option<&'a data_map::Error>> {
    let Error::Map(error @ data_map::Error::Mismatch(_)) = error else { return Ok(None) };
    let fits = data_map::resolve(&lethe.data_map, &mut *lethe.database.acquire().await?).await.is_ok();
    Ok((!fits).then_some(error))
}
