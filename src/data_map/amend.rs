//! Adds decisions to a map's text.

use super::choice::Choice;
use super::error::{Error, Problem};
use super::rules::DataMap;

/// Returns the map with a choice of the problem, and what was entered for it, in the entry of the problem's table.
///
/// `None` where the table has no entry, or shares it with others, about which nothing was decided. An invalid map is an error.
pub fn amend(map: &str, problem: &Problem, choice: &Choice, input: &str) -> Result<Option<String>, Error> {
    let parsed = DataMap::parse(map)?;
    let Some(line) = parsed.line_of(&problem.table) else { return Ok(None) };
    let lines: Vec<&str> = map.split_inclusive('\n').collect();
    let is_of_entry = |line: &&&str| !is_header(line) || is_part(line);
    let end = line + lines[line..].iter().take_while(is_of_entry).count();
    let start = lines[..line].iter().rposition(|line| is_header(line) && !is_part(line)).unwrap_or_default();
    if lines[start..end].iter().any(|line| line.trim_start().starts_with("names")) {
        return Ok(None);
    }
    // Comments and empty lines above the next entry belong to it.
    let is_empty = |line: &&&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    let trailing = if end == lines.len() { 0 } else { lines[line..end].iter().rev().take_while(is_empty).count() };
    let (before, after) = (lines[..end - trailing].concat(), lines[end - trailing..].concat());
    let separator = if before.ends_with('\n') { "" } else { "\n" };
    Ok(Some([before.as_str(), separator, &choice.with_input(input), &after].concat()))
}

/// Whether the line begins an entry or a part of one, and isn't a value of a list.
fn is_header(line: &str) -> bool {
    let name = line.trim_start().trim_start_matches('[');
    line.trim_start().starts_with('[') && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
}

/// Whether the line begins a part of a table's entry, such as `[[table.mention]]`.
fn is_part(line: &str) -> bool {
    let name = line.trim_start().trim_start_matches('[');
    name.starts_with("table.") || name.starts_with("subject.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_map::choice;

    const MAP: &str = "version = 2\n\n[[subject]]\ntable = \"public.people\"\nkey = \"clerk_id\"\nexport = \"all\"\nerase = \"delete\"\n\n# Posts.\n[[table]]\nname = \"public.posts\"\nowner = \"a\"\nexport = \"all\"\nerase = \"delete\"\n[[table.mention]]\ncolumns = [\"b\"]\nerase = \"null\"\n\n# Nobody's.\n[[ignore]]\nnames = [\"public.x\"]\nreason = \"r\"\n";

    fn amended(map: &str, table: &str) -> Option<String> {
        let problem = Problem {
            table: table.to_owned(),
            column: None,
            message: String::new(),
            remedy: String::new(),
            choices: choice::of_reference("table.reference", &["c".to_owned()], true),
        };
        amend(map, &problem, &problem.choices[0], "decided").unwrap()
    }

    #[test]
    fn decision_stands_at_the_end_of_its_tables_entry() {
        let part = "[[table.reference]]\ncolumn = \"c\"\nothers = \"detach\"\nreason = \"decided\"\n";
        let expected = MAP.replace("\n\n# Nobody's.", &format!("\n{part}\n# Nobody's."));
        assert_eq!(amended(MAP, "public.posts").unwrap(), expected);
        let last = MAP.split("\n\n# Nobody's.").next().unwrap();
        assert_eq!(amended(last, "public.posts").unwrap(), format!("{last}\n{part}"));
        assert!(DataMap::parse(&expected).is_ok());
    }

    #[test]
    fn entry_of_several_tables_or_of_none_is_left_alone() {
        let several = MAP.replace("name = \"public.posts\"", "names = [\"public.posts\", \"public.notes\"]");
        assert_eq!(amended(&several, "public.notes"), None);
        assert_eq!(amended(MAP, "public.notes"), None);
    }
}
