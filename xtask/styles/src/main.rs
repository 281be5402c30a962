//! Writes the files that tailwind-rs generates, or checks that they are up to date: `style/utilities.css`, with a rule
//! for each utility class of the pages, and `src/platform/mail/inlined`, the HTML e-mail templates with inline styles.

mod classes;
mod files;
mod mail;
mod utilities;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use files::{Generated, root};

fn main() -> ExitCode {
    let check = std::env::args().any(|argument| argument == "--check");
    match run(check) {
        Ok(count) => {
            println!("{count} files {}", if check { "are up to date" } else { "written" });
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<usize> {
    let root = root();
    let files = generate(&root)?;
    for (path, text) in &files {
        if check {
            check_file(&root, path, text)?;
        } else {
            let path = root.join(path);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(&path, text)?;
        }
    }
    Ok(files.len())
}

fn generate(root: &Path) -> Result<Vec<Generated>> {
    let mut files = vec![utilities::generate(root)?];
    files.extend(mail::generate(root)?);
    Ok(files)
}

fn check_file(root: &Path, path: &Path, text: &str) -> Result<()> {
    if !fs::read_to_string(root.join(path)).is_ok_and(|present| present == *text) {
        bail!("{} is not up to date; run `cargo xtask styles`", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails as well when a page uses a class that has no rule.
    #[test]
    fn generated_files_are_up_to_date() {
        let root = root();
        for (path, text) in generate(&root).expect("every class has a rule or an inline style") {
            check_file(&root, &path, &text).expect("it is up to date");
        }
    }

    #[test]
    fn output_is_deterministic() {
        let first = generate(&root()).expect("the files can be generated");
        assert_eq!(generate(&root()).expect("the files can be generated"), first);
    }
}
