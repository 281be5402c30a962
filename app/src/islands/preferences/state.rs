//! The state of the preference form and how events change it. Pure: knows neither the browser nor the server.

use lethe_error_code::ErrorCode;

use crate::dto::Preferences;

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
    /// Not saved, and stored on this device.
    Stored(ErrorCode),
    /// Neither saved nor stored.
    NotSaved(ErrorCode),
    /// An earlier visit stored choices on this device, and the server's state is newer.
    Conflict(StoredChoices),
    /// The form was sent without script when the session had ended, and is filled in again.
    Restored,
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
    /// The user pressed the button.
    Submitted,
    /// The server has saved the choice and returned its state.
    SaveSucceeded(Preferences),
    SaveFailed(ErrorCode),
    /// The browser has stored the choice that couldn't be saved, or has refused to.
    StoreFinished {
        stored: bool,
    },
    /// A stored choice may be sent again. Holds what the browser has stored by now.
    RetryDue(Option<StoredChoices>),
    /// The user decided a conflict in favor of the stored choice.
    ConflictApplied,
    /// The user decided a conflict in favor of the server's state.
    ConflictDiscarded,
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
    pub(crate) saved: Preferences,
    /// What the form shows: one choice per purpose.
    pub(crate) ticked: Vec<Choice>,
    pub(crate) status: Status,
}

impl State {
    /// Applies `event` and returns what has to be done, in order.
    pub(crate) fn reduce(&mut self, event: Event) -> Vec<Command> {
        match event {
            Event::Opened { failed: Some(failed), .. } => self.resume_failed(failed),
            Event::Opened { failed: None, unsent } => self.restore_unsent(unsent),
            Event::Ticked(choice) => self.tick(&choice),
            Event::Submitted if matches!(self.status, Status::Saving(_)) => Vec::new(),
            Event::Submitted => self.save(None),
            Event::SaveSucceeded(saved) => self.accept(saved),
            Event::SaveFailed(code) => self.reject(code),
            Event::StoreFinished { stored } => self.after_storing(stored),
            Event::RetryDue(stored) => match (&self.status, stored) {
                (Status::Stored(_), Some(stored)) => self.save(Some(stored.revision)),
                _ => Vec::new(),
            },
            Event::ConflictApplied => match &self.status {
                Status::Conflict(stored) => {
                    let choices = stored.choices.clone();
                    self.set(&choices);
                    self.save(None)
                }
                _ => Vec::new(),
            },
            Event::ConflictDiscarded => {
                self.status = Status::Unchanged;
                vec![Command::RemoveStored]
            }
        }
    }

    /// Whether the box of this purpose is ticked.
    pub(crate) fn is_ticked(&self, purpose: &str) -> bool {
        self.ticked.iter().any(|choice| choice.purpose == purpose && choice.granted)
    }

    /// The stored choices that differ from the server's state.
    pub(crate) fn pending(&self, stored: &StoredChoices) -> Vec<Choice> {
        stored.choices.iter().filter(|choice| self.differs(choice)).cloned().collect()
    }

    /// Sends a choice that an earlier visit couldn't, unless the server's state has changed since.
    fn resume_failed(&mut self, failed: StoredChoices) -> Vec<Command> {
        if self.pending(&failed).is_empty() {
            vec![Command::RemoveStored]
        } else if failed.revision == self.saved.revision {
            self.set(&failed.choices);
            self.save(Some(failed.revision))
        } else {
            self.status = Status::Conflict(failed);
            Vec::new()
        }
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

    fn tick(&mut self, choice: &Choice) -> Vec<Command> {
        self.set(std::slice::from_ref(choice));
        if matches!(self.status, Status::Saving(_) | Status::Conflict(_)) {
            Vec::new()
        } else if self.edits().is_empty() {
            self.status = Status::Unchanged;
            vec![Command::RemoveStored]
        } else {
            self.become_edited()
        }
    }

    fn become_edited(&mut self) -> Vec<Command> {
        self.status = Status::Edited;
        vec![Command::StoreUnsent(self.unsaved())]
    }

    fn save(&mut self, base: Option<String>) -> Vec<Command> {
        self.status = Status::Saving(self.ticked.clone());
        let granted = self.ticked.iter().filter(|choice| choice.granted).map(|choice| choice.purpose.clone());
        let previously_granted = self.saved.purposes.iter().filter(|it| it.granted).map(|it| it.key.clone());
        vec![Command::Save(Submission {
            granted: granted.collect(),
            previously_granted: previously_granted.collect(),
            base,
        })]
    }

    /// Takes over the server's state. What was ticked while the request was under way stays as it was ticked.
    fn accept(&mut self, saved: Preferences) -> Vec<Command> {
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
        let mut commands = vec![Command::RemoveStored];
        if self.edits().is_empty() {
            self.status = Status::Saved;
        } else {
            commands.extend(self.become_edited());
        }
        commands
    }

    /// Has a choice that couldn't be saved stored, if sending it again can help.
    fn reject(&mut self, code: ErrorCode) -> Vec<Command> {
        let unsaved = self.unsaved();
        match code {
            ErrorCode::AccountDeleted => vec![Command::RemoveStored, Command::Reload],
            ErrorCode::InvalidInput | ErrorCode::Impersonated | ErrorCode::OtherUser | ErrorCode::NotFound => {
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
