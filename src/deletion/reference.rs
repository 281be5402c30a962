//! What a deletion is found by.

use uuid::Uuid;

use crate::ids::ClerkUserId;
use crate::receipt_code::ReceiptCode;
use crate::{Lethe, Result};

/// What an operator finds a deletion by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The code of its receipt.
    Receipt(ReceiptCode),
    /// The person. Finds only a deletion that isn't completed, since a completed one has no link to the person.
    Subject(ClerkUserId),
    /// Its id, which alerts and the log have.
    Request(Uuid),
}

/// The text is nothing that a deletion is found by.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither a receipt code nor a Clerk user id nor the id in an alert")]
pub struct InvalidReference;

impl Reference {
    /// Reads a receipt code, a Clerk user id or the id of a deletion.
    ///
    /// ```
    /// use lethe::deletion::Reference;
    ///
    /// assert!(matches!(Reference::parse("user_2abcDEF0123456789"), Ok(Reference::Subject(_))));
    /// assert!(matches!(Reference::parse("7q2m9kxa41td0000abcd"), Ok(Reference::Receipt(_))));
    /// assert!(Reference::parse("ada@example.org").is_err());
    /// ```
    pub fn parse(text: &str) -> Result<Self, InvalidReference> {
        let text = text.trim();
        if let Ok(subject) = ClerkUserId::parse(text) {
            return Ok(Self::Subject(subject));
        }
        if let Ok(request) = Uuid::try_parse(text) {
            return Ok(Self::Request(request));
        }
        ReceiptCode::parse(text).map(Self::Receipt).map_err(|_| InvalidReference)
    }
}

/// Returns the id of the deletion, or `None` if there is none.
pub(super) async fn find(lethe: &Lethe, reference: &Reference) -> Result<Option<Uuid>> {
    let (receipt, subject, request) = match reference {
        Reference::Receipt(code) => (Some(code.as_str()), None, None),
        Reference::Subject(subject) => (None, Some(subject.as_str()), None),
        Reference::Request(request) => (None, None, Some(*request)),
    };
    Ok(sqlx::query_scalar!(
        "select id from lethe.deletion_request where receipt_code = $1 or clerk_id = $2 or id = $3",
        receipt,
        subject,
        request,
    )
    .fetch_optional(&lethe.database)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reference_is_read_by_its_form() {
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!(Reference::parse(id), Ok(Reference::Request(Uuid::from_u128(7))));
        assert_eq!(
            Reference::parse(" 7q2m9kxa41td0000abcd "),
            Ok(Reference::Receipt(ReceiptCode::from_database(ReceiptCode::EXAMPLE.to_owned())))
        );
        for wrong in ["", "ada@example.org", "org_2abc", "7Q2M"] {
            assert_eq!(Reference::parse(wrong), Err(InvalidReference), "{wrong}");
        }
    }

    #[test]
    fn debug_output_of_a_reference_names_no_person_and_no_receipt() {
        for text in ["user_2abcDEF0123456789", ReceiptCode::EXAMPLE] {
            let output = format!("{:?}", Reference::parse(text).unwrap());
            assert!(!output.contains("2abc") && !output.contains("7Q2M"), "{output}");
        }
    }
}
