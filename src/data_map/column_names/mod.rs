//! Column names that suggest personal data. A name only suggests: a rule or a written reason in the map decides.

mod role;

pub(super) use role::{Role, is_key_of_person, role};

use super::address::AddressKind;

/// Whether a column of this name may identify a user: by the Clerk user id, or by the primary key of the user's row.
pub(super) fn may_hold_user_id(column: &str) -> bool {
    const NAMES: [&str; 15] = [
        "userid",
        "clerkid",
        "clerkuserid",
        "authorid",
        "ownerid",
        "createdby",
        "updatedby",
        "deletedby",
        "creatorid",
        "editorid",
        "reviewerid",
        "assigneeid",
        "invitedby",
        "approvedby",
        "subjectid",
    ];
    NAMES.contains(&normalize(column).as_str())
}

/// Whether a column of this name suggests that its table is about people.
pub(super) fn suggests_person(column: &str) -> bool {
    const NAMES: [&str; 13] = [
        "customerid",
        "accountid",
        "memberid",
        "personid",
        "profileid",
        "email",
        "emailaddress",
        "mail",
        "phone",
        "phonenumber",
        "firstname",
        "lastname",
        "dateofbirth",
    ];
    may_hold_user_id(column) || NAMES.contains(&normalize(column).as_str())
}

/// Whether a column of this name holds a credential. The caller knows that it isn't a number.
pub(super) fn suggests_credential(column: &str) -> bool {
    const PARTS: [&str; 16] = [
        "password",
        "passwd",
        "secret",
        "privatekey",
        "apikey",
        "accesstoken",
        "refreshtoken",
        "sessiontoken",
        "tokenhash",
        "tokendigest",
        "recoverycode",
        "backupcode",
        "totp",
        "keyhash",
        "hashedkey",
        "partialkey",
    ];
    const ENDINGS: [&str; 6] = ["token", "salt", "sessionid", "otp", "credentials", "p256dh"];
    let name = normalize(column);
    PARTS.iter().any(|part| name.contains(part)) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a column of this name says that its row was deleted, revoked or archived.
pub(super) fn is_deletion_time(column: &str) -> bool {
    ["deletedat", "revokedat", "archivedat", "deletedon", "removedat"].contains(&normalize(column).as_str())
}

/// Whether a table of this name may have to be retained: for bookkeeping, or as a log. Whole words count: not `catalog`.
pub(super) fn suggests_retention(table: &str) -> bool {
    const WORDS: [&str; 13] = [
        "log",
        "audit",
        "invoice",
        "order",
        "sale",
        "payment",
        "usage",
        "transaction",
        "ledger",
        "refund",
        "receipt",
        "contract",
        "booking",
    ];
    words(table).iter().any(|word| WORDS.contains(&word.strip_suffix('s').unwrap_or(word)))
}

/// Whether a table of this name holds organizations, not people.
pub(super) fn suggests_organization(table: &str) -> bool {
    const WORDS: [&str; 8] =
        ["organization", "organisation", "org", "team", "company", "tenant", "workspace", "companie"];
    words(table).iter().any(|word| WORDS.contains(&word.strip_suffix('s').unwrap_or(word)))
}

/// Whether a key of this name may be one of the table: `customer_id` of `customers`, `redeemedByClientId` of `Client`.
pub(super) fn names_table(column: &str, table: &str) -> bool {
    let singular = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
    let mut stem = words(column);
    if stem.last().is_some_and(|word| word == "id" || word == "uuid") {
        stem.pop();
    }
    let table: Vec<String> = words(table).iter().map(|word| singular(word)).collect();
    let stem: Vec<String> = stem.iter().map(|word| singular(word)).collect();
    !stem.is_empty() && (stem == table || table.len() == 1 && stem.last() == table.last())
}

/// Splits `audit_logs` and `AuditLogs` into words, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        was_lower = letter.is_lowercase();
        if letter.is_alphanumeric() {
            words.last_mut().expect("the list starts with a word").extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a column of this name says when the row was created.
pub(super) fn is_creation_time(column: &str) -> bool {
    const NAMES: [&str; 7] =
        ["createdat", "insertedat", "createdon", "created", "datecreated", "createtime", "creationdate"];
    NAMES.contains(&normalize(column).as_str())
}

/// Whether a column of this name says when the row was written, and nothing of a person.
pub(super) fn is_time_of_change(column: &str) -> bool {
    const WORDS: [&str; 5] = ["updated", "modified", "lastmodified", "changed", "deleted"];
    let name = normalize(column);
    let word = ["at", "on", "date", "time"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    is_creation_time(column) || WORDS.contains(&word)
}

/// Whether a column of this name holds a generated key, whatever its type.
pub(super) fn is_generated_key(column: &str) -> bool {
    matches!(normalize(column).as_str(), "id" | "uuid" | "guid" | "ulid" | "cuid")
}

/// Maps `user_id`, `userId` and `UserID` to the same name.
fn normalize(column: &str) -> String {
    column.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Returns the column that says of which table a key is: `owner_type` for `owner_id`, `ownerType` for `ownerId`.
pub(super) fn type_column<'a>(column: &str, mut names: impl Iterator<Item = &'a String>) -> Option<String> {
    let stem = ["_id", "Id", "ID"].iter().find_map(|ending| column.strip_suffix(ending))?;
    let is_type =
        |name: &&String| ["_type", "Type", "_kind"].iter().any(|ending| name.strip_suffix(ending) == Some(stem));
    names.find(is_type).cloned()
}

/// Returns what kind of address a column with this name may hold.
pub(super) fn address_kind(column: &str) -> Option<AddressKind> {
    let name = column.to_lowercase().replace(['_', '-'], "");
    if name.ends_with("email") || name.ends_with("emailaddress") || name == "mail" {
        return Some(AddressKind::Email);
    }
    let is_phone = ["phone", "phonenumber", "mobile", "mobilenumber"].iter().any(|ending| name.ends_with(ending));
    is_phone.then_some(AddressKind::Phone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_every_spelling() {
        for name in ["user_id", "userId", "UserID", "clerk_user_id", "createdBy"] {
            assert!(may_hold_user_id(name), "{name}");
        }
        assert!(suggests_person("email") && !may_hold_user_id("email"));
        assert!(!suggests_person("title") && !suggests_person("post_id"));
    }

    #[test]
    fn counters_and_hashes_of_documents_are_no_credentials() {
        for name in [
            "passwordHash",
            "salt",
            "api_key_hash",
            "private_key",
            "access_token",
            "session_id",
            "recovery_codes",
            "token",
        ] {
            assert!(suggests_credential(name), "{name}");
        }
        for name in ["document_hash", "tokens_in", "token_used", "token_count", "digest", "content_hash"] {
            assert!(!suggests_credential(name), "{name}");
        }
    }

    #[test]
    fn whole_words_of_a_table_count() {
        assert!(
            suggests_retention("AuditLog") && suggests_retention("public.sales") && suggests_retention("order_items")
        );
        assert!(!suggests_retention("catalog_items") && !suggests_retention("blogs"));
        assert!(
            suggests_organization("Organization")
                && suggests_organization("companies")
                && !suggests_organization("steam")
        );
    }

    #[test]
    fn keys_are_named_like_their_table() {
        for (column, table) in
            [("customer_id", "customers"), ("redeemedByClientId", "Client"), ("team_member_id", "team_members")]
        {
            assert!(names_table(column, table), "{column} {table}");
        }
        for (column, table) in
            [("user_id", "admin_users"), ("customer_id", "orders"), ("id", "ids"), ("created_by", "by_laws")]
        {
            assert!(!names_table(column, table), "{column} {table}");
        }
    }

    #[test]
    fn names_of_addresses_are_recognised() {
        for name in ["email", "Email", "guest_email", "invitedEmail", "email_address"] {
            assert_eq!(address_kind(name), Some(AddressKind::Email), "{name}");
        }
        for name in ["phone", "mobile", "contactPhoneNumber"] {
            assert_eq!(address_kind(name), Some(AddressKind::Phone), "{name}");
        }
        for name in ["email_verified", "phones", "headphone_id"] {
            assert_eq!(address_kind(name), None, "{name}");
        }
    }
}
