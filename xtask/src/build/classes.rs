//! Finds the CSS classes that Rust sources name, by reading tokens, without understanding types.
//!
//! A class is a word of a string literal in `class="…"`, in the braces, brackets or call after `class=`, in a constant
//! that such an expression names, in the variable that it is, or in the body of a function whose name ends in `class` or
//! `classes`; and the name in `class:name=`.

use std::collections::{BTreeSet, HashMap};

use super::tokens::{Token, tokens};

/// All classes that these sources name.
pub(crate) fn named_in<'a>(sources: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let files: Vec<Vec<Token>> = sources.into_iter().map(tokens).collect();
    let constants: HashMap<&str, &[Token]> =
        files.iter().flat_map(|tokens| named_values(tokens, &["const", "static"])).collect();
    let mut texts = Vec::new();
    let mut classes = BTreeSet::new();
    for tokens in &files {
        let variables: HashMap<&str, &[Token]> = named_values(tokens, &["let"]).collect();
        for (place, token) in tokens.iter().enumerate() {
            let rest = &tokens[place + 1..];
            match token {
                Token::Word(word) if word == "class" => match rest {
                    [Token::Mark('='), Token::Mark('='), ..] => {}
                    [Token::Mark('='), value @ ..] => {
                        let value = match attribute_value(value) {
                            [Token::Word(name)] if !is_constant(name) => {
                                variables.get(name.as_str()).copied().unwrap_or_default()
                            }
                            value => value,
                        };
                        collect(value, &constants, &mut texts);
                    }
                    [Token::Mark(':'), Token::Word(name), ..] => {
                        // `class:is-open=` is read as words and dashes.
                        classes.insert(joined_name(name, &rest[2..]));
                    }
                    _ => {}
                },
                Token::Word(word) if word == "fn" => {
                    if let [Token::Word(name), rest @ ..] = rest
                        && (name.ends_with("class") || name.ends_with("classes"))
                        && let Some(start) = rest.iter().position(|token| *token == Token::Mark('{'))
                    {
                        collect(bracketed(&rest[start..]), &constants, &mut texts);
                    }
                }
                _ => {}
            }
        }
    }
    classes.extend(texts.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned));
    classes
}

/// The words of all string literals.
pub(crate) fn words_of_literals<'a>(sources: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for token in sources.into_iter().flat_map(tokens) {
        if let Token::Text(text) = token {
            words.extend(text.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// The tokens of `const NAME: … = …;` and its like, by name.
fn named_values<'a>(tokens: &'a [Token], keywords: &[&str]) -> impl Iterator<Item = (&'a str, &'a [Token])> {
    tokens.iter().enumerate().filter_map(move |(place, token)| {
        let (Token::Word(word), Some(Token::Word(name))) = (token, tokens.get(place + 1)) else {
            return None;
        };
        if !keywords.contains(&word.as_str()) {
            return None;
        }
        let rest = &tokens[place + 2..];
        let start = rest.iter().position(|token| matches!(token, Token::Mark('=' | ';')))?;
        Some((name.as_str(), statement(&rest[start..])))
    })
}

/// The tokens up to the semicolon that ends them.
fn statement(tokens: &[Token]) -> &[Token] {
    let mut end = 0;
    while let Some(token) = tokens.get(end) {
        match token {
            Token::Mark(';') => break,
            Token::Mark('{' | '(' | '[') => end += bracketed(&tokens[end..]).len(),
            _ => end += 1,
        }
    }
    &tokens[..end]
}

/// The value after `class=`: a literal, or the expression up to the next attribute or the end of the tag.
fn attribute_value(tokens: &[Token]) -> &[Token] {
    if let [Token::Text(_), ..] = tokens {
        return &tokens[..1];
    }
    let mut end = 0;
    while let Some(token) = tokens.get(end) {
        match token {
            Token::Mark('>' | '}' | ')' | ']' | ';') => break,
            Token::Mark('{' | '(' | '[') => end += bracketed(&tokens[end..]).len(),
            Token::Word(_) if end > 0 && begins_attribute(&tokens[end..]) => break,
            _ => end += 1,
        }
    }
    &tokens[..end]
}

/// Whether an attribute such as `id=`, `aria-label=` or `on:click=` begins here.
fn begins_attribute(tokens: &[Token]) -> bool {
    let mut rest = tokens;
    while let [Token::Word(_), Token::Mark('-' | ':'), after @ ..] = rest {
        rest = after;
    }
    matches!(rest, [Token::Word(_), Token::Mark('='), next, ..] if !matches!(next, Token::Mark('=' | '>')))
}

/// The group that begins with the first token, its closing bracket included.
fn bracketed(tokens: &[Token]) -> &[Token] {
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark('{' | '(' | '[') => depth += 1,
            Token::Mark('}' | ')' | ']') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &tokens[..=place];
        }
    }
    tokens
}

/// The literals of an expression, those of the constants that it names included.
fn collect<'a>(expression: &'a [Token], constants: &HashMap<&str, &'a [Token]>, texts: &mut Vec<&'a str>) {
    for (place, token) in expression.iter().enumerate() {
        match token {
            // What is compared or matched decides between classes and is none.
            Token::Text(text) if !is_condition(expression, place) => texts.push(text),
            Token::Word(word) if is_constant(word) => {
                if let Some(value) = constants.get(word.as_str()) {
                    collect(value, constants, texts);
                }
            }
            _ => {}
        }
    }
}

fn is_condition(expression: &[Token], place: usize) -> bool {
    let before = &expression[..place];
    matches!(before, [.., Token::Mark('=' | '!'), Token::Mark('=')])
        || matches!(expression.get(place + 1..), Some([Token::Mark('='), Token::Mark('=' | '>'), ..]))
}

fn is_constant(word: &str) -> bool {
    word.len() > 1
        && word
            .chars()
            .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_')
}

fn joined_name(first: &str, rest: &[Token]) -> String {
    let mut name = first.to_owned();
    let mut rest = rest;
    while let [Token::Mark('-'), Token::Word(word), after @ ..] = rest {
        name.push('-');
        name.push_str(word);
        rest = after;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(source: &str) -> Vec<String> {
        named_in([source]).into_iter().collect()
    }

    #[test]
    fn literals_and_named_classes() {
        assert_eq!(
            found(r#"view! { <p class="flex gap-2" id="name" class:is-open=open>"text here"</p> }"#),
            ["flex", "gap-2", "is-open"]
        );
    }

    #[test]
    fn both_sides_of_a_condition_but_not_what_is_compared() {
        assert_eq!(
            found(r#"<p class={ if kind == "stop" { "text-brick" } else { "text-river" } } title="no class">"#),
            ["text-brick", "text-river"]
        );
        assert_eq!(found(r#"<p class=move || match kind { "a" => "one", _ => "two" } lang="en">"#), ["one", "two"]);
        assert_eq!(found(r#"<p class=("hidden", move || closed())>"#), ["hidden"]);
        assert_eq!(
            found(r#"<p class=move || if open() { "a" } else { "b" } aria-label="no class">"c"</p>"#),
            ["a", "b"]
        );
    }

    #[test]
    fn constants_and_functions() {
        let source = r##"
            const CARD: &str = concat!("rounded-2xl ", "border");
            const OTHER: &str = "unused";
            fn button_class(kind: Kind) -> &'static str { match kind { Kind::Quiet => "bg-card", Kind::Stop => r#"bg-brick"# } }
            // class="in-a-comment"
            fn page() { let character = '"'; view! { <div class=CARD id="x"><a class=button_class(Kind::Quiet) href="/y">"z"</a></div> } }
        "##;
        assert_eq!(found(source), ["bg-brick", "bg-card", "border", "rounded-2xl"]);
    }

    #[test]
    fn a_variable_of_the_same_file() {
        let source = r#"
            let tone = match line.kind { Kind::Kept => "kept", other => { note(other); "goes" } };
            view! { <td class=tone>"text"</td> }
        "#;
        assert_eq!(found(source), ["goes", "kept"]);
        assert!(named_in([r#"let tone = "kept";"#, "view! { <td class=tone> }"]).is_empty());
    }

    #[test]
    fn a_constant_of_another_file() {
        let classes = named_in([r#"<p class=classes::CARD.trim() id="a">"#, r#"pub const CARD: &str = "p-4";"#]);
        assert_eq!(classes.into_iter().collect::<Vec<_>>(), ["p-4"]);
    }
}
