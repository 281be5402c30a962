//! What hangs on a person, as a graph.

use lethe::data_map::{self, DataMap, Graph};

use crate::second_language::{map, table, with};

#[tokio::test]
async fn graph_has_owners_mentions_and_references() {
    let database = with("CREATE TABLE posts (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, checked_by int REFERENCES users); \
        CREATE TABLE comments (id int PRIMARY KEY, post_id int REFERENCES posts, email text)")
    .await;
    let posts = table(
        "posts",
        "\"user_id -> public.users\"",
        "[[table.mention]]\ncolumns = [\"checked_by\"]\nerase = \"null\"\n",
    );
    let comments = table(
        "comments",
        "{ email = \"email\" }",
        "[[table.reference]]\ncolumn = \"post_id\"\nothers = \"detach\"\nreason = \"decided\"\n",
    );
    let map = DataMap::parse(&map(&format!("{posts}{comments}"))).unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let resolved = data_map::resolve(&map, &mut connection).await.unwrap();
    let expected = [
        "flowchart LR",
        "    person((\"the person\"))",
        "    table0[\"public.users<br>deleted\"]:::deleted",
        "    table1[\"public.posts<br>deleted\"]:::deleted",
        "    table2[\"public.comments<br>deleted\"]:::deleted",
        "    person -->|\"clerk_id\"| table0",
        "    table0 -->|\"user_id\"| table1",
        "    table0 -.->|\"checked_by: becomes NULL\"| table1",
        "    person -->|\"e-mail address in email\"| table2",
        "    table1 -.->|\"post_id: others' become NULL\"| table2",
        "    classDef deleted stroke-width:2px",
        "    classDef stays stroke-dasharray:4 3",
        "",
    ];
    assert_eq!(Graph::of(&resolved).mermaid(), expected.join("\n"));
}
