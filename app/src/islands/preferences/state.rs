//! The state of the preference form and how events change it. Pure: knows neither the browser nor the server.

use lethe_error_code::ErrorCode;

/// The user's consent state, as the server has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) purposes: Vec<Purpose>,
    /// Identifies this state: it changes with every change of the state.
    pub(crate) revision: String,
    /// When it last changed, in RFC 3339; empty before the first choice.
    pub(crate) changed: String,
}

/// A purpose and the user's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Purpose {
    pub(crate) key: String,
    pub(crate) granted: bool,
    /// When that was decided, in RFC 3339; empty if it never was.
    pub(crate) since: String,
    /// What the page says about it.
    pub(crate) status: String,
    /// Whether the browser's opt-out signal keeps it off.
    pub(crate) locked: bool,
}

/// A decision about one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// The purpose's key.
    pub(crate) purpose: String,
    pub(crate) granted: bool,
}

/// Choices that the server doesn't have, and the revision on which they were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredChoices {
    pub(crate) revision: String,
    pub(crate) choices: Vec<Choice>,
}

/// What the line beside the button reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The form shows what the server has.
    Unchanged,
    /// The form shows something else.
    Edited,
    /// A request is under way, with these form values.
    Saving(Vec<Choice>),
    /// The server has committed the choice.
    Saved,
    /// There was nothing to save.
    NoChanges,
    /// Not saved, and stored on this device.
    Stored(ErrorCode),
    /// Neither saved nor stored.
    NotSaved(ErrorCode),
    /// The form was sent without script when the session had ended, and is filled in again.
    Restored,
}

/// Choices that an earlier visit couldn't save and that are not sent without asking: consent, because the person may have
/// changed their mind, and everything where the server's state is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EarlierChoice {
    pub(crate) stored: StoredChoices,
    /// Whether the server's state has changed since.
    pub(crate) is_outdated: bool,
}

/// What happened to the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The page is interactive. Holds what earlier visits left in the browser.
    Opened {
        failed: Option<StoredChoices>,
        unsent: Option<StoredChoices>,
    },
    /// The user ticked or unticked a box.
    Ticked(Choice),
    /// The user unticks every box.
    AllTurnedOff,
    /// The user pressed the button.
    Submitted,
    /// The server's present state, read when the user came back to the page.
    Refreshed(Record),
    RefreshFailed(ErrorCode),
    /// The server has saved the choice and returned its state.
    SaveSucceeded(Record),
    SaveFailed(ErrorCode),
    /// The browser has stored the choice that couldn't be saved, or has refused to.
    StoreFinished {
        stored: bool,
    },
    /// A stored choice may be sent again. Holds what the browser has stored by now.
    RetryDue(Option<StoredChoices>),
    /// The user wants the earlier choice.
    EarlierApplied,
    /// The user wants to keep the server's state.
    EarlierDiscarded,
}

/// What has to be done after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Save(Submission),
    /// Store the choice that couldn't be saved, and report [`Event::StoreFinished`].
    StoreFailed(StoredChoices),
    /// Store what is ticked and not sent, for a reload of the page.
    StoreUnsent(StoredChoices),
    RemoveUnsent,
    /// Remove everything stored for this user.
    RemoveStored,
    /// Report [`Event::RetryDue`] after a while.
    ScheduleRetry,
    Reload,
}

/// The arguments of the server function that saves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Submission {
    /// The purposes that are ticked.
    pub(crate) granted: Vec<String>,
    /// The purposes that were granted when the form was rendered or last saved.
    pub(crate) previously_granted: Vec<String>,
    /// The revision that the server must still be at.
    pub(crate) base: Option<String>,
}

/// The form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What the server has.
    pub(crate) saved: Record,
    /// What the form shows: one choice per purpose.
    pub(crate) ticked: Vec<Choice>,
    pub(crate) status: Status,
    /// What the user is asked about.
    pub(crate) earlier: Option<EarlierChoice>,
}

impl State {
    /// Applies `event` and returns what has to be done, in order.
    pub(crate) fn reduce(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Opened { failed: Some(failed), .. } => self.resume_failed(failed),
            Event::Opened { failed: None, unsent } => self.restore_unsent(unsent),
            Event::Ticked(choice) => self.tick(&[choice]),
            Event::AllTurnedOff => {
                let off = |choice: &Choice| Choice { granted: false, ..choice.clone() };
                self.tick(&self.ticked.iter().map(off).collect::<Vec<_>>())
            }
            Event::Submitted if matches!(self.status, Status::Saving(_)) => Vec::new(),
            Event::Submitted => self.save(self.ticked.clone(), None),
            Event::SaveSucceeded(saved) => self.accept(saved),
            Event::SaveFailed(code) => self.reject(code),
            Event::Refreshed(saved) => self.refresh(saved),
            Event::RefreshFailed(ErrorCode::AccountDeleted) => vec![Command::RemoveStored, Command::Reload],
            Event::RefreshFailed(_) => Vec::new(),
            Event::StoreFinished { stored } => self.after_storing(stored),
            Event::RetryDue(stored) => match (&self.status, stored) {
                (Status::Stored(_), Some(stored)) => {
                    self.set(&stored.choices);
                    self.save(self.saved_with(&stored.choices), Some(stored.revision))
                }
                _ => Vec::new(),
            },
            Event::EarlierApplied => match self.earlier.take() {
                Some(earlier) => {
                    self.set(&earlier.stored.choices);
                    self.save(self.saved_with(&earlier.stored.choices), None)
                }
                None => Vec::new(),
            },
            Event::EarlierDiscarded => {
                self.earlier = None;
                vec![Command::RemoveStored]
            }
        }
    }

    /// The stored choices that differ from the server's state.
    pub(crate) fn pending(&self, stored: &StoredChoices) -> Vec<Choice> {
        stored.choices.iter().filter(|choice| self.differs(choice)).cloned().collect()
    }

    /// Sends what an earlier visit couldn't withdraw, unless that was decided anew since. Asks about everything else.
    fn resume_failed(&mut self, failed: StoredChoices) -> Vec<Command> {
        let pending = self.pending(&failed);
        if pending.is_empty() {
            return vec![Command::RemoveStored];
        }
        let is_outdated = failed.revision != self.saved.revision;
        let (asked, withdrawn): (Vec<_>, Vec<_>) =
            pending.into_iter().partition(|choice| choice.granted || self.was_decided_after(choice, &failed.revision));
        if !asked.is_empty() {
            let stored = StoredChoices { revision: failed.revision, choices: asked };
            self.earlier = Some(EarlierChoice { stored, is_outdated });
        }
        if withdrawn.is_empty() {
            return Vec::new();
        }
        self.set(&withdrawn);
        self.save(self.saved_with(&withdrawn), Some(self.saved.revision.clone()))
    }

    /// Whether the purpose was decided on after this revision, which is a time.
    fn was_decided_after(&self, choice: &Choice, revision: &str) -> bool {
        self.saved.purposes.iter().any(|it| it.key == choice.purpose && it.since.as_str() > revision)
    }

    /// What the server would have after these choices, whatever is ticked beside them.
    fn saved_with(&self, choices: &[Choice]) -> Vec<Choice> {
        let chosen = |purpose: &Purpose| {
            let choice = choices.iter().find(|choice| choice.purpose == purpose.key && !purpose.locked);
            let granted = choice.map_or(purpose.granted, |choice| choice.granted);
            Choice { purpose: purpose.key.clone(), granted }
        };
        self.saved.purposes.iter().map(chosen).collect()
    }

    /// Takes over the server's state, unless the user has something unsaved.
    fn refresh(&mut self, saved: Record) -> Vec<Command> {
        let is_idle = matches!(self.status, Status::Unchanged | Status::Saved | Status::NoChanges);
        if is_idle && saved.revision != self.saved.revision {
            self.saved = saved;
            self.ticked.clear();
            for purpose in &self.saved.purposes {
                let granted = purpose.granted && !purpose.locked;
                self.ticked.push(Choice { purpose: purpose.key.clone(), granted });
            }
            self.status = Status::Unchanged;
        }
        Vec::new()
    }

    /// Ticks again what was ticked and not sent before a reload. Doesn't send it.
    fn restore_unsent(&mut self, unsent: Option<StoredChoices>) -> Vec<Command> {
        // Both are newer than what is stored.
        if matches!(self.status, Status::Restored | Status::Saved) {
            return vec![Command::RemoveStored];
        }
        if let Some(unsent) = unsent {
            self.set(&unsent.choices);
        }
        if self.edits().is_empty() {
            vec![Command::RemoveUnsent]
        } else if self.status == Status::Unchanged {
            self.become_edited()
        } else {
            Vec::new()
        }
    }

    fn tick(&mut self, choices: &[Choice]) -> Vec<Command> {
        self.set(choices);
        if matches!(self.status, Status::Saving(_)) {
            Vec::new()
        } else if self.edits().is_empty() {
            self.status = Status::Unchanged;
            self.remove_stored()
        } else {
            self.become_edited()
        }
    }

    fn become_edited(&mut self) -> Vec<Command> {
        self.status = Status::Edited;
        vec![Command::StoreUnsent(self.unsaved())]
    }

    /// Sends these choices, one per purpose.
    fn save(&mut self, choices: Vec<Choice>, base: Option<String>) -> Vec<Command> {
        let granted = choices.iter().filter(|choice| choice.granted).map(|choice| choice.purpose.clone()).collect();
        let previously_granted = self.saved.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone()).collect();
        self.status = Status::Saving(choices);
        vec![Command::Save(Submission { granted, previously_granted, base })]
    }

    /// Takes over the server's state. What was ticked while the request was under way stays as it was ticked.
    fn accept(&mut self, saved: Record) -> Vec<Command> {
        let nothing_changed = saved.revision == self.saved.revision;
        self.saved = saved;
        let unedited: Vec<Choice> = match &self.status {
            Status::Saving(sent) => self
                .saved
                .purposes
                .iter()
                .filter(|purpose| {
                    let now = self.ticked.iter().find(|choice| choice.purpose == purpose.key);
                    now.is_some_and(|now| sent.contains(now))
                })
                .map(|purpose| Choice { purpose: purpose.key.clone(), granted: purpose.granted })
                .collect(),
            _ => Vec::new(),
        };
        self.set(&unedited);
        let mut commands = self.remove_stored();
        if self.edits().is_empty() {
            self.status = if nothing_changed { Status::NoChanges } else { Status::Saved };
        } else {
            commands.extend(self.become_edited());
        }
        commands
    }

    /// Removes what is stored, but for what the user is being asked about.
    fn remove_stored(&self) -> Vec<Command> {
        let mut commands = vec![Command::RemoveStored];
        if let Some(earlier) = &self.earlier {
            commands.push(Command::StoreFailed(earlier.stored.clone()));
        }
        commands
    }

    /// Has a choice that couldn't be saved stored, if sending it again can help.
    fn reject(&mut self, code: ErrorCode) -> Vec<Command> {
        // What was ticked meanwhile wasn't sent, and isn't sent by a retry.
        let choices = match &self.status {
            Status::Saving(sent) => sent.iter().filter(|choice| self.differs(choice)).cloned().collect(),
            _ => self.edits(),
        };
        let unsaved = StoredChoices { revision: self.saved.revision.clone(), choices };
        match code {
            ErrorCode::AccountDeleted => vec![Command::RemoveStored, Command::Reload],
            ErrorCode::InvalidInput
            | ErrorCode::Impersonated
            | ErrorCode::OtherUser
            | ErrorCode::NotFound
            | ErrorCode::TextChanged => {
                self.status = Status::NotSaved(code);
                Vec::new()
            }
            _ if unsaved.choices.is_empty() => {
                self.status = Status::NotSaved(code);
                Vec::new()
            }
            _ => {
                self.status = Status::Stored(code);
                vec![Command::StoreFailed(unsaved)]
            }
        }
    }

    fn after_storing(&mut self, stored: bool) -> Vec<Command> {
        match self.status {
            Status::Stored(code) if !stored => {
                self.status = Status::NotSaved(code);
                Vec::new()
            }
            Status::Stored(ErrorCode::ChangedElsewhere) => vec![Command::Reload],
            // Sent after the next sign-in, here or in another tab.
            Status::Stored(ErrorCode::NotSignedIn) => Vec::new(),
            Status::Stored(_) => vec![Command::ScheduleRetry],
            _ => Vec::new(),
        }
    }

    /// Ticks and unticks boxes, except those that an opt-out signal locks.
    fn set(&mut self, choices: &[Choice]) {
        for choice in choices {
            let is_locked = self.saved.purposes.iter().any(|it| it.key == choice.purpose && it.locked);
            let ticked = self.ticked.iter_mut().find(|ticked| ticked.purpose == choice.purpose);
            if let Some(ticked) = ticked.filter(|_| !is_locked) {
                ticked.granted = choice.granted;
            }
        }
    }

    /// What the form shows and the server doesn't have.
    fn edits(&self) -> Vec<Choice> {
        self.ticked.iter().filter(|choice| self.differs(choice)).cloned().collect()
    }

    fn unsaved(&self) -> StoredChoices {
        StoredChoices { revision: self.saved.revision.clone(), choices: self.edits() }
    }

    fn differs(&self, choice: &Choice) -> bool {
        self.saved.purposes.iter().any(|it| it.key == choice.purpose && it.granted != choice.granted && !it.locked)
    }
}

#[cfg(test)]
mod tests;
