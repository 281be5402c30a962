//! What a person may be told when something went wrong: a closed code and the incident's id.

use leptos::server_fn::codec::JsonEncoding;
use leptos::server_fn::error::{FromServerFnError, ServerFnErrorErr};
use serde::{Deserialize, Serialize};

/// A refused or failed request, as the page hears of it. It has the fields of a problem document
/// that matter here, so that an answer of the server's guards is understood as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicError {
    /// What happened.
    pub code: ErrorCode,
    /// The id under which the server logged it. Empty where the server was never reached.
    #[serde(default)]
    pub incident: String,
}

/// All that a page can be told. The words are those of problem documents and of the page's query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The typed confirmation is missing or wrong.
    ConfirmationMissing,
    /// The input isn't what is accepted here.
    InvalidInput,
    /// The session is over.
    NotSignedIn,
    /// The account was erased, or is being erased.
    AccountDeleted,
    /// Somebody else acts in the person's name.
    Impersonated,
    /// The sign-in is too old for this.
    ReverificationNeeded,
    /// They signed in anew, and still nothing confirms who they are.
    StillUnverified,
    /// The page was made for somebody else than who is signed in now.
    OtherUser,
    /// There is no such thing.
    NotFound,
    /// What would happen is no longer what was shown.
    PlanChanged,
    /// The record changed since it was shown.
    ChangedElsewhere,
    /// Too many requests.
    TooManyRequests,
    /// Something that this needs is down.
    Unavailable,
    /// The server couldn't be reached. Only the browser says this.
    Unreachable,
    /// Anything else.
    #[serde(other)]
    Internal,
}

impl ErrorCode {
    /// Every code that may stand in a page's query.
    const ALL: [Self; 15] = [
        Self::ConfirmationMissing,
        Self::InvalidInput,
        Self::NotSignedIn,
        Self::AccountDeleted,
        Self::Impersonated,
        Self::ReverificationNeeded,
        Self::StillUnverified,
        Self::OtherUser,
        Self::NotFound,
        Self::PlanChanged,
        Self::ChangedElsewhere,
        Self::TooManyRequests,
        Self::Unavailable,
        Self::Unreachable,
        Self::Internal,
    ];

    /// The word for programs and for a page's query.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmationMissing => "confirmation_missing",
            Self::InvalidInput => "invalid_input",
            Self::NotSignedIn => "not_signed_in",
            Self::AccountDeleted => "gone",
            Self::Impersonated => "impersonated",
            Self::ReverificationNeeded => "reverification_needed",
            Self::StillUnverified => "not_confirmed",
            Self::OtherUser => "another_person",
            Self::NotFound => "not_found",
            Self::PlanChanged => "plan_changed",
            Self::ChangedElsewhere => "changed_elsewhere",
            Self::TooManyRequests => "too_many_requests",
            Self::Unavailable => "unavailable",
            Self::Unreachable => "unreachable",
            Self::Internal => "internal",
        }
    }

    /// The code of a word; anything unknown is [`Code::Internal`].
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::ALL.into_iter().find(|code| code.as_str() == word).unwrap_or(Self::Internal)
    }

    /// The HTTP status of a server function's answer.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::ConfirmationMissing | Self::InvalidInput => 400,
            Self::NotSignedIn | Self::AccountDeleted => 401,
            Self::Impersonated | Self::ReverificationNeeded | Self::StillUnverified => 403,
            Self::NotFound => 404,
            Self::PlanChanged | Self::ChangedElsewhere | Self::OtherUser => 409,
            Self::TooManyRequests => 429,
            Self::Unavailable | Self::Unreachable => 503,
            Self::Internal => 500,
        }
    }

    /// What the person reads.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::ConfirmationMissing => "The words don't match. Nothing was deleted.",
            Self::InvalidInput => "That could not be read. Reload the page and try again.",
            Self::NotSignedIn => "Your session has ended.",
            Self::AccountDeleted => "This account is being deleted or is gone.",
            Self::Impersonated => "Not possible while somebody else is signed in as this person.",
            Self::ReverificationNeeded => {
                "For this, confirm first that it's you: sign in once more. After that you go on here."
            }
            Self::StillUnverified => {
                "You signed in, but nothing confirmed that it's you. Add a password, a passkey or a code to your \
                 account and sign in with it. If you can't, write to us, and we do it for you."
            }
            Self::OtherUser => {
                "Somebody else is signed in now, and this page was made for another account. Nothing was done. \
                 Reload the page."
            }
            Self::NotFound => "There is nothing here.",
            Self::PlanChanged => "Your data changed since it was counted. Please look at the table again.",
            Self::ChangedElsewhere => "Your preferences were changed elsewhere in the meantime.",
            Self::TooManyRequests => "Too many requests in a short time. Wait a minute, then try again.",
            Self::Unavailable => "Something that this needs is not reachable at the moment. Try again in a minute.",
            Self::Unreachable => "The server can't be reached. Is the connection working?",
            Self::Internal => "Something went wrong on our side. It was noted.",
        }
    }
}

impl FromServerFnError for PublicError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        let code = match error {
            ServerFnErrorErr::Request(_) => ErrorCode::Unreachable,
            ServerFnErrorErr::Args(_) | ServerFnErrorErr::MissingArg(_) => ErrorCode::InvalidInput,
            _ => ErrorCode::Internal,
        };
        #[cfg(feature = "ssr")]
        super::respond::set_error_status(code);
        Self { code, incident: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_word_everywhere() {
        for code in ErrorCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(ErrorCode::parse(code.as_str()), code);
            assert!(code.message().ends_with(['.', '?']));
        }
        assert_eq!(ErrorCode::parse("<script>"), ErrorCode::Internal);
    }

    #[test]
    fn an_answer_of_the_guards_is_understood() {
        let problem = r#"{"type":"about:blank","title":"Too many requests","status":429,"code":"too_many_requests","incident":"a1"}"#;
        let error: PublicError = serde_json::from_str(problem).unwrap();
        assert_eq!(error, PublicError { code: ErrorCode::TooManyRequests, incident: "a1".to_owned() });
        let unknown: PublicError = serde_json::from_str(r#"{"code":"cross_origin"}"#).unwrap();
        assert_eq!(unknown.code, ErrorCode::Internal);
    }
}
