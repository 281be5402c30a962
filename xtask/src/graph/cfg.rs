//! Recognizes test-only code by its attributes.

use syn::{Attribute, Meta};

/// Whether an attribute excludes its item from all builds except tests.
pub(crate) fn is_test_only(attribute: &Attribute) -> bool {
    if attribute.path().is_ident("test") {
        return true;
    }
    attribute.path().is_ident("cfg") && attribute.parse_args::<Meta>().is_ok_and(|condition| needs_test(&condition))
}

/// Whether a `cfg` condition can hold only in a test build.
fn needs_test(condition: &Meta) -> bool {
    match condition {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) => {
            let Ok(parts) = list.parse_args_with(syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated)
            else {
                return false;
            };
            if list.path.is_ident("all") {
                parts.iter().any(needs_test)
            } else {
                list.path.is_ident("any") && !parts.is_empty() && parts.iter().all(needs_test)
            }
        }
        Meta::NameValue(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use syn::Item;

    use super::*;

    fn is_cut(attribute: &str) -> bool {
        let item: Item = syn::parse_str(&format!("{attribute} mod x;")).expect("it is an item");
        matches!(item, Item::Mod(module) if module.attrs.iter().any(is_test_only))
    }

    #[test]
    fn test_only_modules_are_cut() {
        assert!(is_cut("#[cfg(test)]"));
        assert!(is_cut("#[cfg(all(test, feature = \"ssr\"))]"));
        assert!(is_cut("#[cfg(any(test))]"));
        assert!(!is_cut("#[cfg(any(test, feature = \"testing\"))]"));
        assert!(!is_cut("#[cfg(not(test))]"));
        assert!(!is_cut("#[cfg(feature = \"test\")]"));
        assert!(!is_cut(""));
    }
}
