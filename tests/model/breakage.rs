//! Maps that are wrong in one way, each of which must be refused.

mod apply;
mod references;

use crate::generator::{Case, Random};
use crate::map::Map;

/// A way to break a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breakage {
    MissingEntry,
    SecondEntry,
    UnknownTable,
    NoSubject,
    AmbiguousSubject,
    UnknownOwner,
    OwnerOfWrongType,
    PathToUnmappedTable,
    PathWithoutKey,
    CircularPath,
    UnknownColumn,
    MissingReference,
    ReferenceWithoutTarget,
    ReferenceByOwnerId,
    DetachedNotNull,
    DetachedOwner,
    DetachedKey,
    DeletionInCircle,
    DeletionUnderStayingRows,
    LeadingUnownedRows,
    ScrubbedUserId,
    NullIntoNotNull,
    ConstantIntoUnique,
    ScrubbedKey,
    UndecidedColumn,
    StampedText,
    StampedNotNull,
    OutlivedParent,
    OverwrittenOwner,
    IgnoredChild,
}

impl Breakage {
    pub(crate) const ALL: [Self; 30] = [
        Self::MissingEntry,
        Self::SecondEntry,
        Self::UnknownTable,
        Self::NoSubject,
        Self::AmbiguousSubject,
        Self::UnknownOwner,
        Self::OwnerOfWrongType,
        Self::PathToUnmappedTable,
        Self::PathWithoutKey,
        Self::CircularPath,
        Self::UnknownColumn,
        Self::MissingReference,
        Self::ReferenceWithoutTarget,
        Self::ReferenceByOwnerId,
        Self::DetachedNotNull,
        Self::DetachedOwner,
        Self::DetachedKey,
        Self::DeletionInCircle,
        Self::DeletionUnderStayingRows,
        Self::LeadingUnownedRows,
        Self::ScrubbedUserId,
        Self::NullIntoNotNull,
        Self::ConstantIntoUnique,
        Self::ScrubbedKey,
        Self::UndecidedColumn,
        Self::StampedText,
        Self::StampedNotNull,
        Self::OutlivedParent,
        Self::OverwrittenOwner,
        Self::IgnoredChild,
    ];

    /// Returns parts of messages of which the refusal must have one, so that it isn't refused for another reason.
    pub(crate) const fn messages(self) -> &'static [&'static str] {
        match self {
            Self::MissingEntry => &["the map has no entry for", "which has no rule", "there is no [[subject]]"],
            Self::SecondEntry => &["already has an entry"],
            Self::UnknownTable => &["the database has no such table"],
            Self::NoSubject => &["there is no [[subject]]"],
            Self::AmbiguousSubject => &["the key of a subject isn't unique"],
            Self::UnknownOwner | Self::UnknownColumn => &["names a column that the table doesn't have"],
            Self::OwnerOfWrongType => &["can't hold a Clerk user id"],
            Self::PathToUnmappedTable => &["which has no rule"],
            Self::PathWithoutKey => &[
                "no foreign key leads from here",
                "these types can't be compared",
                "no foreign key says which column",
                "says that the values are those of",
            ],
            Self::CircularPath => &["is a cycle and never reaches", "says that the values are those of"],
            Self::ScrubbedUserId => &["of somebody who doesn't own the row"],
            Self::MissingReference => &["other people's rows may reference", "of somebody who doesn't own the row"],
            Self::ReferenceWithoutTarget => &["no foreign key leads from here to a mapped table"],
            Self::ReferenceByOwnerId => &["can't hold the person's Clerk user id there"],
            Self::DetachedNotNull => &["so rows can't be detached"],
            Self::DetachedOwner => &["rows without an owner could no longer be found"],
            Self::DetachedKey => &["other rows reference this column, so it can't become NULL"],
            Self::DeletionInCircle => &["leads back to it in a cycle"],
            Self::DeletionUnderStayingRows => &["that they may reference are deleted with the person's"],
            Self::LeadingUnownedRows => &["the scrub takes the owner away from rows that stay"],
            Self::NullIntoNotNull => &["is NOT NULL and can't be set to NULL"],
            Self::ConstantIntoUnique => &["the column is unique, so a second person"],
            Self::ScrubbedKey => &["so it can't be overwritten"],
            Self::UndecidedColumn => &["doesn't say what becomes of this column"],
            Self::StampedText => &["can't hold a time"],
            Self::StampedNotNull => &["must be NULL until a row is stamped"],
            Self::OutlivedParent => &["but the rows of"],
            Self::OverwrittenOwner => &["without an owner", "takes the owner away", "its rows are deleted after"],
            Self::IgnoredChild => &["the table is ignored, but its foreign key"],
        }
    }
}

/// Returns so many maps, each broken in one way.
pub(crate) fn break_map(case: &Case, count: usize) -> Vec<(Breakage, Map)> {
    let mut random = Random::new(!case.seed);
    let mut breakages = Breakage::ALL;
    random.shuffle(&mut breakages);
    let broken =
        breakages.into_iter().filter_map(|breakage| Some((breakage, apply::apply(breakage, case, &mut random)?)));
    broken.take(count).collect()
}
