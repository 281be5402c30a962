//! Reads Rust sources as tokens, as far as finding string literals needs it.

/// A piece of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Mark(char),
}

/// Words, string literals and marks; comments, characters and lifetimes are left out.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let characters: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut place = 0;
    while let Some(&character) = characters.get(place) {
        let next = characters.get(place + 1).copied();
        if character.is_whitespace() {
            place += 1;
        } else if character == '/' && next == Some('/') {
            place = skip_until(&characters, place, '\n');
        } else if character == '/' && next == Some('*') {
            place = skip_comment(&characters, place);
        } else if character == '"' {
            let (text, end) = text(&characters, place + 1);
            tokens.push(Token::Text(text));
            place = end;
        } else if character == 'r' && raw_hashes(&characters, place).is_some() {
            let hashes = raw_hashes(&characters, place).unwrap_or_default();
            let (text, end) = raw_text(&characters, place + 2 + hashes, hashes);
            tokens.push(Token::Text(text));
            place = end;
        } else if character == '\'' {
            place = skip_character(&characters, place);
        } else if character.is_alphanumeric() || character == '_' {
            let end = end_of_word(&characters, place);
            tokens.push(Token::Word(characters[place..end].iter().collect()));
            place = end;
        } else {
            tokens.push(Token::Mark(character));
            place += 1;
        }
    }
    tokens
}

fn end_of_word(characters: &[char], start: usize) -> usize {
    characters[start..]
        .iter()
        .position(|character| !(character.is_alphanumeric() || *character == '_'))
        .map_or(characters.len(), |length| start + length)
}

fn skip_until(characters: &[char], start: usize, end: char) -> usize {
    characters[start..].iter().position(|character| *character == end).map_or(characters.len(), |length| start + length)
}

fn skip_comment(characters: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut place = start;
    while place < characters.len() {
        match &characters[place..] {
            ['/', '*', ..] => (depth, place) = (depth + 1, place + 2),
            ['*', '/', ..] => (depth, place) = (depth - 1, place + 2),
            _ => place += 1,
        }
        if depth == 0 {
            break;
        }
    }
    place
}

/// A character literal ends with a quote; a lifetime doesn't.
fn skip_character(characters: &[char], start: usize) -> usize {
    match &characters[start + 1..] {
        ['\\', _, ..] => skip_until(characters, start + 3, '\'') + 1,
        [_, '\'', ..] => start + 3,
        _ => end_of_word(characters, start + 1).max(start + 1),
    }
}

fn text(characters: &[char], start: usize) -> (String, usize) {
    let mut text = String::new();
    let mut place = start;
    while let Some(&character) = characters.get(place) {
        match (character, characters.get(place + 1)) {
            ('"', _) => return (text, place + 1),
            // An escaped line end joins two lines; any other escape is no part of a class.
            ('\\', Some(escaped)) => {
                text.push(if escaped.is_whitespace() { ' ' } else { *escaped });
                place += 2;
            }
            _ => {
                text.push(character);
                place += 1;
            }
        }
    }
    (text, place)
}

fn raw_hashes(characters: &[char], start: usize) -> Option<usize> {
    let hashes = characters[start + 1..].iter().take_while(|character| **character == '#').count();
    (characters.get(start + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_text(characters: &[char], start: usize, hashes: usize) -> (String, usize) {
    let mut place = start;
    while place < characters.len() {
        let closes = characters[place] == '"'
            && characters[place + 1..].iter().take_while(|character| **character == '#').count() >= hashes;
        if closes {
            return (characters[start..place].iter().collect(), place + 1 + hashes);
        }
        place += 1;
    }
    (characters[start..].iter().collect(), place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_told_from_comments_characters_and_lifetimes() {
        let source =
            ["fn a<'a>() { '\"'; '\\''; /* \"no\" /* \"no\" */ */", "r#\"raw \"one\"\"#; \"es\\\"caped\" } // \"no\""]
                .join("\n");
        let texts: Vec<String> = tokens(&source)
            .into_iter()
            .filter_map(|token| if let Token::Text(text) = token { Some(text) } else { None })
            .collect();
        assert_eq!(texts, [r#"raw "one""#, r#"es"caped"#]);
    }
}
