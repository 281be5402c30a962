//! Column names that suggest personal data. A name only suggests: a rule or a written reason in the map decides.

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

/// Whether a column of this name suggests a credential.
pub(super) fn suggests_credential(column: &str) -> bool {
    ["secret", "password", "token", "hash", "digest"].iter().any(|word| normalize(column).contains(word))
}

/// Whether a column of this name says when the row was created.
pub(super) fn is_creation_time(column: &str) -> bool {
    const NAMES: [&str; 7] =
        ["createdat", "insertedat", "createdon", "created", "datecreated", "createtime", "creationdate"];
    NAMES.contains(&normalize(column).as_str())
}

/// Maps `user_id`, `userId` and `UserID` to the same name.
fn normalize(column: &str) -> String {
    column.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
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
}
