//! Applications of many shapes, each with three people: what each exports, what the erasures of two of them leave, and what is left
//! of their names. A snapshot shows every row that went or changed; all others stayed as they were.

#![expect(clippy::unwrap_used, reason = "tests panic")]

mod remedies;
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
    )+

        #[tokio::test]
        async fn choices_for_problems_solve_them() {
            let mut carried_out = 0;
            $(
                carried_out += remedies::carry_out(
                    include_str!(concat!("schemas/", stringify!($name), ".sql")),
                    include_str!(concat!("schemas/", stringify!($name), ".toml")),
                )
                .await;
            )+
            assert!(carried_out > 40, "{carried_out}");
        }
    };
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

/// The page explains whole maps, piece by piece.
#[test]
fn explained_maps_are_those_that_are_tested() {
    let page = include_str!("../../docs/data-map-examples.md");
    let sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let maps =
        [include_str!("schemas/chat.toml"), include_str!("schemas/clinic.toml"), include_str!("schemas/shop.toml")];
    assert_eq!(sections.len(), maps.len());
    for (section, map) in sections.iter().zip(maps) {
        let pieces = section.split("```toml\n").skip(1).map(|piece| piece.split("```").next().unwrap());
        let explained: Vec<&str> = pieces.flat_map(str::lines).filter(|line| !line.is_empty()).collect();
        let tested: Vec<&str> = map.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(explained, tested);
    }
}
