//! The steps of a deletion that is under way.

use leptos::prelude::*;

use super::Check;
use crate::dto::{StepProgress, StepState};
use crate::texts;

/// One line for each step.
#[component]
pub(crate) fn Steps(steps: Vec<StepProgress>) -> impl IntoView {
    view! { <ol class="steps">{steps.into_iter().map(|step| view! { <Step step/> }).collect_view()}</ol> }
}

#[component]
fn Step(step: StepProgress) -> impl IntoView {
    let StepProgress { title, state, at } = step;
    let (name, text) = match state {
        StepState::Pending => ("pending", texts::PENDING.to_owned()),
        StepState::Running => ("running", texts::RUNNING.to_owned()),
        StepState::Blocked => ("blocked", texts::BLOCKED.to_owned()),
        StepState::Held => ("pending", texts::WAITING_HOLD.to_owned()),
        StepState::Unconfirmed => ("blocked", texts::WAITING_CONFIRMATION.to_owned()),
        StepState::Done => ("done", at.unwrap_or_default()),
    };
    view! {
        <li data-step=name>
            <span class="step-icon" aria-hidden="true">{(state == StepState::Done).then(|| view! { <Check/> })}</span>
            <span>{title}</span>
            <span class="step-state">{text}</span>
        </li>
    }
}
