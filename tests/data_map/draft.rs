//! Drafts of data maps, generated from a schema.

use lethe::data_map::{self, DataMap, Error};
use lethe_demo::testing::Database;

use crate::support::{SAMPLE, only};

#[tokio::test]
async fn draft_of_the_sample_application_is_valid_and_matches() {
    let database = Database::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let draft = data_map::draft(&mut connection, None).await.unwrap();
    let map = DataMap::parse(&draft).unwrap();
    data_map::resolve(&map, &mut connection).await.unwrap();
    let written = DataMap::parse(SAMPLE).unwrap();
    let mut drafted: Vec<(&str, &str, bool)> =
        map.tables().iter().map(|rule| (rule.name.as_str(), rule.owner.column(), rule.subject)).collect();
    let mut expected: Vec<(&str, &str, bool)> =
        written.tables().iter().map(|rule| (rule.name.as_str(), rule.owner.column(), rule.subject)).collect();
    drafted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(drafted, expected);
    assert!(draft.contains("DECIDE: rows can be stamped here"));
    assert!(draft.contains("secret_hash"));
    assert!(draft.contains("# [[purpose]]") && map.purposes().is_none(), "the operator decides what users are asked");
}

#[tokio::test]
async fn draft_marks_what_needs_a_decision() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, handle text UNIQUE); \
         CREATE TABLE notes (id bigint PRIMARY KEY, people_id bigint REFERENCES people, \"in reply\nto\" bigint REFERENCES notes); \
         CREATE TABLE newsletter (email text)",
    )
    .await;
    let mut connection = database.pool().acquire().await.unwrap();
    let lost = data_map::draft(&mut connection, None).await.unwrap();
    assert!(lost.contains("DECIDE: no table with a unique text column"));
    let draft = data_map::draft(&mut connection, Some("public.people")).await.unwrap();
    assert!(draft.contains("DECIDE: \"public.newsletter\" has a column \"email\""), "{draft}");
    let map = DataMap::parse(&draft).unwrap();
    let Err(Error::Mismatch(found)) = data_map::resolve(&map, &mut connection).await else { panic!("{draft}") };
    assert_eq!(found.len(), 1, "{found:#?}");
    let decided = format!("{draft}\n[[ignore]]\nname = \"public.newsletter\"\nreason = \"imprint only\"\n");
    data_map::resolve(&DataMap::parse(&decided).unwrap(), &mut connection).await.unwrap();
}
