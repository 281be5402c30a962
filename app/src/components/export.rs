//! The button that downloads a copy. It is a link that the browser follows by itself; in the
//! browser this only watches until the server says that the file is complete.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::browser;
use super::icon::Check;
use crate::api::{CompletedExport, ErrorCode, latest_export};

/// Between two questions whether the file is complete.
const POLL_INTERVAL: Duration = Duration::from_millis(1200);
/// Questions after which the watching ends; a file may take longer, and comes all the same.
const MAX_POLLS: u32 = 500;

#[derive(Clone, PartialEq, Eq)]
enum State {
    Idle(Option<CompletedExport>),
    Preparing,
    Done(CompletedExport),
    /// Not known, though the download may go on.
    Unknown(ErrorCode),
    /// The server refused it.
    Refused(ErrorCode),
}

/// The download button with its state.
#[island]
pub(crate) fn ExportButton(
    /// The last finished export.
    latest: Option<CompletedExport>,
    /// When the page was made; an export that is finished later is the one that begins here.
    now: String,
    /// Why a download was refused just now.
    refused: Option<ErrorCode>,
) -> impl IntoView {
    let before = StoredValue::new(now);
    let state = RwSignal::new(refused.map_or(State::Idle(latest), State::Refused));
    let status_text = move || {
        state.with(|state| match state {
            State::Idle(None) => "The file comes straight to you. No copy of it stays here.".to_owned(),
            State::Idle(Some(last)) => format!("Last downloaded {}: {}", last.at, last.content),
            State::Preparing => "Preparing… You can stay here or go on.".to_owned(),
            State::Done(download) => format!("Downloaded {}", download.content),
            State::Unknown(code) => format!("Your browser's download list knows more. {}", code.message()),
            State::Refused(code) => format!("Not downloaded. {}", code.message()),
        })
    };
    let start = move |event: leptos::ev::MouseEvent| {
        if state.get_untracked() == State::Preparing {
            event.prevent_default();
            return;
        }
        state.set(State::Preparing);
        poll(state, before, MAX_POLLS);
    };
    view! {
        <div class="card-foot">
            <p
                class="state"
                role="status"
                data-state=move || state.with(|state| match state {
                    State::Done(_) => "good",
                    State::Refused(_) => "bad",
                    _ => "rest",
                })
            >
                <Show when=move || state.with(|state| matches!(state, State::Done(_)))>
                    <Check/>
                </Show>
                <Show when=move || state.with(|state| *state == State::Preparing)>
                    <span class="spinner" aria-hidden="true"></span>
                </Show>
                <span>{status_text}</span>
            </p>
            <a
                class="button"
                href="/api/privacy/export"
                aria-disabled=move || state.with(|state| *state == State::Preparing).then_some("true")
                on:click=start
            >
                "Download my data"
            </a>
        </div>
    }
}

/// Asks until there is a newer export than before.
fn poll(state: RwSignal<State>, before: StoredValue<String>, polls_left: u32) {
    let request = move || {
        spawn_local(async move {
            match browser::with_session(latest_export).await {
                Ok(Some(download)) if before.with_value(|before| download.id > *before) => {
                    before.set_value(download.id.clone());
                    state.set(State::Done(download));
                }
                Ok(_) if polls_left > 0 => poll(state, before, polls_left - 1),
                Ok(last) => state.set(State::Idle(last)),
                Err(error) => state.set(State::Unknown(error.code)),
            }
        });
    };
    set_timeout(request, POLL_INTERVAL);
}
