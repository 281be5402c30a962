//! The people of the demonstration: those of the Clerk stand-in, each with one or both products of the sample
//! application. Must not know databases.

pub use clerk_stand_in::people::Person;

/// A product of the sample application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Posts, comments and preferences, found by the author's Clerk id.
    Blog,
    /// Projects down to datasets, keys and logs, found by `user_id`.
    Lab,
}

impl Product {
    /// The product's name in the public metadata and on the sign-in page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Lab => "lab",
        }
    }

    /// The products of the person with this number: even numbers use the blog, odd ones the lab, and every fourth
    /// person (3, 7, …) both.
    #[must_use]
    pub const fn of(index: usize) -> &'static [Self] {
        match index % 4 {
            3 => &[Self::Blog, Self::Lab],
            1 => &[Self::Lab],
            _ => &[Self::Blog],
        }
    }
}

/// The person with this number: 0 is Ada Lovelace of the blog, 1 is Grace Hopper of the lab.
///
/// The products are in the public metadata, as an application would store them there: keys that other writers must
/// preserve.
///
/// ```
/// let grace = lethe_demo::people::person(1);
/// assert_eq!(grace.name(), "Grace Hopper");
/// assert_eq!(grace.public_metadata["products"][0], "lab");
/// ```
#[must_use]
pub fn person(index: usize) -> Person {
    let mut person = clerk_stand_in::people::person(index);
    let products: Vec<&str> = Product::of(index).iter().map(|product| product.name()).collect();
    person.public_metadata.insert("products".to_owned(), products.into());
    person
}

/// The first `count` people.
pub fn people(count: usize) -> impl Iterator<Item = Person> {
    (0..count).map(person)
}
