//! The data map against a reference model: random schemas, rows and maps are exported and erased on a real Postgres, and by
//! a model that works in memory and is short enough to be read as the definition. Both must agree to the byte.
//!
//! | Variable | Meaning |
//! |---|---|
//! | `LETHE_MODEL_CASES` | how many cases are tried |
//! | `LETHE_MODEL_SEED` | the seed of the only case that is tried |
//! | `LETHE_MODEL_LANGUAGE` | `2` writes every map in the second language, and not only every other one |

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

mod breakage;
mod compare;
mod ddl;
mod generator;
mod map;
mod map_file;
mod model;
mod property;
mod schema;
mod tally;
mod value;
mod worker;
