//! The button that downloads a copy. It is an ordinary link. The island only polls until the server has completed
//! the file.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

use super::browser;
use crate::components::Check;
use crate::dto::CompletedExport;
use crate::server_fns::latest_export;

/// Pause between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(1200);
/// Polls after which the island gives up. The download itself isn't affected.
const MAX_POLLS: u32 = 500;

#[derive(Clone, PartialEq, Eq)]
enum State {
    /// Holds the last completed export, if there is one.
    Idle(Option<CompletedExport>),
    Preparing,
    Done(CompletedExport),
    /// Polling failed. The download may continue.
    Unknown(ErrorCode),
    /// The server refused the download.
    Refused(ErrorCode),
}

/// The download button and its state.
#[island]
pub(crate) fn ExportButton(
    /// The last completed export.
    latest: Option<CompletedExport>,
    /// When the page was rendered. An export with a greater id is the one that this button started.
    now: String,
    /// Why a download was refused just now.
    refused: Option<ErrorCode>,
) -> impl IntoView {
    let newest_known = StoredValue::new(now);
    let state = RwSignal::new(refused.map_or(State::Idle(latest), State::Refused));
    let start = move |event: leptos::ev::MouseEvent| {
        if state.get_untracked() == State::Preparing {
            event.prevent_default();
            return;
        }
        state.set(State::Preparing);
        schedule_poll(state, newest_known, MAX_POLLS);
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
                <span>{move || state.with(status_text)}</span>
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

fn status_text(state: &State) -> String {
    match state {
        State::Idle(None) => "The file comes straight to you. No copy of it stays here.".to_owned(),
        State::Idle(Some(last)) => format!("Last downloaded {}: {}", last.at, last.content),
        State::Preparing => "Preparing… You can stay here or go on.".to_owned(),
        State::Done(download) => format!("Downloaded {}", download.content),
        State::Unknown(code) => format!("Your browser's download list knows more. {}", code.message()),
        State::Refused(code) => format!("Not downloaded. {}", code.message()),
    }
}

/// Polls until the server has completed a newer export than `newest_known`.
fn schedule_poll(state: RwSignal<State>, newest_known: StoredValue<String>, polls_left: u32) {
    let poll = move || {
        spawn_local(async move {
            match browser::with_session(latest_export).await {
                Ok(Some(export)) if newest_known.with_value(|known| export.id > *known) => {
                    newest_known.set_value(export.id.clone());
                    state.set(State::Done(export));
                }
                Ok(_) if polls_left > 0 => schedule_poll(state, newest_known, polls_left - 1),
                Ok(latest) => state.set(State::Idle(latest)),
                Err(error) => state.set(State::Unknown(error.code)),
            }
        });
    };
    set_timeout(poll, POLL_INTERVAL);
}
