//! The steps of a deletion while it runs. Rendered once by the server; in the browser it asks on,
//! and lets the server show the receipt when everything is done.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::browser;
use super::icon::Check;
use crate::api::{DeletionProgress, ErrorCode, StepProgress, StepState};

/// Between two questions.
const POLL_INTERVAL: Duration = Duration::from_millis(900);

/// The steps, and a line that says how far they are.
#[island]
pub(crate) fn ReceiptProgress(
    /// The receipt's code.
    code: String,
    /// How far the deletion was when the page was made.
    progress: DeletionProgress,
) -> impl IntoView {
    let progress = RwSignal::new(progress);
    let error = RwSignal::new(None);
    let awake = RwSignal::new(false);
    Effect::new(move |_| {
        awake.set(true);
        schedule_poll(code.clone(), progress, error);
    });
    view! {
        <div class="card-body">
            <ol class="steps" data-awake=move || awake.get().then_some("true")>
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
    let (state_name, state_text) = match state {
        StepState::Pending => ("pending", "waits"),
        StepState::Running => ("running", "under way"),
        StepState::Blocked => ("blocked", "needs attention"),
        StepState::Done => ("done", "done"),
    };
    view! {
        <li data-step=state_name>
            <span class="step-mark" aria-hidden="true">{(state == StepState::Done).then(|| view! { <Check/> })}</span>
            <span>{title}</span>
            <span class="step-told">{at.unwrap_or_else(|| state_text.to_owned())}</span>
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

/// Asks the server how far the deletion is.
#[cfg(feature = "hydrate")]
async fn fetch_progress(code: &str) -> Result<DeletionProgress, ErrorCode> {
    use gloo_net::http::Request;
    use leptos::server_fn::ServerFn;

    use crate::api::{DeletionProgressOf, PublicError};

    // A code holds letters, digits and dashes, so it needs no encoding.
    let address = format!("{}?code={code}", DeletionProgressOf::url());
    let response = Request::get(&address).send().await.map_err(|_| ErrorCode::Unreachable)?;
    if response.ok() {
        response.json().await.map_err(|_| ErrorCode::Unreachable)
    } else {
        Err(response.json::<PublicError>().await.map_or(ErrorCode::Internal, |error| error.code))
    }
}

/// Only the browser asks.
#[cfg(not(feature = "hydrate"))]
#[expect(clippy::unused_async, reason = "the same signature as in the browser")]
async fn fetch_progress(_code: &str) -> Result<DeletionProgress, ErrorCode> {
    Err(ErrorCode::Unreachable)
}
