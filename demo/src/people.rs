//! Who lives in the demonstration: people made from a number, the same ones every time.
//! Knows nothing of databases or of Clerk.

use ring::digest;

/// One of the two products of the sample application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Posts, comments and preferences, found by the author's Clerk id.
    Blog,
    /// Projects down to datasets, keys and logs, found by `user_id`.
    Lab,
}

impl Product {
    /// The word for it in metadata and on the sign-in page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blog => "blog",
            Self::Lab => "lab",
        }
    }
}

/// A made-up person. Two calls with one index give equal people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The number that the person is made from, counted from 0.
    pub index: usize,
    /// The Clerk user id: `user_` and 27 characters.
    pub id: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// A unique address at example.org, in small letters.
    pub email: String,
    /// What the person uses.
    pub products: &'static [Product],
}

impl Person {
    /// First and last name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name)
    }

    /// Whether the person uses `product`.
    #[must_use]
    pub fn uses(&self, product: Product) -> bool {
        self.products.contains(&product)
    }
}

/// The person with this number. 0 is Ada Lovelace of the blog, 1 is Grace Hopper of the lab;
/// from there on even numbers use the blog, odd ones the lab and every fourth (3, 7, …) both.
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
    Person {
        index,
        id: format!(
            "user_{}",
            base62(digest::digest(&digest::SHA256, format!("northwind/{index}").as_bytes()).as_ref())
        ),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        email,
        products: match index % 4 {
            3 => &[Product::Blog, Product::Lab],
            1 => &[Product::Lab],
            _ => &[Product::Blog],
        },
    }
}

/// The first `count` people.
pub fn people(count: usize) -> impl Iterator<Item = Person> {
    (0..count).map(person)
}

/// 27 characters as they follow the prefix in Clerk's ids.
pub(crate) fn base62(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    bytes.iter().take(27).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
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
