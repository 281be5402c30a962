use super::*;

fn secret(byte: u8) -> String {
    BASE64.encode(&[byte; 32])
}

fn keys(bytes: &[u8]) -> Keys {
    let secrets: Vec<String> = bytes.iter().map(|byte| secret(*byte)).collect();
    Keys::derive(&secrets.join(",").into()).expect("long enough")
}

fn person(id: &str) -> ClerkUserId {
    ClerkUserId::parse(id).expect("it is an id")
}

#[test]
fn browser_value_opens_only_with_its_name_and_the_key_that_sealed_it() {
    let random = Random::system();
    let sealed = keys(&[1]).seal_for_browser("errand", b"an errand", &random);
    assert_eq!(keys(&[1]).open_from_browser("errand", &sealed).as_deref(), Some(b"an errand".as_slice()));
    assert_eq!(keys(&[2]).open_from_browser("errand", &sealed), None);
    assert_eq!(keys(&[1]).open_from_browser("flash", &sealed), None, "it is another cookie's");
    for wrong in ["", "=", "not sealed", &sealed[1..], &format!("{sealed}A")] {
        assert_eq!(keys(&[1]).open_from_browser("errand", wrong), None, "{wrong}");
    }
}

#[test]
fn older_secrets_open_what_they_sealed_and_seal_nothing_new() {
    let random = Random::system();
    let (old, both, new) = (keys(&[1]), keys(&[2, 1]), keys(&[2]));
    let request = Uuid::from_u128(7);
    let sealed = old.seal_contact(request, "ada@example.org", &random);
    assert_eq!(both.open_contact(request, &sealed).as_deref(), Some("ada@example.org"));
    assert_eq!(new.open_contact(request, &sealed), None);
    assert!(!sealed.starts_with(&both.newest_prefix()));
    let sealed = both.seal_contact(request, "ada@example.org", &random);
    assert_eq!((old.open_contact(request, &sealed), new.open_contact(request, &sealed).is_some()), (None, true));
    assert!(sealed.starts_with(&both.newest_prefix()));

    let ada = person("user_2abcdefghijklmnopqrstuvwxyz");
    assert_eq!(both.tombstones(&ada), [new.tombstone(&ada), old.tombstone(&ada)]);
    assert_eq!((both.tombstone(&ada), both.user_handle(&ada)), (new.tombstone(&ada), new.user_handle(&ada)));
    assert_eq!(both.former_user_handles(&ada), [old.user_handle(&ada)]);
}

#[test]
fn sealed_contact_and_key_open_only_in_their_row() {
    let random = Random::system();
    let keys = keys(&[1]);
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert_eq!(keys.open_contact(other, &keys.seal_contact(one, "ada@example.org", &random)), None);
    let key = SubjectKey::generate(&random);
    let wrapped = keys.wrap(DataSubjectId(one), &key, &random);
    assert!(keys.unwrap_key(DataSubjectId(one), &wrapped).is_some_and(|unwrapped| unwrapped.0 == key.0));
    assert!(keys.unwrap_key(DataSubjectId(other), &wrapped).is_none());
    assert_eq!(keys.open_contact(one, &wrapped), None, "it is sealed with another key");
}

/// As version 0.1 stored contacts and cookies before they named the secret: nonce and ciphertext alone.
#[test]
fn texts_without_version_still_open() {
    let random = Random::system();
    let old = aead::seal(&keys(&[1]).newest.contact, &AssociatedData::none(), b"ada@example.org", &random);
    assert_eq!(keys(&[2, 1]).open_contact(Uuid::nil(), &old).as_deref(), Some("ada@example.org"));
    assert_eq!(keys(&[2]).open_contact(Uuid::nil(), &old), None);
    let old = aead::seal(&keys(&[1]).newest.browser, &AssociatedData::none(), b"an errand", &random);
    assert!(keys(&[2, 1]).open_from_browser("errand", &BASE64URL_NOPAD.encode(&old)).is_some());
}

#[test]
fn user_handle_differs_by_user_and_installation() {
    let (ada, grace) = (person("user_2abcdefghijklmnopqrstuvwxyz"), person("user_2zyxwvutsrqponmlkjihgfedcba"));
    assert_eq!(keys(&[1]).user_handle(&ada), keys(&[1]).user_handle(&ada));
    assert_ne!(keys(&[1]).user_handle(&ada), keys(&[1]).user_handle(&grace));
    assert_ne!(keys(&[1]).user_handle(&ada), keys(&[2]).user_handle(&ada));
}

#[test]
fn secrets_are_separated_by_commas_and_lines() {
    let expected: Vec<_> = keys(&[1, 2]).ids().collect();
    for text in [
        format!("{}\n{}\n", secret(1), secret(2)),
        format!(" {} , {},", secret(1), secret(2)),
        [secret(1), secret(2), secret(1)].join(" "),
    ] {
        assert_eq!(Keys::derive(&text.clone().into()).expect(&text).ids().collect::<Vec<_>>(), expected);
    }
    assert_eq!(expected.len(), 2);
}

#[test]
fn invalid_secret_among_others_is_refused() {
    for wrong in ["", " , ", "c2hvcnQ=", "not base64!", &format!("{},c2hvcnQ=", secret(1))] {
        assert!(Keys::derive(&wrong.into()).is_err(), "{wrong}");
    }
}
