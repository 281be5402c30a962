//! The languages of maps.

/// The language that a map is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Without `version`: tables about which the map says nothing are refused where names or foreign keys suggest people.
    First,
    /// `version = 2`: every table has an entry, or is ignored with a reason.
    Second,
}
