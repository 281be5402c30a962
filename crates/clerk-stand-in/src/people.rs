//! Made-up users. A person is derived from a number, so it is the same in every process and on every run.

use ring::digest;
use serde_json::{Map, Value};

use crate::ids::alphanumeric;

/// A made-up user. Two calls with the same index return equal people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number that the person is derived from, counted from 0.
    pub index: usize,
    /// The user id: `user_` and 27 characters.
    pub id: String,
    /// `first_name` of the User object.
    pub first_name: String,
    /// `last_name` of the User object.
    pub last_name: String,
    /// A unique address at example.org, in lower case.
    pub email: String,
    /// `public_metadata` of the User object.
    pub public_metadata: Map<String, Value>,
}

impl Person {
    /// First and last name, separated by a space.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }
}

/// The person with this number, without metadata: 0 is Ada Lovelace, 1 is Grace Hopper, the others are combinations of
/// first and last names.
#[must_use]
pub fn person(index: usize) -> Person {
    let (first_name, last_name, email) = match index {
        0 => ("Ada", "Lovelace", "ada@example.org".to_owned()),
        1 => ("Grace", "Hopper", "grace@example.org".to_owned()),
        _ => {
            let first = FIRST_NAMES[index % FIRST_NAMES.len()];
            let last = LAST_NAMES[index / FIRST_NAMES.len() % LAST_NAMES.len()];
            let email = format!("{}.{}.{index}@example.org", first.to_lowercase(), last.to_lowercase());
            (first, last, email)
        }
    };
    let digest = digest::digest(&digest::SHA256, format!("northwind/{index}").as_bytes());
    Person {
        index,
        id: format!("user_{}", alphanumeric(digest.as_ref())),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        email,
        public_metadata: Map::new(),
    }
}

const FIRST_NAMES: [&str; 32] = [
    "Amara", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaia", "Liam", "Mina",
    "Noor", "Oskar", "Petra", "Quentin", "Rosa", "Samir", "Tova", "Uma", "Viktor", "Wanda", "Xenia", "Yusuf", "Zora",
    "Anton", "Beate", "Cem", "Daria", "Emil", "Freya",
];

const LAST_NAMES: [&str; 40] = [
    "Abel", "Bianchi", "Curie", "Dvorak", "Eriksen", "Fontaine", "Gruber", "Haddad", "Ivanova", "Jansen", "Kowalski",
    "Lindgren", "Moreau", "Novak", "Okafor", "Pereira", "Quist", "Rossi", "Sato", "Tanaka", "Ueda", "Vogel", "Weber",
    "Yilmaz", "Zimmer", "Adler", "Berg", "Costa", "Duarte", "Engel", "Fischer", "Garcia", "Holm", "Iqbal", "Jung",
    "Keller", "Lange", "Meyer", "Nowak", "Olsen",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn people_are_the_same_on_every_call() {
        assert_eq!(person(41), person(41));
        let (ada, grace) = (person(0), person(1));
        assert_eq!((ada.name().as_str(), ada.email.as_str()), ("Ada Lovelace", "ada@example.org"));
        assert_eq!((grace.name().as_str(), grace.email.as_str()), ("Grace Hopper", "grace@example.org"));
        assert_eq!(ada.id.len(), 32);
    }

    #[test]
    fn ids_and_addresses_are_unique() {
        let people: Vec<_> = (0..20_000).map(person).collect();
        assert_eq!(people.iter().map(|person| &person.id).collect::<BTreeSet<_>>().len(), 20_000);
        assert_eq!(people.iter().map(|person| &person.email).collect::<BTreeSet<_>>().len(), 20_000);
    }
}
