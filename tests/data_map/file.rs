//! Errors in the data map's file.

use lethe::data_map::{DataMap, Error};

use crate::support::PEOPLE_RULE;

#[test]
fn invalid_file_is_refused_with_line_table_and_remedy() {
    let rule = |erase: &str| {
        format!(
            "{PEOPLE_RULE}\n[[table]]\nname = \"public.notes\"\nowner = \"user_id\"\nexport = \"all\"\nerase = {erase}\n"
        )
    };
    let cases = [
        (rule("\"remove\""), 8, Some("public.notes"), "`remove` is no erase strategy"),
        (rule("{ stamp = [\"gone\"], purge_after = \"soon\" }"), 8, Some("public.notes"), "`soon` isn't a period"),
        (rule("{ keep = \"\" }"), 8, Some("public.notes"), "reason of keep is empty"),
        (rule("{ keep = \"law\", stamp = [\"gone\"] }"), 8, Some("public.notes"), "don't go together"),
        (rule("{ scrub = { email = \"empty\" } }"), 8, Some("public.notes"), "`empty` isn't what"),
        (rule("\"delete\"\nowners = \"x\""), 13, Some("public.notes"), "unknown field `owners`"),
        (
            rule("\"delete\"\n[[table]]\nname = \"public.notes\"\nowner = \"x\"\nexport = \"all\"\nerase = \"delete\""),
            13,
            Some("public.notes"),
            "entry in line 8",
        ),
        (rule("\"delete\"").replace("\"user_id\"", "\"-> public.people\""), 8, Some("public.notes"), "isn't a path"),
        (
            rule("\"delete\"").replacen("export = \"all\"\nerase", "export = { except = [\"x\"] }\nerase", 1),
            8,
            Some("public.notes"),
            "needs a reason",
        ),
        ("[[ignore]]\nname = \"a.b\"\nreason = \"r\"".to_owned(), 1, None, "no [[subject]]"),
        (
            format!("{PEOPLE_RULE}[[ignore]]\nname = \"a.b\"\nreason = \" \""),
            7,
            Some("a.b"),
            "reason of ignore is empty",
        ),
        (
            format!(
                "{PEOPLE_RULE}[[purpose]]\nkey = \"ads\"\ntitle = \"Ads\"\ntext = \"Ads.\"\nversion = \"1\"\ndefault_granted = true"
            ),
            7,
            None,
            "recital 32",
        ),
    ];
    for (text, expected_line, expected_table, part) in cases {
        let Err(Error::Invalid { line, table, message, remedy }) = DataMap::parse(&text) else {
            panic!("{text} is accepted")
        };
        assert!(message.contains(part), "{message}");
        assert_eq!((line, table.as_deref()), (expected_line, expected_table), "{message}\n{text}");
        assert!(!remedy.is_empty());
    }
    let purposes = format!(
        "{PEOPLE_RULE}[[purpose]]\nkey = \"ads\"\ntitle = \"Ads\"\ntext = \"Ads.\"\nversion = \"1\"\nlegal_basis = \"legitimate_interest\"\ndefault_granted = true\nopt_out_signal = true"
    );
    let map = DataMap::parse(&purposes).unwrap();
    assert!(map.purposes().unwrap().find("ads").unwrap().default_granted);
    assert!(DataMap::parse(PEOPLE_RULE).unwrap().purposes().is_none());
}

#[test]
fn one_entry_names_several_tables_and_columns() {
    let map = |names: &str, columns: &str| {
        format!(
            "{PEOPLE_RULE}\n[[table]]\n{names}\nowner = \"user_id\"\nexport = \"all\"\nerase = \"delete\"\n\
             [[table.reference]]\n{columns}\nothers = \"detach\"\nreason = \"r\"\n"
        )
    };
    let text = map("names = [\"public.notes\", \"public.work_items\"]", "columns = [\"a\", \"b\"]");
    let parsed = DataMap::parse(&text).unwrap();
    let [_, notes, items] = parsed.tables() else { panic!("{:?}", parsed.tables()) };
    assert_eq!((notes.name.as_str(), notes.label.as_str()), ("public.notes", "Notes"));
    assert_eq!((items.name.as_str(), items.label.as_str()), ("public.work_items", "Work items"));
    for rule in [notes, items] {
        let columns: Vec<_> = rule.references.iter().map(|reference| reference.column.as_str()).collect();
        assert_eq!((columns.as_slice(), parsed.line_of(&rule.name)), (["a", "b"].as_slice(), Some(8)));
    }
    for (text, part) in [
        (map("names = []", "column = \"a\""), "the entry names no table"),
        (map("name = \"public.notes\"", "columns = []"), "the reference names no column"),
        (map("names = [\"public.notes\", \"public.notes\"]", "column = \"a\""), "already has an entry in line 8"),
    ] {
        let Err(Error::Invalid { message, .. }) = DataMap::parse(&text) else { panic!("{text} is accepted") };
        assert!(message.contains(part), "{message}");
    }
}
