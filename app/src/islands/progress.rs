//! The steps of a running deletion. The server renders them; the island polls, and loads the page again when the receipt
//! is complete.

use std::time::Duration;

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use lethe_error_code::ErrorCode;

use super::browser;
use super::http::{self, Reply};
use crate::components::LiveText;
use crate::texts;

/// Pause between two polls.
const POLL_INTERVAL: Duration = Duration::from_millis(900);
/// The section around the island, which has the receipt's code.
const SECTION_ID: &str = "progress";

/// The steps, and a line that sums them up.
#[island]
pub(crate) fn ReceiptProgress(children: Children) -> impl IntoView {
    let steps = NodeRef::<html::Div>::new();
    let status = RwSignal::new(browser::first_text());
    let is_warning = RwSignal::new(false);
    let tone = browser::first_tone();
    // The page hides the link that looks again if it finds this attribute.
    let is_hydrated = RwSignal::new(false);
    Effect::new(move |_| {
        is_hydrated.set(true);
        if let Some(text) = browser::element("progress-status").and_then(|element| element.text_content()) {
            status.set(text);
        }
        Poll { code: browser::attribute(SECTION_ID, "data-code"), steps, status, is_warning }.schedule();
    });
    view! {
        <div class="card-body" node_ref=steps data-awake=move || is_hydrated.get().then_some("true")>{children()}</div>
        <div class="card-foot">
            <p
                class="state"
                id="progress-status"
                role="status"
                data-state=move || if is_warning.get() { "warning" } else { tone }
            >
                <LiveText text=move || status.get()/>
            </p>
        </div>
    }
}

#[derive(Clone)]
struct Poll {
    code: String,
    steps: NodeRef<html::Div>,
    status: RwSignal<String>,
    is_warning: RwSignal<bool>,
}

impl Poll {
    fn schedule(self) {
        let poll = move || {
            spawn_local(async move {
                match http::deletion_progress(&self.code).await {
                    Ok(progress) if progress.is("finished") => {
                        self.status.set(texts::DONE_OPENING.to_owned());
                        browser::reload();
                        return;
                    }
                    Ok(progress) => self.show(&progress),
                    Err(code) => self.warn(code),
                }
                self.schedule();
            });
        };
        set_timeout(poll, POLL_INTERVAL);
    }

    fn show(&self, progress: &Reply) {
        self.is_warning.set(progress.is("is_overdue"));
        self.status.set(progress.text("status"));
        if let Some(steps) = self.steps.get_untracked() {
            let markup = progress.text("steps");
            if steps.inner_html() != markup {
                browser::set_markup(&steps, &markup);
            }
        }
    }

    fn warn(&self, code: ErrorCode) {
        self.is_warning.set(true);
        self.status.set([code.message(), texts::GOES_ON].join(" "));
    }
}
