//! The words that identifiers don't use, each with the standard term for what it was used for.
//!
//! Only words that readers can't know belong here: metaphors of our own, and ordinary words that had a special meaning.

/// Words and what to write instead.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) words: &'static [&'static str],
    pub(crate) instead: &'static str,
    pub(crate) scope: Scope,
}

/// Where a word is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In no identifier.
    Everywhere,
    /// In no identifier but the name of a test, which is an English sentence.
    ExceptTests,
    /// Not as the name of a module; elsewhere it is a standard term.
    Modules,
}

const fn everywhere(words: &'static [&'static str], instead: &'static str) -> Term {
    Term { words, instead, scope: Scope::Everywhere }
}

const fn except_tests(words: &'static [&'static str], instead: &'static str) -> Term {
    Term { words, instead, scope: Scope::ExceptTests }
}

const fn modules(words: &'static [&'static str], instead: &'static str) -> Term {
    Term { words, instead, scope: Scope::Modules }
}

/// All of them.
pub(crate) const TERMS: &[Term] = &[
    everywhere(&["errand", "errands"], "pending action or resume"),
    everywhere(&["desk", "desks"], "form controller"),
    everywhere(&["shelf", "shelves"], "draft store"),
    everywhere(&["told"], "message, notice or reported"),
    everywhere(&["patience"], "timeout, interval or limit, with its purpose and unit"),
    everywhere(&["wave", "waves"], "deletion set"),
    everywhere(&["victim", "victims"], "deleted rows"),
    everywhere(&["bury", "buried"], "write tombstone"),
    everywhere(&["introduce", "introduced"], "get or wait"),
    everywhere(&["hands"], "test API"),
    everywhere(&["leash", "leashed"], "death signal"),
    everywhere(&["verb", "verbs"], "subcommand or function"),
    everywhere(&["somebody", "nobody", "whoever"], "user, anonymous or other user"),
    except_tests(&["shown"], "displayed, props or plan hash"),
    except_tests(&["kept"], "stored, retained or cached"),
    except_tests(&["mark", "marks"], "user handle or token"),
    except_tests(&["place", "places"], "index, location or permit"),
    except_tests(&["answer", "answers", "answered"], "response or reply"),
    except_tests(&["room", "rooms"], "module or capacity"),
    except_tests(&["becomes", "became"], "outcome"),
    except_tests(&["standing", "standings"], "state"),
    modules(&["load"], "view_model"),
    modules(&["open"], "bootstrap"),
    modules(&["words"], "format"),
    modules(&["visit"], "auth or request context"),
    modules(&["boundary"], "middleware or lifecycle"),
];

/// Identifiers of other people's code, or of a standard, that contain such a word.
pub(crate) const STANDARD_USES: &[(&str, &str)] = &[
    ("open_in_place", "ring's name for authenticated decryption"),
    ("seal_in_place_append_tag", "ring's name for authenticated encryption"),
    ("block_in_place", "tokio's name"),
];
