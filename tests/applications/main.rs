//! Applications of many shapes, each with three people: what each exports, what the erasures of two of them leave, and what is left
//! of their names. A snapshot shows every row that went or changed; all others stayed as they were.

#![expect(clippy::unwrap_used, reason = "tests panic")]

mod report;

/// Each application is a schema with rows, and a data map.
macro_rules! applications {
    ($($name:ident)+) => {$(
        #[tokio::test]
        async fn $name() {
            let (schema, map) = (
                include_str!(concat!("schemas/", stringify!($name), ".sql")),
                include_str!(concat!("schemas/", stringify!($name), ".toml")),
            );
            insta::assert_snapshot!(stringify!($name), report::of(schema, map).await);
        }
    )+};
}

applications! {
    chat
    clinic
    issue_tracker
    package_registry
    prisma
    prisma_without_foreign_keys
    activity_log
    social_network
    shop
    partitioned
    history_by_triggers
    marketplace
    quiz
    file_tools
    federated
}
