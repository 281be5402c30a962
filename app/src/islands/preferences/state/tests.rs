use super::*;

const REVISION: &str = "2026-11-22T09:58:00.000000Z";

fn purpose(key: &str, granted: bool) -> Purpose {
    Purpose { key: key.to_owned(), granted, since: String::new(), status: String::new(), locked: key == "thirdParty" }
}

fn server(marketing: bool, analytics: bool) -> Record {
    Record {
        purposes: vec![purpose("marketing", marketing), purpose("analytics", analytics), purpose("thirdParty", false)],
        revision: REVISION.to_owned(),
        changed: String::new(),
    }
}

impl State {
    fn is_ticked(&self, purpose: &str) -> bool {
        self.ticked.iter().any(|choice| choice.purpose == purpose && choice.granted)
    }
}

/// The server's state after a change.
fn saved(marketing: bool, analytics: bool) -> Record {
    Record { revision: "newer".to_owned(), ..server(marketing, analytics) }
}

fn choice(purpose: &str, granted: bool) -> Choice {
    Choice { purpose: purpose.to_owned(), granted }
}

fn stored(revision: &str, choices: &[Choice]) -> StoredChoices {
    StoredChoices { revision: revision.to_owned(), choices: choices.to_vec() }
}

/// A form that shows what the server has: nothing granted.
fn form() -> State {
    let saved = server(false, false);
    let ticked = saved.purposes.iter().map(|it| choice(&it.key, it.granted)).collect();
    State { saved, ticked, status: Status::Unchanged, earlier: None }
}

fn tick(state: &mut State, purpose: &str, granted: bool) -> Vec<Command> {
    state.reduce(Event::Ticked(choice(purpose, granted)))
}

fn open(state: &mut State, failed: Option<StoredChoices>, unsent: Option<StoredChoices>) -> Vec<Command> {
    state.reduce(Event::Opened { failed, unsent })
}

/// A form with marketing ticked, whose request is under way.
fn saving() -> State {
    let mut state = form();
    tick(&mut state, "marketing", true);
    state.reduce(Event::Submitted);
    state
}

fn submission(granted: &[&str], base: Option<&str>) -> Command {
    let granted = granted.iter().map(|&key| key.to_owned()).collect();
    Command::Save(Submission { granted, previously_granted: Vec::new(), base: base.map(str::to_owned) })
}

#[test]
fn unchanged_form_stores_nothing() {
    let mut state = form();
    assert_eq!(open(&mut state, None, None), [Command::RemoveUnsent]);
    assert_eq!(state, form());
}

#[test]
fn tick_is_stored_for_a_reload() {
    let mut state = form();
    let commands = tick(&mut state, "marketing", true);
    assert_eq!(commands, [Command::StoreUnsent(stored(REVISION, &[choice("marketing", true)]))]);
    assert_eq!(state.status, Status::Edited);
    assert!(state.is_ticked("marketing") && !state.is_ticked("analytics"));
}

#[test]
fn untick_returns_to_unchanged() {
    let mut state = form();
    tick(&mut state, "marketing", true);
    assert_eq!(tick(&mut state, "marketing", false), [Command::RemoveStored]);
    assert_eq!(state, form());
}

#[test]
fn locked_purpose_stays_off() {
    let mut state = form();
    tick(&mut state, "thirdParty", true);
    assert_eq!(state, form());
    open(&mut state, None, Some(stored(REVISION, &[choice("thirdParty", true)])));
    assert!(!state.is_ticked("thirdParty"));
}

#[test]
fn box_ticked_before_hydration_counts_as_edited() {
    let mut state = form();
    state.ticked[1].granted = true;
    let commands = open(&mut state, None, None);
    assert_eq!(commands, [Command::StoreUnsent(stored(REVISION, &[choice("analytics", true)]))]);
    assert_eq!(state.status, Status::Edited);
}

#[test]
fn unsent_ticks_are_restored_and_not_sent() {
    let mut state = form();
    let unsent = stored("older", &[choice("analytics", true)]);
    assert_eq!(
        open(&mut state, None, Some(unsent)),
        [Command::StoreUnsent(stored(REVISION, &[choice("analytics", true)]))]
    );
    assert_eq!(state.status, Status::Edited);
    assert!(state.is_ticked("analytics"));
}

#[test]
fn unsent_ticks_that_the_server_has_are_removed() {
    let mut state = form();
    let unsent = stored("older", &[choice("analytics", false)]);
    assert_eq!(open(&mut state, None, Some(unsent)), [Command::RemoveUnsent]);
    assert_eq!(state.status, Status::Unchanged);
}

#[test]
fn error_of_a_plain_form_outlasts_restored_ticks() {
    let mut state = State { status: Status::NotSaved(ErrorCode::Unavailable), ..form() };
    let unsent = stored(REVISION, &[choice("analytics", true)]);
    assert_eq!(open(&mut state, None, Some(unsent)), []);
    assert_eq!(state.status, Status::NotSaved(ErrorCode::Unavailable));
    assert!(state.is_ticked("analytics"));
}

#[test]
fn saved_and_restored_forms_replace_unsent_ticks() {
    for status in [Status::Saved, Status::Restored] {
        let mut state = State { status: status.clone(), ..form() };
        let unsent = stored(REVISION, &[choice("analytics", true)]);
        assert_eq!(open(&mut state, None, Some(unsent)), [Command::RemoveStored]);
        assert_eq!(state.status, status);
        assert!(!state.is_ticked("analytics"));
    }
}

#[test]
fn failed_withdrawal_is_sent_again() {
    let saved = server(true, false);
    let mut state = State { ticked: vec![choice("marketing", true), choice("analytics", false)], saved, ..form() };
    let commands = open(&mut state, Some(stored(REVISION, &[choice("marketing", false)])), None);
    let sent = Submission {
        granted: Vec::new(),
        previously_granted: vec!["marketing".to_owned()],
        base: Some(REVISION.to_owned()),
    };
    assert_eq!(commands, [Command::Save(sent)]);
    assert!(matches!(state.status, Status::Saving(_)) && state.earlier.is_none());
}

/// A form of a person who has agreed to marketing at this time, with analytics ticked and not sent.
fn form_with_unsent_tick(agreed: &str) -> State {
    let mut saved = server(true, false);
    saved.purposes[0].since = agreed.to_owned();
    State { ticked: vec![choice("marketing", true), choice("analytics", true)], saved, ..form() }
}

#[test]
fn withdrawal_is_sent_without_what_is_ticked_beside_it() {
    let mut state = form_with_unsent_tick("");
    let withdrawn = stored(REVISION, &[choice("marketing", false)]);
    let commands = open(&mut state, Some(withdrawn.clone()), None);
    let sent = Submission {
        granted: Vec::new(),
        previously_granted: vec!["marketing".to_owned()],
        base: Some(REVISION.to_owned()),
    };
    assert_eq!(commands, [Command::Save(sent.clone())]);
    let mut failed = state.clone();
    let unsent = stored("newer", &[choice("analytics", true)]);
    let commands = state.reduce(Event::SaveSucceeded(saved(false, false)));
    assert_eq!(commands, [Command::RemoveStored, Command::StoreUnsent(unsent)]);
    assert!(state.is_ticked("analytics") && state.status == Status::Edited);

    assert_eq!(failed.reduce(Event::SaveFailed(ErrorCode::Unreachable)), [Command::StoreFailed(withdrawn.clone())]);
    assert_eq!(failed.reduce(Event::RetryDue(Some(withdrawn))), [Command::Save(sent)]);
}

#[test]
fn earlier_choice_is_sent_without_what_is_ticked_beside_it() {
    let earlier = EarlierChoice { stored: stored(REVISION, &[choice("marketing", true)]), is_outdated: false };
    let mut state = State { earlier: Some(earlier), ..form() };
    tick(&mut state, "analytics", true);
    assert_eq!(state.reduce(Event::EarlierApplied), [submission(&["marketing"], None)]);
    state.reduce(Event::SaveSucceeded(saved(true, false)));
    assert!(state.is_ticked("analytics") && state.status == Status::Edited);
}

#[test]
fn tick_during_a_request_that_fails_is_not_sent_by_the_retry() {
    let mut state = saving();
    tick(&mut state, "analytics", true);
    let failed = stored(REVISION, &[choice("marketing", true)]);
    assert_eq!(state.reduce(Event::SaveFailed(ErrorCode::Unreachable)), [Command::StoreFailed(failed.clone())]);
    assert_eq!(state.reduce(Event::RetryDue(Some(failed))), [submission(&["marketing"], Some(REVISION))]);
}

#[test]
fn withdrawal_is_sent_although_another_purpose_was_changed_since() {
    let mut state = form_with_unsent_tick("2026-11-20T09:58:00.000000Z");
    let commands = open(&mut state, Some(stored("2026-11-21T09:58:00.000000Z", &[choice("marketing", false)])), None);
    let [Command::Save(sent)] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((sent.granted.len(), sent.base.as_deref()), (0, Some(REVISION)));
    assert!(state.earlier.is_none());
}

#[test]
fn withdrawal_that_a_newer_consent_has_replaced_is_asked_about() {
    let mut state = form_with_unsent_tick("2026-11-22T09:58:00.000000Z");
    let failed = stored("2026-11-21T09:58:00.000000Z", &[choice("marketing", false)]);
    assert_eq!(open(&mut state, Some(failed.clone()), None), []);
    assert_eq!(state.earlier, Some(EarlierChoice { stored: failed, is_outdated: true }));
}

#[test]
fn failed_consent_of_an_earlier_visit_is_asked_about_and_not_sent() {
    let mut state = form();
    let failed = stored(REVISION, &[choice("marketing", true)]);
    assert_eq!(open(&mut state, Some(failed.clone()), None), []);
    assert_eq!(state.earlier, Some(EarlierChoice { stored: failed, is_outdated: false }));
    assert!(!state.is_ticked("marketing"), "the form shows the server's state");
    assert_eq!(state.reduce(Event::EarlierApplied), [submission(&["marketing"], None)]);
    assert_eq!(state.earlier, None);
}

#[test]
fn consent_is_still_asked_about_after_a_withdrawal_was_sent() {
    let saved = server(true, false);
    let mut state = State { ticked: vec![choice("marketing", true), choice("analytics", false)], saved, ..form() };
    let failed = stored(REVISION, &[choice("marketing", false), choice("analytics", true)]);
    open(&mut state, Some(failed), None);
    let asked = stored(REVISION, &[choice("analytics", true)]);
    let mut saved = server(false, false);
    saved.revision = "newer".to_owned();
    let commands = state.reduce(Event::SaveSucceeded(saved));
    assert_eq!(commands, [Command::RemoveStored, Command::StoreFailed(asked)]);
    assert!(state.earlier.is_some());
}

#[test]
fn failed_choice_that_the_server_has_is_removed() {
    let mut state = form();
    let commands = open(&mut state, Some(stored("older", &[choice("marketing", false)])), None);
    assert_eq!(commands, [Command::RemoveStored]);
    assert_eq!(state, form());
}

#[test]
fn failed_choice_on_an_older_revision_is_asked_about() {
    let mut state = form();
    let failed = stored("older", &[choice("marketing", true)]);
    assert_eq!(open(&mut state, Some(failed.clone()), None), []);
    assert_eq!(state.earlier, Some(EarlierChoice { stored: failed.clone(), is_outdated: true }));
    assert_eq!(state.pending(&failed), [choice("marketing", true)]);

    assert_eq!(state.reduce(Event::EarlierDiscarded), [Command::RemoveStored]);
    assert_eq!(state, form());
}

#[test]
fn tick_does_not_hide_the_question() {
    let stored = stored("older", &[choice("marketing", true)]);
    let earlier = Some(EarlierChoice { stored, is_outdated: true });
    let mut state = State { earlier: earlier.clone(), ..form() };
    tick(&mut state, "analytics", true);
    assert_eq!((state.earlier, state.status), (earlier, Status::Edited));
}

#[test]
fn all_purposes_are_turned_off_at_once() {
    let mut state = form();
    tick(&mut state, "marketing", true);
    tick(&mut state, "analytics", true);
    assert_eq!(state.reduce(Event::AllTurnedOff), [Command::RemoveStored]);
    assert_eq!(state, form());
}

#[test]
fn choice_made_elsewhere_appears_when_the_user_comes_back() {
    let mut newer = server(true, false);
    newer.revision = "newer".to_owned();
    let mut state = form();
    state.reduce(Event::Refreshed(newer.clone()));
    assert!(state.is_ticked("marketing"));

    let mut edited = form();
    tick(&mut edited, "analytics", true);
    edited.reduce(Event::Refreshed(newer));
    assert!(!edited.is_ticked("marketing"), "what isn't saved yet stays");
    assert_eq!(form().reduce(Event::RefreshFailed(ErrorCode::Unreachable)), []);
    let gone = form().reduce(Event::RefreshFailed(ErrorCode::AccountDeleted));
    assert_eq!(gone, [Command::RemoveStored, Command::Reload]);
}

#[test]
fn form_without_changes_claims_no_save() {
    let mut state = form();
    state.reduce(Event::Submitted);
    state.reduce(Event::SaveSucceeded(server(false, false)));
    assert_eq!(state.status, Status::NoChanges);
}

#[test]
fn submit_sends_the_form_once() {
    let mut state = form();
    tick(&mut state, "marketing", true);
    assert_eq!(state.reduce(Event::Submitted), [submission(&["marketing"], None)]);
    assert_eq!(state.reduce(Event::Submitted), []);
}

#[test]
fn submit_sends_what_was_granted_before() {
    let mut state = State { saved: server(true, false), ..form() };
    let commands = state.reduce(Event::Submitted);
    let Some(Command::Save(submission)) = commands.first() else { panic!("{commands:?}") };
    assert_eq!(
        (submission.granted.len(), submission.previously_granted.as_slice()),
        (0, &["marketing".to_owned()][..])
    );
}

#[test]
fn saved_choice_is_removed_from_the_device() {
    let mut state = saving();
    assert_eq!(state.reduce(Event::SaveSucceeded(saved(true, false))), [Command::RemoveStored]);
    assert_eq!(state.status, Status::Saved);
    assert_eq!(state.saved, saved(true, false));
}

#[test]
fn choice_from_elsewhere_appears_after_saving() {
    let mut state = saving();
    state.reduce(Event::SaveSucceeded(saved(true, true)));
    assert!(state.is_ticked("analytics"));
    assert_eq!(state.status, Status::Saved);
}

#[test]
fn tick_during_a_request_survives_its_response() {
    let mut state = saving();
    assert_eq!(tick(&mut state, "analytics", true), []);
    let commands = state.reduce(Event::SaveSucceeded(saved(true, false)));
    assert_eq!(commands, [Command::RemoveStored, Command::StoreUnsent(stored("newer", &[choice("analytics", true)]))]);
    assert_eq!(state.status, Status::Edited);
    assert!(state.is_ticked("analytics"));
}

#[test]
fn unreachable_server_stores_the_choice_and_retries() {
    let mut state = saving();
    let unsaved = stored(REVISION, &[choice("marketing", true)]);
    assert_eq!(state.reduce(Event::SaveFailed(ErrorCode::Unreachable)), [Command::StoreFailed(unsaved.clone())]);
    assert_eq!(state.status, Status::Stored(ErrorCode::Unreachable));
    assert_eq!(state.reduce(Event::StoreFinished { stored: true }), [Command::ScheduleRetry]);
    assert_eq!(state.reduce(Event::RetryDue(Some(unsaved))), [submission(&["marketing"], Some(REVISION))]);
}

#[test]
fn retry_ends_when_another_tab_has_saved() {
    let mut state = State { status: Status::Stored(ErrorCode::Unreachable), ..form() };
    assert_eq!(state.reduce(Event::RetryDue(None)), []);
}

#[test]
fn retry_ends_when_the_user_goes_on_ticking() {
    let mut state = form();
    tick(&mut state, "marketing", true);
    let unsaved = stored(REVISION, &[choice("marketing", true)]);
    assert_eq!(state.reduce(Event::RetryDue(Some(unsaved))), []);
    assert_eq!(state.status, Status::Edited);
}

#[test]
fn browser_without_storage_reports_the_choice_as_not_saved() {
    let mut state = saving();
    state.reduce(Event::SaveFailed(ErrorCode::Unavailable));
    assert_eq!(state.reduce(Event::StoreFinished { stored: false }), []);
    assert_eq!(state.status, Status::NotSaved(ErrorCode::Unavailable));
}

#[test]
fn changed_state_reloads_the_page() {
    let mut state = saving();
    state.reduce(Event::SaveFailed(ErrorCode::ChangedElsewhere));
    assert_eq!(state.reduce(Event::StoreFinished { stored: true }), [Command::Reload]);
}

#[test]
fn ended_session_stores_the_choice_until_the_next_sign_in() {
    let mut state = saving();
    state.reduce(Event::SaveFailed(ErrorCode::NotSignedIn));
    assert_eq!(state.reduce(Event::StoreFinished { stored: true }), []);
    assert_eq!(state.status, Status::Stored(ErrorCode::NotSignedIn));
}

#[test]
fn permanent_errors_store_nothing() {
    for code in [ErrorCode::InvalidInput, ErrorCode::Impersonated, ErrorCode::OtherUser, ErrorCode::NotFound] {
        let mut state = saving();
        assert_eq!(state.reduce(Event::SaveFailed(code)), []);
        assert_eq!(state.status, Status::NotSaved(code));
    }
}

#[test]
fn deleted_account_leaves_nothing_behind() {
    let mut state = saving();
    assert_eq!(state.reduce(Event::SaveFailed(ErrorCode::AccountDeleted)), [Command::RemoveStored, Command::Reload]);
}
