//! Drafts of data maps, generated from a schema.

use lethe::data_map::{self, DataMap, DraftOptions, Error, Problem};
use lethe_demo::testing::Database;
use sqlx::PgConnection;

use crate::support::{SAMPLE, only};

fn named(subject: &str) -> DraftOptions {
    DraftOptions { subject: Some(subject.to_owned()), sample: false }
}

fn sampled() -> DraftOptions {
    DraftOptions { subject: None, sample: true }
}

async fn drafted(schema: &str, options: &DraftOptions) -> String {
    let database = only(schema).await;
    data_map::draft(&mut database.pool().acquire().await.unwrap(), options).await.unwrap().text
}

/// Takes the first choice of every question, as a person would uncomment it.
fn settled(draft: &str) -> String {
    let mut lines = Vec::new();
    let mut in_question = false;
    for line in draft.lines() {
        let entry = line.strip_prefix("# ").filter(|line| line.starts_with("[[") && !line.starts_with("[[purpose"));
        in_question = entry.is_some() || (in_question && line.starts_with("# ") && line.contains('='));
        if in_question {
            lines.push(line.trim_start_matches("# ").replace("\"..\"", "\"decided\""));
        } else {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

async fn open_questions(draft: &str, connection: &mut PgConnection) -> Vec<Problem> {
    match data_map::resolve(&DataMap::parse(draft).unwrap(), connection).await {
        Ok(_) => Vec::new(),
        Err(Error::Mismatch(problems)) => problems,
        Err(error) => panic!("{error}"),
    }
}

/// `table: owner`, and `table mentions: columns`, of every active entry.
fn entries(draft: &str) -> Vec<String> {
    let map = DataMap::parse(draft).unwrap();
    let mut entries = Vec::new();
    for rule in map.tables() {
        let (name, path) = (rule.name.trim_start_matches("public."), &rule.owners[0].path);
        entries.push(if rule.subject { format!("{name}: subject {path}") } else { format!("{name}: {path}") });
        entries.extend(rule.mentions.iter().map(|mention| format!("{name} mentions: {}", mention.path)));
    }
    entries
}

#[tokio::test]
async fn draft_of_the_sample_application_has_its_owners_and_asks_the_rest() {
    let database = Database::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let draft = data_map::draft(&mut connection, &DraftOptions::default()).await.unwrap().text;
    let map = DataMap::parse(&draft).unwrap();
    let owners = |map: &DataMap| {
        let owner = |rule: &data_map::TableRule| (rule.name.clone(), rule.owners[0].path.to_string(), rule.subject);
        let mut owners: Vec<_> = map.tables().iter().map(owner).collect();
        owners.sort_unstable();
        owners
    };
    assert_eq!(owners(&map), owners(&DataMap::parse(SAMPLE).unwrap()));
    for problem in open_questions(&draft, &mut connection).await {
        let is_question = ["other people's rows may reference", "the map has no entry for this table"];
        assert!(is_question.iter().any(|part| problem.message.contains(part)), "{problem}");
    }
    assert_eq!(open_questions(&settled(&draft), &mut connection).await, []);
    assert!(draft.contains("Consider: rows can be stamped here"));
    assert!(draft.contains("secret_hash"));
    assert!(draft.contains("# [[purpose]]") && map.purposes().is_none(), "the operator decides what users are asked");
}

#[tokio::test]
async fn undecided_table_is_a_question_without_a_default() {
    let database = only(
        "CREATE TABLE people (id bigint PRIMARY KEY, handle text UNIQUE); \
         CREATE TABLE notes (id bigint PRIMARY KEY, people_id bigint REFERENCES people, \"in reply\nto\" bigint REFERENCES notes); \
         CREATE TABLE newsletter (email text)",
    )
    .await;
    let mut connection = database.pool().acquire().await.unwrap();
    let lost = data_map::draft(&mut connection, &DraftOptions::default()).await.unwrap().text;
    assert!(lost.contains("DECIDE: no table with a unique text column"));
    let draft = data_map::draft(&mut connection, &named("public.people")).await.unwrap().text;
    assert!(draft.contains("DECIDE: \"public.newsletter\": it has a column \"email\""), "{draft}");
    let found = open_questions(&draft, &mut connection).await;
    let tables: Vec<&str> = found.iter().map(|problem| problem.table.as_str()).collect();
    assert_eq!(tables, ["public.newsletter", "public.notes"], "{found:#?}");
    assert_eq!(open_questions(&settled(&draft), &mut connection).await, []);
}

#[tokio::test]
async fn subject_that_does_not_exist_is_an_error() {
    let database = only("CREATE TABLE people (id bigint PRIMARY KEY)").await;
    let mut connection = database.pool().acquire().await.unwrap();
    let error = data_map::draft(&mut connection, &named("public.persons")).await.unwrap_err();
    assert!(error.to_string().contains("the database has no such table"), "{error}");
}

#[tokio::test]
async fn persons_own_column_comes_before_actors_and_before_others_content() {
    let schema = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
        CREATE TABLE project (id int PRIMARY KEY, owner_id int NOT NULL REFERENCES users, lead_id int REFERENCES users); \
        CREATE TABLE issue (id int PRIMARY KEY, assignee int REFERENCES users, approved_by int REFERENCES users, \
            reporter int NOT NULL REFERENCES users, project_id int NOT NULL REFERENCES project); \
        CREATE TABLE task (id int PRIMARY KEY, assignee_id int REFERENCES users, project_id int NOT NULL REFERENCES project ON DELETE CASCADE); \
        CREATE TABLE appointment (id int PRIMARY KEY, doctor int NOT NULL REFERENCES users, patient int NOT NULL REFERENCES users); \
        CREATE TABLE ban (id int PRIMARY KEY, moderator_id int NOT NULL REFERENCES users, user_id int REFERENCES users); \
        CREATE TABLE site_setting (id int PRIMARY KEY, updated_by int NOT NULL REFERENCES users); \
        CREATE TABLE message (id int PRIMARY KEY, recipient_id int NOT NULL REFERENCES users, sender_id int NOT NULL REFERENCES users)";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert_eq!(
        entries(&draft),
        [
            "users: subject clerk_id",
            "appointment: patient -> public.users",
            "ban: user_id -> public.users",
            "issue: reporter -> public.users",
            "issue mentions: approved_by",
            "issue mentions: assignee",
            "message: sender_id -> public.users",
            "project: owner_id -> public.users",
            "project mentions: lead_id",
            "task: project_id -> public.project",
            "task mentions: assignee_id",
        ]
        .map(str::to_owned),
        "{draft}"
    );
    assert!(
        draft.contains("# DECIDE: whose are the rows of \"public.site_setting\"?"),
        "who changed it need not own it: {draft}"
    );
    assert!(
        draft.contains("# erase  = { scrub = { updated_by = \"null\" }, leave = \"rest\", reason = \"..\" }"),
        "{draft}"
    );
}

#[tokio::test]
async fn creator_whom_the_rows_outlive_and_key_of_several_tables_are_questions() {
    let schema = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
        CREATE TABLE orgs (id int PRIMARY KEY); \
        CREATE TABLE surveys (id int PRIMARY KEY, org_id int NOT NULL REFERENCES orgs, created_by int REFERENCES users ON DELETE SET NULL); \
        CREATE TABLE notes (id int PRIMARY KEY, owner_type text NOT NULL, owner_id int NOT NULL, body text); \
        CREATE TABLE subscriptions (id int PRIMARY KEY, customer_id int NOT NULL, org_id int NOT NULL REFERENCES orgs)";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert_eq!(entries(&draft), ["users: subject clerk_id"], "{draft}");
    for table in ["surveys", "notes", "subscriptions"] {
        assert!(draft.contains(&format!("# DECIDE: whose are the rows of \"public.{table}\"?")), "{table}: {draft}");
    }
    assert!(
        draft.contains("# owner  = { path = \"owner_id -> public.users(id)\", where = { owner_type = [\"..\"] } }"),
        "{draft}"
    );
    assert!(
        draft.contains("# owner  = \"org_id -> public.orgs\""),
        "the foreign key is offered beside the name: {draft}"
    );
}

#[tokio::test]
async fn two_equal_owners_are_a_question_with_both_written_out() {
    let schema = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
        CREATE TABLE sale (id int PRIMARY KEY, buyer_id int NOT NULL REFERENCES users, customer_id int NOT NULL REFERENCES users)";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert_eq!(entries(&draft), ["users: subject clerk_id".to_owned()]);
    for owner in ["buyer_id -> public.users", "customer_id -> public.users"] {
        assert!(draft.contains(&format!("# owner  = \"{owner}\"")), "{draft}");
    }
}

const PRISMA: &str = "CREATE TABLE \"User\" (\"id\" text PRIMARY KEY, \"clerkId\" text NOT NULL UNIQUE); \
    INSERT INTO \"User\" VALUES ('c1', 'user_a'), ('c2', 'user_b');";

#[tokio::test]
async fn foreign_key_to_another_column_than_the_clerk_id_is_a_path() {
    let schema = format!(
        "{PRISMA} CREATE TABLE \"Post\" (\"id\" text PRIMARY KEY, \"userId\" text NOT NULL REFERENCES \"User\" (\"id\"))"
    );
    let draft = drafted(&schema, &DraftOptions::default()).await;
    assert_eq!(entries(&draft), ["User: subject clerkId", "Post: userId -> public.User"].map(str::to_owned));
}

#[tokio::test]
async fn values_show_what_names_and_missing_keys_do_not() {
    let schema = format!(
        "{PRISMA} CREATE TABLE \"Post\" (\"id\" text PRIMARY KEY, \"userId\" text NOT NULL); \
         CREATE TABLE \"Event\" (\"id\" text PRIMARY KEY, \"userId\" text NOT NULL); \
         CREATE TABLE \"Vault\" (\"id\" text PRIMARY KEY, \"whose\" text NOT NULL); \
         CREATE TABLE \"Team\" (\"id\" text PRIMARY KEY, \"clerkId\" text NOT NULL UNIQUE); \
         INSERT INTO \"Post\" VALUES ('p', 'c1'); INSERT INTO \"Event\" VALUES ('e', 'user_a'); \
         INSERT INTO \"Vault\" VALUES ('v', 'user_b'); INSERT INTO \"Team\" VALUES ('t', 'org_1')"
    );
    let unseen = drafted(&schema, &DraftOptions::default()).await;
    assert_eq!(
        entries(&unseen),
        ["User: subject clerkId".to_owned()],
        "names can't tell the Clerk id from a key: {unseen}"
    );
    let seen = drafted(&schema, &sampled()).await;
    let expected = ["User: subject clerkId", "Event: userId", "Post: userId -> public.User(id)", "Vault: whose"]
        .map(str::to_owned);
    assert_eq!(entries(&seen), expected, "{seen}");
}

#[tokio::test]
async fn comments_of_the_schema_stand_beside_the_questions() {
    let schema = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
        CREATE TABLE notes (id int PRIMARY KEY, x int); \
        COMMENT ON TABLE notes IS 'written by the front desk\nabout guests'; COMMENT ON COLUMN notes.x IS 'the guest'";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert!(draft.contains("about guests") && draft.contains("# \"x\": \"the guest\""), "{draft}");
    DataMap::parse(&draft).unwrap();
}

#[tokio::test]
async fn rows_on_the_parents_side_are_offered_as_a_path() {
    let schema = "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE); \
        CREATE TABLE contents (id int PRIMARY KEY, body text); \
        CREATE TABLE messages (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, content_id int REFERENCES contents)";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert!(draft.contains("owner = \"<- public.messages(content_id)\""), "{draft}");
}

/// A file-sharing application: owners share links, and visitors without an account open them.
const SHARING: &str = "CREATE TABLE users (id text PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text);
    CREATE TABLE team (id text PRIMARY KEY, name text);
    CREATE TABLE document (id text PRIMARY KEY, \"ownerId\" text REFERENCES users ON DELETE SET NULL,
        \"teamId\" text NOT NULL REFERENCES team ON DELETE CASCADE);
    CREATE TABLE link (id text PRIMARY KEY, user_id text NOT NULL REFERENCES users ON DELETE CASCADE, \"hashedKey\" text);
    CREATE TABLE view (id text PRIMARY KEY, link_id text NOT NULL REFERENCES link ON DELETE CASCADE, \"viewerEmail\" text);
    CREATE TABLE reaction (id text PRIMARY KEY, view_id text NOT NULL REFERENCES view ON DELETE CASCADE);
    CREATE TABLE sent (id text PRIMARY KEY, recipient text); CREATE TABLE token (id text PRIMARY KEY, email text);
    INSERT INTO sent VALUES ('1', 'visitor@example.org'); INSERT INTO token VALUES ('1', 'none')";

#[tokio::test]
async fn rows_of_visitors_and_teams_are_questions_with_each_owner_written_out() {
    let draft = drafted(SHARING, &sampled()).await;
    assert_eq!(entries(&draft), ["users: subject clerk_id", "link: user_id -> public.users"]);
    for question in [
        "# owner  = \"ownerId -> public.users\"",
        "# owner  = \"link_id -> public.link\"\n# owner  = { email = \"viewerEmail\" }   # who has the address there",
        "about which a question is open: [[table]] with owner = \"view_id -> public.view\"",
        "\"public.sent\": it has a column \"recipient\" and no key",
        "[[table]] with owner = { email = \"recipient\" }",
    ] {
        assert!(draft.contains(question), "{question}\n{draft}");
    }
    assert!(draft.contains("except = [\"hashedKey\"]"));
    assert!(!draft.contains("{ email = \"email\" }"), "its values are no addresses: {draft}");
}

#[tokio::test]
async fn key_that_is_named_like_another_table_is_a_question_and_no_mention() {
    let schema = "CREATE TABLE users (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE, email text);
        CREATE TABLE customers (id serial PRIMARY KEY, user_id int REFERENCES users);
        CREATE TABLE orders (id serial PRIMARY KEY, customer_id int);
        CREATE TABLE vouchers (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, \"redeemedByCustomerId\" int)";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert_eq!(
        entries(&draft),
        ["users: subject clerk_id", "customers: user_id -> public.users", "vouchers: user_id -> public.users"]
    );
    let question = "# owner  = \"customer_id -> public.users(id)\"\n# owner  = \"customer_id -> public.customers(id)\"";
    assert!(draft.contains(question), "{draft}");
}

#[tokio::test]
async fn decision_goes_to_the_table_that_it_is_about() {
    let database = only(
        "CREATE TABLE users (id serial PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
        CREATE TABLE posts (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users);
        CREATE TABLE likes (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int REFERENCES posts, by_id text NOT NULL, created_by text NOT NULL);
        CREATE TABLE notes (id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, post_id int REFERENCES posts, by_id text NOT NULL, created_by text NOT NULL)",
    )
    .await;
    let mut connection = database.pool().acquire().await.unwrap();
    let draft = data_map::draft(&mut connection, &DraftOptions::default()).await.unwrap();
    for id in ["public.notes post_id", "public.notes created_by"] {
        let question = draft.questions.iter().find(|question| question.id.starts_with(id)).unwrap();
        let settled = question.settle(&draft.text, &question.choices[0], "decided");
        let (likes, notes) = settled.split_at(settled.find("name   = \"public.notes\"").unwrap());
        assert!(!question.is_open(&settled), "{id}");
        assert!(likes.contains("# DECIDE: what becomes of others' rows of \"public.likes\""), "{likes}");
        assert!(likes.contains("# DECIDE: what becomes of rows of \"public.likes\""), "{likes}");
        assert!(notes.contains("\n[[table.reference]]") || notes.contains("\n[[table.mention]]"), "{notes}");
    }
}

#[tokio::test]
async fn organization_is_not_silently_its_creators() {
    let schema = "CREATE TABLE users (id text PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
        CREATE TABLE workspaces (id text PRIMARY KEY, owner_id text NOT NULL REFERENCES users);
        CREATE TABLE workspace_members (workspace_id text NOT NULL REFERENCES workspaces ON DELETE CASCADE,
            user_id text NOT NULL REFERENCES users, PRIMARY KEY (workspace_id, user_id))";
    let draft = drafted(schema, &DraftOptions::default()).await;
    assert!(!entries(&draft).iter().any(|entry| entry.starts_with("workspaces:")), "{draft}");
    let question = "# owner  = \"<- public.workspace_members(workspace_id)\"\n# owner  = \"owner_id -> public.users\"";
    assert!(draft.contains(question), "{draft}");
}

#[tokio::test]
async fn actors_are_offered_last_and_tables_below_open_questions_by_their_keys() {
    let database = only(
        "CREATE TABLE users (id int PRIMARY KEY, clerk_id text NOT NULL UNIQUE);
         CREATE TABLE guests (id int PRIMARY KEY, first_name text, email text);
         CREATE TABLE payments (id int PRIMARY KEY, processed_by int NOT NULL REFERENCES users, approved_by int NOT NULL REFERENCES users);
         CREATE TABLE stays (id int PRIMARY KEY, guest int REFERENCES guests)",
    )
    .await;
    let draft = data_map::draft(&mut database.pool().acquire().await.unwrap(), &named("public.users")).await.unwrap();
    let descriptions = |table: &str| -> Vec<String> {
        let question = draft.questions.iter().find(|question| question.id == table).unwrap();
        question.choices.iter().map(|choice| choice.description.clone()).collect()
    };
    let payments = descriptions("public.payments");
    assert_eq!(payments[0], "nobody's: rows stay, and forget who did it", "{payments:?}");
    assert!(payments[1].contains("processed_by") || payments[1].contains("approved_by"), "{payments:?}");
    let stays = descriptions("public.stays");
    assert!(
        stays[0].contains("guest -> public.guests") && stays[0].contains("with whom they are deleted"),
        "{stays:?}"
    );
}
