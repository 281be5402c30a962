//! Every text of the pages, in English. Errors have their texts in `lethe-error-code`, e-mails theirs in the core's
//! templates; a snapshot lists all three, for whoever translates.
//!
//! A text is a constant, or a function of the values in braces. Nothing else may put words on a page.

#![cfg_attr(not(feature = "ssr"), expect(dead_code, reason = "the islands use a part of the texts"))]

use std::fmt::Display;

macro_rules! texts {
    (
        constants { $($constant:ident = $constant_text:literal;)+ }
        functions { $($function:ident($($argument:ident),+) = $function_text:literal;)+ }
    ) => {
        $(pub(crate) const $constant: &str = $constant_text;)+
        $(
            pub(crate) fn $function($($argument: impl Display),+) -> String {
                format!($function_text)
            }
        )+

        /// Every text with its name. What is in braces is a value.
        #[cfg(all(test, feature = "ssr"))]
        const ALL: &[(&str, &str)] = &[
            $((stringify!($constant), $constant_text),)+
            $((stringify!($function), $function_text),)+
        ];
    };
}

texts! {
    constants {
        // Around every page.
        SKIP = "Skip to main content";
        SIGN_IN = "Sign in";
        SIGN_OUT = "Sign out";
        BRAND_SUFFIX = " · Privacy";
        CONTACT = "Contact us";
        PRIVACY_NOTICE = "Privacy notice";
        FIND_RECEIPT = "Find a deletion receipt";
        FOOTER = "More information";
        REFERENCE = "If you contact us, quote this reference:";
        TRY_AGAIN = "Try again";
        CANCEL = "Cancel";
        CLOSE = "Close";

        // The first page, signed out and signed in.
        CENTER_TITLE = "Privacy center";
        HERO = "Your data, your choice";
        LANDING_LEAD = "Sign in to manage the data we hold about you.";
        OFFER_PREFERENCES = "Set your preferences";
        OFFER_PREFERENCES_TEXT = "Choose what we can use your data for.";
        OFFER_PREFERENCES_ALL_OFF = "Choose what we can use your data for. Everything is off until you turn it on.";
        OFFER_COPY = "Download your data";
        OFFER_COPY_TEXT = "Get a file with the data we hold about you.";
        OFFER_DELETION = "Delete your account";
        OFFER_DELETION_TEXT = "See what will be deleted before you confirm, and get a receipt.";
        CENTER_LEAD = "Choose how we use your data, download a copy, or delete your account. You never have to give a reason.";
        ON_THIS_PAGE = "On this page";
        SIGNED_OUT = "You’ve signed out.";
        OTHER_USER = "You’re now signed in with another account. We’ve canceled what you started with the first one.";
        DELETION_UNDER_WAY = "Your account is being deleted.";
        SEE_PROGRESS = "See the progress";
        IMPERSONATED = "You’re signed in on someone’s behalf. You can turn preferences off for them, but not on, and you can’t download or delete their data.";

        // Delays at the sign-in service.
        CLERK_DOWN = "Our sign-in service is down. You can still save preferences. Downloads will work again once it’s back. You can start deleting your account; we’ll finish when it’s back.";
        MIRROR_DELAYED = "Your preferences are saved. It may take a little longer until they apply everywhere.";

        // What we hold.
        HELD = "What we hold";
        HELD_LEAD = "The data we hold about you, and what happens to it if you delete your account.";
        HELD_LINK = "See what we hold about you";
        HELD_LOADING = "Checking what we hold…";
        HELD_FAILED = "We can’t show this right now.";
        PLAN_CAPTION = "Your data and what happens to it";
        RESULT_CAPTION = "Your data and what happened to it";
        COLUMN_DATA = "Data";
        COLUMN_ITEMS = "Items";
        COLUMN_IF_DELETED = "If you delete your account";
        COLUMN_PLANNED = "What happens";
        COLUMN_DONE = "What happened";
        SIGN_IN_ACCOUNT = "Sign-in account";

        // Numbers.
        ONE_ITEM = "1 item";
        THOUSANDS_SEPARATOR = ",";
        DECIMAL_SEPARATOR = ".";
        LIST_SEPARATOR = ", ";

        // What happens to data.
        DELETED = "Deleted";
        SIGN_IN_DELETED = "Deleted. You’ll be signed out everywhere.";
        RETAINED = "Kept";
        OTHERS_RETAINED = "Kept: they belong to other people. Only the link to your data is removed.";
        SHARED_RETAINED = "Kept: it belongs to others too. What connects it with you is removed.";
        REST_RETAINED = "Everything else is kept.";
        ENTRY_RETAINED = "The entry itself is kept.";
        KEEPS_USER_ID = "What stays keeps your user ID.";
        PERSONAL_DETAILS = "personal details";
        STAMPED = "deleted";

        // Preferences.
        PREFERENCES = "Privacy preferences";
        PREFERENCES_LEAD = "All of these are optional. You can change your mind here at any time.";
        PREFERENCES_LEGEND = "What we can use your data for";
        SAVE = "Save preferences";
        TURN_ALL_OFF = "Turn all off";
        NOT_CHOSEN = "You haven’t chosen yet";
        UNSAVED = "Unsaved changes";
        SAVING = "Saving…";
        SAVED = "Saved";
        NO_CHANGES = "No changes to save";
        NOT_SAVED_YET = "Not saved yet";
        RESTORED = "Not saved: you’d been signed out. We’ve filled in your choices; press Save.";
        SAVE_SIGNED_OUT = "You’ve been signed out. Sign in again to save your choice.";
        SAVE_OFFLINE = "Not saved: you seem to be offline. We’ll keep your choice on this device and save it when you’re back.";
        USE_EARLIER_CHOICE = "Use my earlier choice";
        KEEP_CURRENT = "Keep the current ones";
        EARLIER_CHOICE = "Your earlier choice";
        GPC = "Your browser sends an opt-out signal (Global Privacy Control).";
        OFF = "Off";
        OFF_BY_SIGNAL = "Off (your browser asks for this)";
        ON_BY_DEFAULT = "On unless you turn it off";
        ON_ONCE_SAVED = "On once you save";
        OFF_ONCE_SAVED = "Off once you save";

        // A copy.
        COPY = "Download your data";
        COPY_LEAD = "Your profile and your data in this service, in one file other services can import (JSON).";
        DOWNLOAD = "Download my data";
        COPY_IDLE = "We create the file when you ask and don’t keep a copy.";
        COPY_PREPARING = "Preparing your file… You can keep using this page.";
        COPY_LOST = "We lost track of this download. Check your browser’s downloads.";
        COPY_CONFIRMED = "Thanks, it’s you. Press Download my data to start.";

        // Deletion.
        DELETION = "Delete your account";
        DELETION_LEAD = "Deletes your account for good. You’ll see what happens to your data before you confirm.";
        DELETION_WARNING = "Starts immediately and can’t be undone. Download a copy first if you want one.";
        DELETE_OPEN = "Delete account…";
        DELETE = "Delete account";
        DELETE_QUESTION = "Delete your account?";
        PLAN_LOADING = "Checking what we hold…";
        PLAN_OF_READER = "Here’s what will happen to your data.";
        PLAN_FAILED = "We can’t show what would be deleted, so you can’t delete your account right now. Nothing has been deleted.";
        PLAN_UNLISTED = "Our list of the data we hold is out of date right now, so we can’t show what will be deleted and what we must keep. You can ask anyway: your request counts from today, goes on by itself once the list is correct, and your receipt will say what was done. If you’d rather see the list first, come back later.";
        PLAN_OBSTRUCTED = "Something on our side has to be put right before your data can be deleted. You can ask anyway: your request counts from today, and goes on by itself once that’s done.";
        COLUMN_NOW = "What would happen now";
        NOT_LISTED = "not on the list";
        CHANGES_CAPTION = "What has changed since you confirmed";
        CHANGE_TITLE = "Confirm the deletion again";
        CHANGE_LEAD = "You asked us to delete your account. What would happen to your data has changed since you confirmed, so we’ve deleted nothing of it yet.";
        CHANGE_DETAILS_ONLY = "Only details have changed. Check the list below, then confirm again.";
        CHANGE_WAITS = "Your request stays open until you confirm.";
        CHECK_CHANGE = "Sign in to check what has changed";
        CANT_BE_UNDONE = "This can’t be undone.";
        DELETING = "Deleting your account…";
        CHECKING = "We’re checking whether the deletion started…";
        UNKNOWN = "We can’t reach the server, so we don’t know yet whether the deletion started. We’ll keep checking. If it started, it can’t be stopped.";
        UNKNOWN_SIGNED_OUT = "You’re no longer signed in, so we can’t see whether the deletion started. Sign in again to find out. If your account is already gone, your receipt says so.";
        RECEIPT_LINK = "Your receipt, if it started";
        NOTHING_DELETED = "Nothing was deleted.";
        CONFIRMED_PAGE = "Thanks, it’s you. Nothing has been deleted yet.";
        INTERRUPTED = "You’d been signed out, so nothing was deleted. Check the list, then confirm.";
        SIGN_IN_AGAIN = "Sign in again";
        SIGN_IN_AGAIN_NEW_TAB = "Sign in again in a new tab";
        ERROR_PREFIX = "Error: ";

        // Receipt and progress.
        RECEIPT = "Receipt";
        DELETING_TITLE = "Your account is being deleted";
        DONE_WITHOUT_DATA = "Your account has been deleted";
        DONE = "Your account and your data have been deleted";
        DONE_SOME_LATER = "Your account has been deleted; some of your data will be deleted later";
        DONE_SOME_RETAINED = "Your account has been deleted; some of your data is kept";
        DONE_SOME_RETAINED_SOME_LATER = "Your account has been deleted; some of your data is kept, and some will be deleted later";
        STEPS = "Steps";
        RESULTS = "What happened to your data";
        RESULTS_NOTHING = "In the tables we checked, there was nothing of yours. Your sign-in account has been deleted.";
        RETAINED_UNTIL_DATES = "Where a date is given, the data is deleted automatically on that date.";
        STEPS_DONE = "What we did, and when (UTC)";
        RECHECKS = "Late arrivals";
        RECHECKS_LEAD = "Data can still arrive just after a deletion, so we look again. Until the last time, we keep your sign-in ID, encrypted.";
        RECHECK_DUE = "We’ll look again";
        RECHECKED_NOTHING = "Looked again: nothing had arrived";
        DETAILS = "Technical details";
        PLAN_HASH = "Plan";
        AUDIT_LOG = "Audit log";
        COPY_LINK = "Copy link";
        LINK_COPIED = "Link copied";
        LINK_NOT_COPIED = "Not copied. Copy the address of this page instead.";
        PRINT = "Print";
        SAVE_LINK = "Save this page’s link as proof. It opens without signing in.";
        SAVE_PROGRESS_LINK = "Save this page’s link: it works without signing in and will become your receipt.";
        CHECK_AGAIN = "Check again";
        PENDING = "Waiting";
        WAITING_HOLD = "Paused";
        WAITING_CONFIRMATION = "Needs your confirmation";
        REPLANNED_UNLISTED = "When you asked, we couldn’t list what would happen. This is what we did.";
        RUNNING = "In progress";
        BLOCKED = "Needs our attention";
        DONE_OPENING = "All done. Opening your receipt…";
        GOES_ON = "The deletion continues without this page.";
        FIND_RECEIPT_LEAD = "Enter the code from your deletion receipt. It has 20 letters and digits.";
        RECEIPT_CODE = "Receipt code";
        OPEN_RECEIPT = "Open receipt";
        RECEIPT_NOT_FOUND = "We have no receipt with this code. Check it and try again.";

        // Activity.
        ACTIVITY = "Activity";
        ACTIVITY_LEAD = "Your choices, downloads and deletion requests, newest first.";
        ACTIVITY_NOTHING = "Nothing yet. Your choices, downloads and deletion requests will appear here.";
        ACTIVITY_ALL = "See all activity";
        ACTIVITY_OLDER = "Older activity";
        ACTIVITY_NEWEST = "Newest activity";
        BACK_TO_CENTER = "Back to the privacy center";
        COPY_REQUESTED = "You asked for a copy of your data";
        DELETION_REQUESTED = "You asked us to delete your account";

        // Errors as pages.
        NOT_FOUND = "Page not found";
        NOT_FOUND_LEAD = "Check the address, or start again.";
        TO_CENTER = "Go to the privacy center";
        UNAVAILABLE = "Temporarily unavailable";
        FAILED = "Something went wrong";
        BACK_SOON = "Back soon";
        COOKIES_BLOCKED = "Cookies are blocked";
        REQUEST_BLOCKED = "Request blocked";

        // Steps of a deletion, before and after.
        STEP_END_SESSIONS = "Sign you out everywhere";
        STEP_END_SESSIONS_DONE = "Signed you out everywhere";
        STEP_PENDING_WORK = "Cancel pending emails and tasks";
        STEP_PENDING_WORK_DONE = "Canceled pending emails and tasks";
        STEP_APPLICATION_DATA = "Delete your data";
        STEP_APPLICATION_DATA_DONE = "Deleted your data";
        STEP_VERIFICATION = "Check our tables again";
        STEP_VERIFICATION_DONE = "Checked our tables again";
        SEARCHED_TABLES = "Tables checked";
        SEARCHED_COLUMNS = "Searched for your user ID";
        UNSEARCHED = "Not searched";
        STAYS = "Kept";
        NO_PRIVILEGE = "we can’t read it";
        ROW_LEVEL_SECURITY = "some rows may be hidden from us";
        MATERIALIZED_VIEW = "a stored view";
        FOREIGN_TABLE = "its rows are in another system";
        ADDRESS_UNKNOWN = "its rows are found by an address, and none of yours was known";
        SEARCH_LIMITS = "We looked for your user ID and the rows that belong to it, not for mentions of you in texts or in backups.";
        SEARCH_LIMITS_CONTENT = "We looked for the rows that belong to you, and for your user ID and your verified addresses in every text, but not for your name, and not in files or backups.";
        CONTENT_SEARCH = "Texts searched";
        CONTENT_TOO_LARGE = "none, our database is too large for it";
        CONTENT_TIMED_OUT = "none, it took too long";
        CONTENT_FOUND = "Still contains your user ID or an address";
        STEP_CLERK_USER = "Delete your sign-in account";
        STEP_CLERK_USER_DONE = "Deleted your sign-in account";
        STEP_AUDIT = "Record the deletion";
        STEP_AUDIT_DONE = "Recorded the deletion";
        STEP_RECEIPT = "Create your receipt";
        STEP_RECEIPT_DONE = "Created your receipt";
    }
    functions {
        back_to(brand) = "Back to {brand}";
        signed_in_as(account) = "Signed in as {account}";
        other_user(account) = "You’re now signed in as {account}. We’ve canceled what you started with the other account.";
        reference(incident) = "Reference: {incident}";
        gpc_keeps_off(titles) = "So we keep {titles} off.";
        on_since(date) = "On since {date}";
        off_since(date) = "Off since {date}";
        changed_since(date) = "This has changed since you agreed on {date}, so it’s off until you choose.";
        last_changed(time) = "Last changed {time}";
        not_saved(reason) = "Not saved. {reason}";
        not_saved_but_stored(reason) = "Not saved, but kept on this device. {reason}";
        earlier_choice(choices) = "You chose {choices}, but we couldn’t save it.";
        earlier_choice_changed(choices) = "You chose {choices}, but we couldn’t save it. Your preferences have been changed since, somewhere else. The current ones are shown.";
        choice_on(title) = "{title}: on";
        choice_off(title) = "{title}: off";
        last_download(time, content) = "Last download {time} ({content})";
        downloaded(content) = "Downloaded: {content}";
        not_downloaded(reason) = "Not downloaded. {reason}";
        items_and_size(items, size) = "{items}, {size}";
        items(count) = "{count} items";
        bytes(count) = "{count} bytes";
        size(number, unit) = "{number} {unit}";
        list(first, last) = "{first} and {last}";
        plan_of(account) = "Here’s what will happen to the data of {account}.";
        oldest(date) = "Oldest from {date}";
        hidden_deleted_on(date) = "Hidden now, deleted on {date}";
        hidden_to_be_deleted_on(date) = "Hidden, will be deleted on {date}";
        retained_until(date) = "Kept until {date}";
        removed(details) = "{details} removed";
        is_retained(details) = "{details} is kept.";
        are_retained(details) = "{details} are kept.";
        is_retained_because(details, reason) = "{details} is kept: {reason}";
        are_retained_because(details, reason) = "{details} are kept: {reason}";
        rest_is_retained_because(reason) = "Everything else is kept: {reason}";
        removed_rest_deleted_on(details, date) = "{details} removed, the rest deleted on {date}";
        removed_rest_to_be_deleted_on(details, date) = "{details} removed, the rest will be deleted on {date}";
        stamped_as(label) = "{label}. The entry itself is kept.";
        by_others(label) = "{label} by others";
        confirmed_before(outcome) = "You confirmed: {outcome}";
        type_to_confirm(words) = "Type {words} to confirm";
        requested(time) = "Requested on {time}.";
        finished(time) = "Finished on {time}.";
        rechecked(items) = "Looked again and deleted {items} that had arrived";
        summary_deleted(items) = "{items} deleted.";
        summary_later_by(items, date) = "{items} hidden now and deleted by {date}.";
        summary_retained(items) = "{items} kept.";
        summary_retained_until(items, date) = "{items} kept, the last until {date}.";
        steps_done(done, steps) = "{done} of {steps} steps done. You can close this page; we’ll finish without it.";
        taking_longer(date) = "This is taking longer than it should. We’re still trying, and must be done by {date}.";
        waiting_data_map(date) = "Your request is recorded. Our list of the data we hold is out of date right now; the deletion goes on by itself once it’s correct. We must be done by {date}.";
        waiting_hold(date) = "Your request is recorded and paused while we check something. We must be done by {date}.";
        waiting_confirmation(date) = "What would happen to your data has changed since you confirmed. We’ll go on when you’ve confirmed again. We must be done by {date}.";
        replanned_person(date) = "What would happen changed after you had asked. You confirmed the change on {date}.";
        replanned_operator(date) = "What would happen changed after you had confirmed. On {date} we decided to go on by the changed rules; this is what we did.";
        replanned_unreachable(date) = "What would happen changed after you had confirmed. We couldn’t ask you, since your sign-in account no longer existed, and went on by the changed rules on {date}.";
        summary_found(items) = "Your user ID or an address of yours still appears in {items} that we haven’t deleted; the details say where.";
        content_searched(tables) = "in {tables} tables";
        content_found(column, rows) = "{column}: {rows}";
        unsearched(table, reason) = "{table}: {reason}";
        stays(table, rows) = "{table}: {rows}";
        stays_with_key(table, rows, column) = "{table}: {rows}, with your user ID ({column})";
        log_entry(number) = "entry {number}";
        turned_on(titles) = "You turned on {titles}";
        turned_off(titles) = "You turned off {titles}";
        turned_on_in_app(titles) = "{titles} turned on in the app";
        turned_off_in_app(titles) = "{titles} turned off in the app";
        turned_off_on_behalf(titles) = "{titles} turned off by someone signed in on your behalf";
        turned_off_by_signal(titles) = "{titles} turned off by your browser’s signal";
        text_then(text) = "The text was: “{text}”";
        you_downloaded(items) = "You downloaded your data ({items})";
    }
}

/// Introduces the list of what a deletion does. The account has no name where Clerk's profile isn't known.
pub(crate) fn plan_lead(account: &str) -> String {
    if account.is_empty() { PLAN_OF_READER.to_owned() } else { plan_of(account) }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use std::fmt::Write as _;

    use lethe_error_code::ErrorCode;

    use super::ALL;

    /// What a translator works from.
    #[test]
    fn texts_match_their_snapshot() {
        let mut list = String::new();
        for (name, text) in ALL {
            writeln!(list, "{}: {text}", name.to_lowercase()).unwrap();
        }
        for code in ErrorCode::ALL {
            writeln!(list, "error {code}: {}", code.message()).unwrap();
        }
        for (name, template) in lethe::mail::SOURCES {
            writeln!(list, "\nmail {name}:\n{template}").unwrap();
        }
        insta::assert_snapshot!(list);
    }

    #[test]
    fn texts_are_typeset() {
        for (name, text) in ALL {
            assert!(!text.contains(['\'', '"']) && !text.contains("...") && !text.contains("  "), "{name}: {text}");
        }
    }
}
