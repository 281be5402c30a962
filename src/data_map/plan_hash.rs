//! The hash by which a user confirms a plan.

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rules::TableRule;

/// SHA-256, in lower-case hexadecimal, over what the rules of a data map do with rows.
///
/// Labels, reasons, exports and the order of the file aren't part of it: they change nothing about the outcome.
/// A user confirms a plan by its hash, and the deletion is refused when the rules have changed since. Rows aren't part
/// of it: their number changes while the user reads, and the same rule for one more row is still what was agreed to.
/// Nor are dates, which change by the second; the periods that they are computed from are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(String);

impl PlanHash {
    pub(super) fn of<'a>(rules: impl Iterator<Item = &'a TableRule>) -> Self {
        let rules = rules.map(|rule| serde_json::to_value(rule).expect("rules have no map with other keys than text"));
        let mut rules: Vec<Value> = rules.collect();
        rules.iter_mut().for_each(keep_outcome);
        rules.sort_by_key(|rule| rule["name"].as_str().unwrap_or_default().to_owned());
        let json = serde_json::to_vec(&rules).expect("values can be written");
        Self(data_encoding::HEXLOWER.encode(digest(&SHA256, &json).as_ref()))
    }

    /// Takes a hash as it was stored or sent. Any text is accepted: hashes are only compared.
    #[must_use]
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// Returns the hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Removes from a rule what changes nothing about the outcome.
fn keep_outcome(rule: &mut Value) {
    remove(Some(rule), &["label", "column_labels", "changed_by_triggers", "export"]);
    for strategy in ["keep", "scrub"] {
        remove(rule.get_mut("erase").and_then(|erase| erase.get_mut(strategy)), &["reason"]);
    }
    for mention in rule.get_mut("mentions").and_then(Value::as_array_mut).into_iter().flatten() {
        remove(mention.get_mut("action").and_then(|action| action.get_mut("keep")), &["reason"]);
    }
    for reference in rule.get_mut("references").and_then(Value::as_array_mut).into_iter().flatten() {
        remove(Some(reference), &["reason"]);
    }
}

fn remove(value: Option<&mut Value>, names: &[&str]) {
    if let Some(fields) = value.and_then(Value::as_object_mut) {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

impl std::fmt::Display for PlanHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::DataMap;
    use super::*;

    /// Stored plans are compared with it, so it must not change with a new version of Lethe.
    #[test]
    fn hash_of_a_map_stays_the_same() {
        let map = DataMap::parse(
            r#"
            [[subject]]
            table = "public.users"
            key = "clerk_id"
            export = "all"
            erase = { scrub = { email = "null", name = { value = "-" } }, stamp = ["gone_at"], leave = ["plan"], reason = "billing" }
            [[table]]
            name = "public.posts"
            owner = "author_id"
            export = { except = ["draft"], reason = "unpublished" }
            erase = "delete"
            [[table.reference]]
            column = "editor_id"
            others = "none"
            reason = "never"
            [[table]]
            name = "public.files"
            owner = "post_id -> public.posts"
            export = { only = ["name"] }
            erase = { stamp = ["deleted_at"], purge_after = "30 days" }
            [[table.reference]]
            column = "post_id"
            others = "delete"
            reason = "part of it"
            [[table]]
            name = "public.invoices"
            owner = "user_id"
            export = { none = true, reason = "sent by mail" }
            erase = { keep = "tax law", for = "10 years" }
            "#,
        )
        .unwrap();
        let expected = concat!(
            r#"[{"name":"public.users","label":"Users","subject":true,"owner":{"column":"clerk_id"},"export":"all","#,
            r#""erase":{"scrub":{"columns":{"email":"null","name":{"value":"-"}},"stamp":["gone_at"],"#,
            r#""leave":["plan"],"reason":"billing"}},"references":[]},"#,
            r#"{"name":"public.posts","label":"Posts","subject":false,"owner":{"column":"author_id"},"#,
            r#""export":{"except":{"columns":["draft"],"reason":"unpublished"}},"erase":"delete","#,
            r#""references":[{"column":"editor_id","others":"none","reason":"never"}]},"#,
            r#"{"name":"public.files","label":"Files","subject":false,"#,
            r#""owner":{"path":{"column":"post_id","table":"public.posts"}},"export":{"only":["name"]},"#,
            r#""erase":{"stamp":{"columns":["deleted_at"],"purge_after":{"amount":30,"unit":"days"}}},"#,
            r#""references":[{"column":"post_id","others":"delete","reason":"part of it"}]},"#,
            r#"{"name":"public.invoices","label":"Invoices","subject":false,"owner":{"column":"user_id"},"#,
            r#""export":{"nothing":{"reason":"sent by mail"}},"#,
            r#""erase":{"keep":{"reason":"tax law","period":{"amount":10,"unit":"years"}}},"references":[]}]"#,
        );
        assert_eq!(serde_json::to_string(map.tables()).unwrap(), expected);
        let hash = PlanHash::of(map.tables().iter());
        assert_eq!(hash.as_str(), "645ea9e4cd4da7a61cc58161bafe33e529146df795e848e3ce17dff3109f9cc0");
    }

    #[test]
    fn words_and_order_change_no_hash() {
        let map = |text: &str| PlanHash::of(DataMap::parse(text).unwrap().tables().iter());
        let subject =
            "[[subject]]\ntable = \"public.users\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n";
        let keep = |label: &str, reason: &str, period: &str| {
            format!(
                "[[table]]\nname = \"public.invoices\"\nlabel = \"{label}\"\nowner = \"user_id\"\nexport = \"all\"\n\
                 erase = {{ keep = \"{reason}\", for = \"{period}\" }}\n"
            )
        };
        let posts = "[[table]]\nname = \"public.posts\"\nowner = \"author_id\"\nexport = \"all\"\nerase = \"delete\"\n";
        let agreed = map(&[subject, &keep("Invoices", "tax law", "10 years"), posts].concat());
        assert_eq!(agreed, map(&[subject, posts, &keep("Bills", "§ 147 AO", "10 years")].concat()));
        assert_ne!(agreed, map(&[subject, posts, &keep("Invoices", "tax law", "6 years")].concat()));
    }
}
