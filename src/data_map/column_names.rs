//! Which column names suggest that a column is about a person. Names only suggest: what they
//! suggest, a rule or a written reason must settle.

/// Whether a column of this name may hold a person's key: the Clerk user id, or the number of
/// their row.
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

/// Whether a table with a column of this name is likely to be about people.
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

/// Whether a column of this name looks like a credential.
pub(super) fn suggests_credential(column: &str) -> bool {
    ["secret", "password", "token", "hash", "digest"].iter().any(|word| normalize(column).contains(word))
}

/// `user_id`, `userId` and `UserID` are one name.
fn normalize(column: &str) -> String {
    column.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_however_they_are_written() {
        for name in ["user_id", "userId", "UserID", "clerk_user_id", "createdBy"] {
            assert!(may_hold_user_id(name), "{name}");
        }
        assert!(suggests_person("email") && !may_hold_user_id("email"));
        assert!(!suggests_person("title") && !suggests_person("post_id"));
    }
}
