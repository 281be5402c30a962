//! The button that downloads a copy. It is an ordinary link. The island asks first whether the download may start, so that
//! a refusal doesn't take the page away, and then polls until the server has completed the file.

use std::time::Duration;

use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

use super::browser;
use super::http::{Call, Method, Reply};
use crate::components::{Check, LiveText};
use crate::error::PublicError;
use crate::server_fns::{LatestExport, PrepareExport};
use crate::texts;

/// Pause between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(1200);
/// Polls after which the island gives up. The download itself isn't affected.
const MAX_POLLS: u32 = 500;
const EXPORT_PATH: &str = "/api/privacy/export";
/// The section around the island, which has what the server knows.
const SECTION_ID: &str = "copy";
const STATUS_ID: &str = "copy-status";
const BUTTON_ID: &str = "copy-button";

#[derive(Clone, PartialEq, Eq)]
enum State {
    /// Nothing was downloaded from this page yet.
    Idle,
    Preparing,
    /// Holds the content of the file.
    Done(String),
    /// Polling failed. The download may continue.
    Unknown,
    /// The server refused the download.
    Refused(PublicError),
}

/// The download button and its state.
#[island]
pub(crate) fn ExportButton() -> impl IntoView {
    let newest_known = StoredValue::new(String::new());
    let state = RwSignal::new(State::Idle);
    Effect::new(move |_| {
        newest_known.set_value(browser::attribute(SECTION_ID, "data-now"));
        let refused = browser::attribute(SECTION_ID, "data-refused");
        if !refused.is_empty() {
            // The page says which incident it was.
            state.set(State::Refused(PublicError { code: ErrorCode::parse(&refused), incident: String::new() }));
            // The page was loaded again under whoever had pressed the button, which says why.
            browser::focus(BUTTON_ID);
        }
    });
    let start = move |event: leptos::ev::MouseEvent| {
        event.prevent_default();
        if state.get_untracked() == State::Preparing {
            return;
        }
        state.set(State::Preparing);
        spawn_local(async move {
            match Call::new(Method::Post, PrepareExport::PATH, &[]).send().await {
                Ok(_) => {
                    // There is a page in the frame where there should be a file. The center says why.
                    browser::download(EXPORT_PATH, browser::reload);
                    schedule_poll(state, newest_known, MAX_POLLS);
                }
                // The page that is loaded says how to go on.
                Err(error) if error.code == ErrorCode::ReverificationNeeded => browser::navigate(EXPORT_PATH),
                Err(error) => state.set(State::Refused(error)),
            }
        });
    };
    let first = browser::first_text();
    let tone = browser::first_tone();
    view! {
        <div class="card-foot">
            <p
                class="state"
                id=STATUS_ID
                role="status"
                data-state=move || state.with(|state| match state {
                    State::Done(_) => "success",
                    State::Refused(_) => "error",
                    _ => tone,
                })
            >
                <span class="state-icon" hidden=move || state.with(|state| !matches!(state, State::Done(_)))><Check/></span>
                <span class="spinner" aria-hidden="true" hidden=move || state.with(|state| *state != State::Preparing)></span>
                <LiveText first text=move || state.with(status_text)/>
            </p>
            <a class="link" href="/" hidden=move || !state.with(needs_sign_in)>{texts::SIGN_IN_AGAIN}</a>
            <a
                class="button"
                id=BUTTON_ID
                href=EXPORT_PATH
                aria-describedby=STATUS_ID
                aria-disabled=move || state.with(|state| *state == State::Preparing).then_some("true")
                on:click=start
            >
                {texts::DOWNLOAD}
            </a>
        </div>
    }
}

fn status_text(state: &State) -> String {
    match state {
        State::Idle => {
            let latest = browser::attribute(SECTION_ID, "data-latest");
            if latest.is_empty() {
                return texts::COPY_IDLE.to_owned();
            }
            texts::last_download(browser::local_time(&latest), browser::attribute(SECTION_ID, "data-latest-content"))
        }
        State::Preparing => texts::COPY_PREPARING.to_owned(),
        State::Done(content) => texts::downloaded(content),
        State::Unknown => texts::COPY_LOST.to_owned(),
        State::Refused(error) if error.incident.is_empty() || needs_sign_in(state) => {
            texts::not_downloaded(error.code.message())
        }
        State::Refused(error) => {
            [texts::not_downloaded(error.code.message()), texts::reference(&error.incident)].join(" ")
        }
    }
}

fn needs_sign_in(state: &State) -> bool {
    matches!(state, State::Refused(error) if error.code == ErrorCode::NotSignedIn)
}

/// Polls until the server has completed a newer export than `newest_known`.
fn schedule_poll(state: RwSignal<State>, newest_known: StoredValue<String>, polls_left: u32) {
    let poll = move || {
        if state.get_untracked() != State::Preparing {
            return;
        }
        spawn_local(async move {
            match Call::new(Method::Get, LatestExport::PATH, &[]).send().await {
                Ok(export) => {
                    let at = export.object("at").map(|at: Reply| at.text("timestamp")).unwrap_or_default();
                    if newest_known.with_value(|known| at > *known) {
                        newest_known.set_value(at);
                        state.set(State::Done(export.text("content")));
                        browser::announce_activity();
                    } else if polls_left > 0 {
                        schedule_poll(state, newest_known, polls_left - 1);
                    } else {
                        state.set(State::Unknown);
                    }
                }
                Err(_) => state.set(State::Unknown),
            }
        });
    };
    set_timeout(poll, POLL_INTERVAL);
}
