//! The closed list of errors that Lethe reports to the outside.
//!
//! Core, pages and HTTP interface share it, and it compiles for the browser. For each error it holds
//! the code that programs match on, the HTTP status and the sentence that a person reads. Nothing else
//! about an error leaves the server; its causes go to the log under an incident id.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Defines [`ErrorCode`] and everything that is derived from a code, so that a new one is one entry.
macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $status:literal, $message:literal;)+) => {
        /// Why a request wasn't served.
        ///
        /// ```
        /// use lethe_error_code::ErrorCode;
        ///
        /// assert_eq!(ErrorCode::NotSignedIn.as_str(), "not_signed_in");
        /// assert_eq!(ErrorCode::NotSignedIn.status(), 401);
        /// assert_eq!(ErrorCode::parse("not_signed_in"), ErrorCode::NotSignedIn);
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)+
        }

        impl ErrorCode {
            /// Every code, in the order of its definition.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word for programs: the member `code` of a problem document.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The HTTP status of a response that reports this error.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// The sentence that a person reads.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }
    };
}

error_codes! {
    /// The typed or sent confirmation is missing or wrong.
    ConfirmationMissing = "confirmation_missing", 400,
        "Type “delete my account” exactly as shown. Nothing was deleted.";
    /// The input isn't what is accepted here.
    InvalidInput = "invalid_input", 400, "We couldn’t read that. Reload the page and try again.";
    /// The signature, the timestamp or the body of a webhook isn't valid.
    WebhookRejected = "webhook_rejected", 400, "We couldn’t read that. Reload the page and try again.";
    /// There is no session, or it has ended.
    NotSignedIn = "not_signed_in", 401, "You’ve been signed out.";
    /// The account was erased, or is being erased.
    AccountDeleted = "gone", 401, "This account is being deleted or has been deleted.";
    /// The session belongs to somebody who acts for the user (Clerk's actor tokens).
    Impersonated = "impersonated", 403, "You can’t do this while signed in on someone’s behalf.";
    /// The last verification of the user is too old for this (Clerk's reverification).
    ReverificationNeeded = "reverification_needed", 403,
        "To protect your data, sign in again first. You’ll be signed out, and we’ll bring you straight back here.";
    /// The user signed in again, and the new session still has no recent verification.
    StillUnverified = "not_confirmed", 403,
        "You signed in, but in a way we can’t check again. Add a password, passkey or code to your account and sign in \
         with it. If you can’t, contact us and we’ll help.";
    /// The browser refuses the cookie that keeps a user signed in.
    CookiesBlocked = "cookies_blocked", 403,
        "Your browser blocks cookies. We need one to keep you signed in. Allow cookies for this site, then try again.";
    /// A browser sent the request from a page of another origin.
    CrossOrigin = "cross_origin", 403, "We blocked this because it came from another website.";
    /// Not allowed, for a reason that isn't told.
    Forbidden = "forbidden", 403, "Something went wrong. It’s our fault, and it was logged.";
    /// There is no such thing.
    NotFound = "not_found", 404, "Page not found.";
    /// The address exists, but not for this HTTP method.
    MethodNotAllowed = "method_not_allowed", 405, "Page not found.";
    /// The page was rendered for another user than the one who is signed in now.
    OtherUser = "another_person", 409,
        "You’ve switched accounts since opening this page. Nothing was changed. Reload the page.";
    /// The deletion's plan changed since it was shown.
    PlanChanged = "plan_changed", 409,
        "What would happen has changed since you opened this page. Check the list, then confirm again.";
    /// The text of a purpose isn't the one that the form showed.
    TextChanged = "text_changed", 409,
        "The text changed while this page was open. Reload the page, read it again, then choose.";
    /// The consent record changed since it was shown.
    ChangedElsewhere = "changed_elsewhere", 409,
        "Your preferences were changed somewhere else while this page was open.";
    /// Another export of the same user is running.
    ExportRunning = "export_running", 409,
        "A download of your data is already running. Wait until it has finished, or cancel it, then try again.";
    /// The request is larger than is accepted.
    TooLarge = "too_large", 413, "That request was too large.";
    /// The request's media type isn't accepted.
    UnsupportedMediaType = "unsupported_media_type", 415, "We couldn’t read that. Reload the page and try again.";
    /// Too many requests.
    TooManyRequests = "too_many_requests", 429, "Too many requests in a short time. Wait a minute, then try again.";
    /// A step of the deletion failed. It is retried without another request.
    DeletionUnfinished = "deletion_unfinished", 500,
        "A step of the deletion failed. We’ll keep trying; you don’t need to ask again.";
    /// Something else failed.
    Internal = "internal", 500, "Something went wrong. It’s our fault, and it was logged.";
    /// Something that this depends on can't be reached.
    Unavailable = "unavailable", 503, "A service we need isn’t responding. Try again in a minute.";
    /// The database was restored and waits for an operator.
    Maintenance = "maintenance", 503, "We’re doing maintenance. Please try again later.";
    /// The server couldn't be reached. Only a browser reports this, to its own user.
    Unreachable = "unreachable", 503, "We can’t reach the server. Check your connection.";
}

impl ErrorCode {
    /// Returns the code that `word` names, or [`ErrorCode::Internal`] for an unknown one: a newer server may
    /// know more codes than an older page.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        Self::ALL.iter().copied().find(|code| code.as_str() == word).unwrap_or(Self::Internal)
    }

    /// Returns the most general code with the given HTTP status.
    #[must_use]
    pub const fn from_status(status: u16) -> Self {
        match status {
            401 => Self::NotSignedIn,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            413 => Self::TooLarge,
            415 => Self::UnsupportedMediaType,
            429 => Self::TooManyRequests,
            503 => Self::Unavailable,
            400..=499 => Self::InvalidInput,
            _ => Self::Internal,
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&std::borrow::Cow::<str>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_survives_json() {
        for &code in ErrorCode::ALL {
            let json = serde_json::to_string(&code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ErrorCode>(&json).unwrap(), code);
        }
    }

    #[test]
    fn unknown_code_is_internal() {
        assert_eq!(serde_json::from_str::<ErrorCode>("\"<script>\"").unwrap(), ErrorCode::Internal);
    }

    #[test]
    fn status_leads_to_a_code_with_that_status() {
        for &code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_status(code.status()).status() / 100, code.status() / 100, "{code}");
        }
        for status in [400, 401, 403, 404, 405, 413, 415, 429, 500, 503] {
            assert_eq!(ErrorCode::from_status(status).status(), status);
        }
        assert_eq!(ErrorCode::from_status(418), ErrorCode::InvalidInput);
        assert_eq!(ErrorCode::from_status(502), ErrorCode::Internal);
    }

    #[test]
    fn message_is_a_sentence() {
        for code in ErrorCode::ALL {
            assert!(code.message().ends_with(['.', '?']), "{code}");
        }
    }
}
