//! What Lethe's role may do, and what it needs: for the statements of the map's rules, and for triggers that run with its rights.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::catalog::{self, PgCatalog, Relation, Trigger};
use super::erase::Removal;
use super::error::{Error, Problems};
use super::mapped::MappedTable;
use super::rules::{DataMap, TableRule};
use super::sql::quote_identifier;

/// Reports privileges that the role lacks, and row-level security.
pub(super) fn check(MappedTable { rule, relation, .. }: &MappedTable<'_>, problems: &mut Problems) {
    if relation.row_security {
        problems.add_for_table(
            &rule.name,
            "row-level security may hide rows from Lethe, which then wouldn't be erased",
            "Let Lethe connect as a role with BYPASSRLS, or as the table's owner without FORCE ROW LEVEL SECURITY",
        );
    }
    let granted = |privilege: &str| match privilege {
        "SELECT" => relation.privileges.select,
        "UPDATE" => relation.privileges.update,
        _ => relation.privileges.delete,
    };
    for privilege in needed(rule).into_iter().filter(|privilege| !granted(privilege)) {
        problems.add_for_table(
            &rule.name,
            format!("Lethe's role has no {privilege} privilege on the table"),
            format!(
                "GRANT {privilege} ON {} to it (`lethe map grants` prints all that is needed)",
                relation.quoted_name()
            ),
        );
    }
}

/// Returns the privileges that the statements of a rule need.
fn needed(rule: &TableRule) -> BTreeSet<&'static str> {
    let changes_others = !rule.references.is_empty() || !rule.mentions.is_empty();
    let strategy = rule.erase.strategy();
    let deletes = changes_others || strategy.removal() != Removal::Never;
    let forgets = rule.owners.iter().any(|owner| !owner.forget.is_empty());
    // Rows are locked before they are deleted, for which Postgres wants UPDATE.
    let updates = deletes || forgets || strategy.updates_rows();
    let all = [("SELECT", true), ("UPDATE", updates), ("DELETE", deletes)];
    all.into_iter().filter(|(_, is_needed)| *is_needed).map(|(privilege, _)| privilege).collect()
}

/// Returns the GRANT statements for everything that `role` needs on the application's tables, or for the role of the connection.
pub async fn grants(map: &DataMap, role: Option<&str>, connection: &mut PgConnection) -> Result<String, Error> {
    let catalog = catalog::read(connection).await?;
    let role = match role {
        Some(role) => role.to_owned(),
        None => sqlx::query_scalar("SELECT current_user::text").fetch_one(&mut *connection).await?,
    };
    Ok(Grants::collect(map, &catalog).to_sql(&role))
}

/// Privileges by table, and what can't be known.
#[derive(Default)]
struct Grants {
    schemas: BTreeSet<String>,
    /// By quoted name.
    tables: BTreeMap<String, BTreeSet<&'static str>>,
    /// The same, for what triggers write.
    by_triggers: BTreeMap<String, BTreeSet<&'static str>>,
    /// Tables without a rule, which are only searched.
    searched: BTreeSet<String>,
    notes: Vec<String>,
}

impl Grants {
    fn collect(map: &DataMap, catalog: &PgCatalog) -> Self {
        let mut grants = Self::default();
        for rule in &map.tables {
            for relation in catalog.relations_named(&rule.name).iter().map(|index| &catalog.relations[*index]) {
                grants.schemas.insert(quote_identifier(&relation.schema));
                let privileges = needed(rule);
                for trigger in catalog.triggers.iter().filter(|trigger| trigger.table == rule.name) {
                    let runs = trigger.runs_on_update && privileges.contains("UPDATE")
                        || trigger.runs_on_delete && privileges.contains("DELETE");
                    if runs && !trigger.is_security_definer {
                        grants.add_trigger(trigger, catalog);
                    }
                }
                grants.tables.insert(relation.quoted_name(), privileges);
            }
        }
        let unmapped = catalog.relations.iter().filter(|relation| !grants.tables.contains_key(&relation.quoted_name()));
        grants.searched = unmapped.map(Relation::quoted_name).collect();
        grants
    }

    fn add_trigger(&mut self, trigger: &Trigger, catalog: &PgCatalog) {
        let (name, function) = (&trigger.name, &trigger.function);
        self.notes.push(format!(
            "The trigger {name} of {} runs {function} with the role's own rights; it needs whatever the function does.",
            trigger.table
        ));
        for (privilege, written) in trigger.written_tables() {
            let Some(index) = catalog.find_written(trigger, &written) else { continue };
            let relation = &catalog.relations[index];
            self.schemas.insert(quote_identifier(&relation.schema));
            let privileges = self.by_triggers.entry(relation.quoted_name()).or_default();
            privileges.insert(privilege);
            if privilege != "INSERT" {
                privileges.insert("SELECT");
            }
        }
    }

    fn to_sql(&self, role: &str) -> String {
        let role = quote_identifier(role);
        let mut lines = vec!["-- What the rules of the data map need.".to_owned()];
        lines.extend(self.schemas.iter().map(|schema| format!("GRANT USAGE ON SCHEMA {schema} TO {role};")));
        let grant = |(table, privileges): (&String, &BTreeSet<&str>)| {
            let privileges = privileges.iter().copied().collect::<Vec<_>>().join(", ");
            format!("GRANT {privileges} ON {table} TO {role};")
        };
        lines.extend(self.tables.iter().map(grant));
        if !self.notes.is_empty() {
            lines.push(
                "\n-- What triggers write as this role, as far as the source of their functions says.".to_owned(),
            );
            lines.extend(self.notes.iter().map(|note| format!("-- {note}")));
            lines.extend(self.by_triggers.iter().map(grant));
            if self.by_triggers.values().any(|privileges| privileges.contains("INSERT")) {
                lines.push("-- Where such a table has a serial key: GRANT USAGE ON SEQUENCE, too.".to_owned());
            }
        }
        if !self.searched.is_empty() {
            lines.push(
                "\n-- Not needed. With it, texts in tables without a rule are searched after a deletion, too."
                    .to_owned(),
            );
            lines.extend(self.searched.iter().map(|table| format!("-- GRANT SELECT ON {table} TO {role};")));
        }
        lines.push("\n-- Lethe's own tables: `lethe migrate` creates the schemas lethe and lethe_jobs, for which its role needs".to_owned());
        lines.push("-- CREATE on the database. See docs/operations.md.".to_owned());
        lines.join("\n") + "\n"
    }
}
