//! Typed indices: the position of a mapped table can't be taken for that of a relation.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Index, IndexMut};

/// A position in one kind of list.
pub(crate) trait Position: Copy {
    fn new(position: usize) -> Self;
    fn get(self) -> usize;
}

macro_rules! positions {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(usize);

        impl Position for $name {
            fn new(position: usize) -> Self {
                Self(position)
            }

            fn get(self) -> usize {
                self.0
            }
        }
    )+};
}

positions! {
    /// A table of the map, in the order of the file.
    TableIndex;
    /// A relation of the catalog.
    RelationIndex;
    /// A foreign key of the catalog.
    ForeignKeyIndex;
}

/// A list whose elements are found by `I` alone.
#[derive(Debug)]
pub(crate) struct IndexedVec<I, T> {
    items: Vec<T>,
    index: PhantomData<I>,
}

impl<I: Position, T> IndexedVec<I, T> {
    pub(crate) fn indices(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.items.len()).map(I::new)
    }

    pub(crate) fn enumerate(&self) -> impl DoubleEndedIterator<Item = (I, &T)> + Clone {
        self.items.iter().enumerate().map(|(position, item)| (I::new(position), item))
    }

    pub(crate) fn position(&self, is_wanted: impl FnMut(&T) -> bool) -> Option<I> {
        self.items.iter().position(is_wanted).map(I::new)
    }
}

impl<I: Position, T> Index<I> for IndexedVec<I, T> {
    type Output = T;

    fn index(&self, index: I) -> &T {
        &self.items[index.get()]
    }
}

impl<I: Position, T> IndexMut<I> for IndexedVec<I, T> {
    fn index_mut(&mut self, index: I) -> &mut T {
        &mut self.items[index.get()]
    }
}

impl<I, T> DerefMut for IndexedVec<I, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<I, T> Deref for IndexedVec<I, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<I, T> FromIterator<T> for IndexedVec<I, T> {
    fn from_iter<Items: IntoIterator<Item = T>>(items: Items) -> Self {
        Self { items: items.into_iter().collect(), index: PhantomData }
    }
}

impl<I, T> IntoIterator for IndexedVec<I, T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}
