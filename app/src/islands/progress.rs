//! The steps of a running deletion. The server renders them once; the island polls, and loads the page again when
//! the receipt is complete.

use std::time::Duration;

use gloo_net::http::Request;
use leptos::prelude::*;
use leptos::server_fn::ServerFn;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;
use web_sys::RequestCredentials;

use super::browser;
use crate::components::Check;
use crate::dto::{DeletionProgress, StepProgress, StepState};
use crate::error::PublicError;
use crate::server_fns::DeletionProgressOf;

/// Pause between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(900);

/// The steps, and a line that sums them up.
#[island]
pub(crate) fn ReceiptProgress(
    /// The receipt's code.
    code: String,
    /// The deletion's progress when the page was rendered.
    progress: DeletionProgress,
) -> impl IntoView {
    let progress = RwSignal::new(progress);
    let error = RwSignal::new(None);
    // The page's script loads the page again unless it finds this mark.
    let is_hydrated = RwSignal::new(false);
    Effect::new(move |_| {
        is_hydrated.set(true);
        schedule_poll(code.clone(), progress, error);
    });
    view! {
        <div class="card-body">
            <ol class="steps" data-awake=move || is_hydrated.get().then_some("true")>
                {move || progress.with(|progress| progress.steps.iter().map(step).collect_view())}
            </ol>
        </div>
        <div class="card-foot">
            <p class="state" role="status" data-state=move || if error.get().is_some() { "kept" } else { "rest" }>
                <span>{move || status_text(&progress.read(), error.get())}</span>
            </p>
        </div>
    }
}

fn step(step: &StepProgress) -> impl IntoView + use<> {
    let StepProgress { title, state, at } = step.clone();
    let (name, text) = match state {
        StepState::Pending => ("pending", "waits"),
        StepState::Running => ("running", "under way"),
        StepState::Blocked => ("blocked", "needs attention"),
        StepState::Done => ("done", "done"),
    };
    view! {
        <li data-step=name>
            <span class="step-mark" aria-hidden="true">{(state == StepState::Done).then(|| view! { <Check/> })}</span>
            <span>{title}</span>
            <span class="step-told">{at.unwrap_or_else(|| text.to_owned())}</span>
        </li>
    }
}

fn status_text(progress: &DeletionProgress, error: Option<ErrorCode>) -> String {
    if let Some(code) = error {
        return format!("{} The deletion goes on by itself.", code.message());
    }
    if progress.finished {
        return "Everything is done. The receipt follows.".to_owned();
    }
    if progress.attention {
        return "A step keeps failing. It is tried again until it works, and somebody was called.".to_owned();
    }
    let done = progress.steps.iter().filter(|step| step.state == StepState::Done).count();
    format!("{done} of {} steps done. You may close this page: it goes on by itself.", progress.steps.len())
}

fn schedule_poll(code: String, progress: RwSignal<DeletionProgress>, error: RwSignal<Option<ErrorCode>>) {
    let poll = move || {
        spawn_local(async move {
            match fetch_progress(&code).await {
                Ok(now) => {
                    let finished = now.finished;
                    error.set(None);
                    if *progress.read_untracked() != now {
                        progress.set(now);
                    }
                    if finished {
                        browser::reload();
                        return;
                    }
                }
                Err(code) => error.set(Some(code)),
            }
            schedule_poll(code, progress, error);
        });
    };
    set_timeout(poll, POLL_INTERVAL);
}

/// Requests the progress. The code alone authorizes it, so the request carries no cookies, and the server doesn't look
/// up a session whose user is being deleted.
async fn fetch_progress(code: &str) -> Result<DeletionProgress, ErrorCode> {
    let request = Request::get(DeletionProgressOf::url()).query([("code", code)]).credentials(RequestCredentials::Omit);
    let response = request.send().await.map_err(|_| ErrorCode::Unreachable)?;
    if response.ok() {
        response.json().await.map_err(|_| ErrorCode::Unreachable)
    } else {
        Err(response.json::<PublicError>().await.map_or(ErrorCode::Internal, |error| error.code))
    }
}
