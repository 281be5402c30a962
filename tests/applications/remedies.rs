//! What `lethe init` offers for a problem solves it: each choice is carried out, and none leads in a circle.

use lethe::data_map::{self, DataMap, Error, Problem, amend};
use lethe_demo::testing::Database;
use sqlx::{AssertSqlSafe, PgConnection};

/// More decisions than any of the maps needs.
const MOST_DECISIONS: usize = 60;

/// Takes the decisions about rows of others out of an application's map, and makes them anew. Returns how many choices were carried out.
pub(crate) async fn carry_out(schema: &str, map: &str) -> usize {
    let database = Database::create().await;
    let schema = format!("DROP SCHEMA public CASCADE; CREATE SCHEMA public; {schema}");
    sqlx::raw_sql(AssertSqlSafe(schema)).execute(database.pool()).await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let (mut map, mut carried_out) = (without_decisions(map), 0);
    for _ in 0..MOST_DECISIONS {
        let open = problems(&map, &mut connection).await;
        let Some(problem) = open.iter().find(|problem| is_amendable(&map, problem)) else { return carried_out };
        for choice in &problem.choices {
            let amended = amend(&map, problem, choice, "decided").unwrap().unwrap();
            let left = problems(&amended, &mut connection).await;
            let is_same = |left: &Problem| {
                left.table == problem.table && left.column == problem.column && left.message == problem.message
            };
            assert!(!left.iter().any(is_same), "{problem}\nstays after: {}\n{amended}", choice.description);
            carried_out += 1;
        }
        map = amend(&map, problem, &problem.choices[0], "decided").unwrap().unwrap();
    }
    panic!("the decisions lead in a circle:\n{map}");
}

fn is_amendable(map: &str, problem: &Problem) -> bool {
    problem.choices.first().is_some_and(|choice| amend(map, problem, choice, "").unwrap().is_some())
}

async fn problems(map: &str, connection: &mut PgConnection) -> Vec<Problem> {
    match data_map::resolve(&DataMap::parse(map).unwrap(), connection).await {
        Ok(_) => Vec::new(),
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => panic!("{error}"),
    }
}

/// The map without its references and mentions.
fn without_decisions(map: &str) -> String {
    let mut is_left_out = false;
    let mut lines = Vec::new();
    for line in map.lines() {
        let line = line.trim_start();
        if line.starts_with('[') {
            let name = line.trim_start_matches('[');
            is_left_out = ["table.reference", "subject.reference", "table.mention", "subject.mention"]
                .iter()
                .any(|decision| name.starts_with(decision));
        }
        if !is_left_out {
            lines.push(line);
        }
    }
    lines.join("\n") + "\n"
}
