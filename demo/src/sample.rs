//! The sample application that Lethe is demonstrated with: a blog and a lab in one database. Must not know Lethe's
//! tables.
//!
//! **Comments by other people under a person's posts.** A comment is its author's personal data. Deleting the author of
//! the post must neither delete it nor be blocked by it. So `comments.post_id` may be NULL, its foreign key has no
//! CASCADE, and the data map says `others = "detach"`: Lethe detaches the comment from the post before it deletes the
//! post. The comment remains with its author, in the author's export and until the author's own deletion.

use sqlx::PgPool;

use crate::people::{Product, people};

pub(crate) const SCHEMA: &str = include_str!("../sample/schema.sql");
const DATA: &str = include_str!("../sample/data.sql");

/// The tables with personal data, and the column that has the person's user id.
pub const PERSONAL_TABLES: [(&str, &str); 13] = [
    ("users", "clerk_id"),
    ("posts", "author_id"),
    ("comments", "author_id"),
    ("preferences", "user_id"),
    ("profiles", "user_id"),
    ("projects", "user_id"),
    ("reports", "user_id"),
    ("experiments", "user_id"),
    ("pipelines", "user_id"),
    ("datasets", "user_id"),
    ("api_keys", "user_id"),
    ("activity_logs", "user_id"),
    ("usage_logs", "user_id"),
];

/// How much data the sample application gets.
#[derive(Debug, Clone, Copy)]
pub struct SeedOptions {
    /// People 0, 1, … of [`crate::people`].
    pub people: usize,
    /// Rows for each person in each table that has several per person: posts, projects, logs and so on.
    pub rows_per_person: usize,
}

impl Default for SeedOptions {
    fn default() -> Self {
        Self { people: 40, rows_per_person: 5 }
    }
}

/// Creates the tables if they don't exist.
pub async fn create_schema(pool: &PgPool) -> sqlx::Result<()> {
    let mut transaction = pool.begin().await?;
    // Two concurrent starts would both find the tables absent.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('sample schema'))").execute(&mut *transaction).await?;
    let present: bool = sqlx::query_scalar("SELECT to_regclass('public.schema_migrations') IS NOT NULL")
        .fetch_one(&mut *transaction)
        .await?;
    if !present {
        sqlx::raw_sql("SET LOCAL search_path TO public").execute(&mut *transaction).await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

/// Fills the tables, in one transaction. Returns `false` and changes nothing if they already have data.
pub async fn seed(pool: &PgPool, options: &SeedOptions) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('sample data'))").execute(&mut *transaction).await?;
    let seeded: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM public.users) OR EXISTS (SELECT FROM public.profiles)")
            .fetch_one(&mut *transaction)
            .await?;
    if seeded || options.people == 0 {
        return Ok(false);
    }
    sqlx::raw_sql(
        "SET LOCAL search_path TO public, pg_temp;
         CREATE TEMPORARY TABLE seed_people (
             index bigint PRIMARY KEY, id text UNIQUE, email text, name text, blog boolean, lab boolean
         ) ON COMMIT DROP",
    )
    .execute(&mut *transaction)
    .await?;
    let mut columns = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for person in people(options.people) {
        let products = Product::of(person.index);
        columns.0.push(person.name());
        columns.1.push(products.contains(&Product::Blog));
        columns.2.push(products.contains(&Product::Lab));
        columns.3.push(person.id);
        columns.4.push(person.email);
    }
    sqlx::query(
        "INSERT INTO seed_people (name, blog, lab, id, email, index)
         SELECT name, blog, lab, id, email, number - 1
         FROM unnest($1::text[], $2::boolean[], $3::boolean[], $4::text[], $5::text[])
              WITH ORDINALITY AS rows (name, blog, lab, id, email, number)",
    )
    .bind(columns.0)
    .bind(columns.1)
    .bind(columns.2)
    .bind(columns.3)
    .bind(columns.4)
    .execute(&mut *transaction)
    .await?;
    sqlx::query("SELECT set_config('seed.rows', $1, true)")
        .bind(options.rows_per_person.to_string())
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql("ANALYZE seed_people").execute(&mut *transaction).await?;
    sqlx::raw_sql(DATA).execute(&mut *transaction).await?;
    transaction.commit().await?;
    // The planner's statistics are from when the tables were empty.
    sqlx::raw_sql("ANALYZE").execute(pool).await?;
    Ok(true)
}

/// Fills one person's usage log up to `rows` rows, to test exports and deletions with a million.
pub async fn fill_usage_logs(pool: &PgPool, user_id: &str, rows: i64) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO public.usage_logs (user_id, metric, quantity, created_at)
         SELECT $1, (ARRAY['compute seconds', 'stored gigabytes', 'requests'])[1 + r % 3], (r % 9973)::numeric / 8,
                timestamptz '2025-01-01 00:00:00+00' + r * interval '1 second'
         FROM generate_series((SELECT count(*) FROM public.usage_logs WHERE user_id = $1) + 1, $2) r",
    )
    .bind(user_id)
    .bind(rows)
    .execute(pool)
    .await?;
    Ok(())
}
