//! A deletion's receipt: the progress while it runs, then the proof. Open to everybody who has the code.

use leptos::either::{Either, EitherOf3};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use lethe::deletion::{self, Disposition, Summary};
use time::OffsetDateTime;

use super::error_page::error_page;
use super::layout::{Layout, Scripts};
use crate::components::{Check, PlanTable, Steps};
use crate::dto::{DeletionProgress, StepProgress};
use crate::format;
use crate::islands::{FirstText, ReceiptProgress};
use crate::server::view_model;
use crate::texts;

/// Seconds after which the page of a running deletion reloads without script.
const RELOAD_SECONDS: &str = "4";
/// Reloads the page if scripts run, but the island's bundle never arrives.
const RELOAD_UNLESS_HYDRATED: &str = "setTimeout(()=>document.querySelector('[data-awake]')||location.reload(),6000)";

/// Stands for a time in a sentence.
const TIME: &str = "\0";

/// `/receipt/{code}`.
#[component]
pub(crate) fn Receipt() -> impl IntoView {
    let lethe = use_context::<lethe::Lethe>()?;
    let code = use_params_map().with_untracked(|parameters| parameters.get("code").unwrap_or_default());
    Some(Suspend::new(async move {
        match load_receipt(&lethe, &code).await {
            Ok(receipt) if receipt.progress.finished => EitherOf3::A(view! { <Completed receipt/> }),
            Ok(receipt) => EitherOf3::B(view! { <InProgress receipt/> }),
            Err(error) => EitherOf3::C(error_page(&error)),
        }
    }))
}

async fn load_receipt(lethe: &lethe::Lethe, code: &str) -> lethe::Result<deletion::Receipt> {
    let code = view_model::receipt_code(code)?;
    deletion::receipt(lethe, &code).await
}

#[component]
fn InProgress(receipt: deletion::Receipt) -> impl IntoView {
    let code = receipt.code.as_str().to_owned();
    let DeletionProgress { status, is_overdue, .. } = view_model::progress(&receipt.progress);
    provide_context(FirstText { text: status, tone: if is_overdue { "warning" } else { "rest" } });
    let steps = view_model::steps(&receipt.progress);
    view! {
        <Scripts/>
        <script nonce=use_nonce()>{RELOAD_UNLESS_HYDRATED}</script>
        // Not in the head: that is rendered by a second look at the deletion, which may find it finished already. Then
        // nothing would reload this page.
        <noscript><meta http-equiv="refresh" content=RELOAD_SECONDS/></noscript>
        <Layout title=texts::DELETING_TITLE is_personal=false>
            <h1>{texts::DELETING_TITLE}</h1>
            <p class="lead">{time_sentence(&texts::requested(TIME), receipt.requested_at)} " " {texts::SAVE_LINK}</p>
            <section class="card mt-6" id="progress" aria-label=texts::STEPS data-code=code>
                <ReceiptProgress><Steps steps/></ReceiptProgress>
            </section>
            <p class="mt-6 text-soft">{texts::RECEIPT} " " <code>{receipt.code.as_str().to_owned()}</code></p>
        </Layout>
    }
}

/// A sentence about a time, which the page's script shows in the reader's zone.
fn time_sentence(sentence: &str, at: OffsetDateTime) -> impl IntoView + use<> {
    let (before, after) = sentence.split_once(TIME).unwrap_or((sentence, ""));
    let (before, after) = (before.to_owned(), after.to_owned());
    view! { {before} <time datetime=format::rfc3339_micros(at)>{format::datetime(at)}</time> {after} }
}

#[component]
fn Completed(receipt: deletion::Receipt) -> impl IntoView {
    let summary = receipt.summary();
    let title = if summary.is_complete() { texts::DONE_COMPLETE_TITLE } else { texts::DONE_TITLE };
    let finished = receipt.finished_at.map(|at| time_sentence(&texts::finished(TIME), at));
    let steps = view_model::steps(&receipt.progress);
    let rows = view_model::result_rows(&receipt.results);
    view! {
        <Layout title=texts::RECEIPT is_personal=false>
            <div class="success-icon" aria-hidden="true"><Check/></div>
            <h1>{title}</h1>
            <p class="lead">{finished} " " {texts::SAVE_LINK}</p>
            {(summary != Summary::default()).then(|| view! { <p class="summary">{format::summary(&summary)}</p> })}
            <div class="card-actions mt-4">
                // Shown by the page's script, which they need.
                <button type="button" class="button button-quiet" hidden data-copy=texts::LINK_COPIED>{texts::COPY_LINK}</button>
                <button type="button" class="button button-quiet" hidden data-print="">{texts::PRINT}</button>
                <span role="status"></span>
            </div>
            <section class="card mt-6" aria-labelledby="data-title">
                <div class="card-head"><h2 id="data-title">{texts::RESULTS}</h2></div>
                <div class="card-body">
                    {if rows.is_empty() {
                        Either::Left(view! { <p>{texts::RESULTS_NOTHING}</p> })
                    } else {
                        Either::Right(
                            view! { <div class="plan-frame"><PlanTable rows caption=texts::RESULT_CAPTION outcome_heading=texts::COLUMN_DONE/></div> },
                        )
                    }}
                </div>
                {has_retention(&receipt).then(|| view! {
                    <div class="card-foot"><p class="state">{texts::RETAINED_UNTIL_DATES}</p></div>
                })}
            </section>
            <section class="card mt-6" aria-labelledby="steps-title">
                <div class="card-head"><h2 id="steps-title">{texts::STEPS_DONE}</h2></div>
                <div class="card-body">
                    <ol class="events events-short">{steps.into_iter().map(done_step).collect_view()}</ol>
                </div>
            </section>
            <p class="mt-6 text-soft">{texts::RECEIPT} " " <code>{receipt.code.as_str().to_owned()}</code></p>
            <Details receipt/>
        </Layout>
    }
}

/// Whether something is kept until a date.
fn has_retention(receipt: &deletion::Receipt) -> bool {
    let mut lines = receipt.results.iter().map(|result| &result.line).filter(|line| line.rows > 0);
    lines.any(|line| matches!(line.disposition(), Disposition::Retained(Some(_))))
}

/// What operators and auditors look up.
#[component]
fn Details(receipt: deletion::Receipt) -> impl IntoView {
    let entry = receipt.log_position.map(|(position, _)| texts::log_entry(format::count(position)));
    view! {
        <details class="details">
            <summary>{texts::DETAILS}</summary>
            <dl class="facts">
                <div><dt>{texts::PLAN_HASH}</dt><dd><code>{receipt.plan.hash.to_string()}</code></dd></div>
                {entry.map(|entry| view! { <div><dt>{texts::AUDIT_LOG}</dt><dd><code>{entry}</code></dd></div> })}
            </dl>
        </details>
    }
}

fn done_step(step: StepProgress) -> impl IntoView {
    view! { <li><span class="at">{step.at}</span><span>{step.title}</span></li> }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use lethe::deletion::{
        Outcome, Plan, PlanHash, PlanLine, Progress, ReceiptCode, Status, Step, StepStatus, TableResult,
    };
    use time::macros::datetime;

    use super::*;
    use crate::rendering::{HOSTILE, options, page};

    const AT: OffsetDateTime = datetime!(2026-11-22 09:57:58 UTC);

    fn receipt(done: usize, label: &str) -> deletion::Receipt {
        let steps = Step::ALL.into_iter().enumerate().map(|(index, step)| StepStatus {
            step,
            status: if index < done { Status::Done } else { Status::Pending },
            finished_at: (index < done).then_some(AT),
            attempts: u32::from(index < done),
        });
        let finished = done == Step::ALL.len();
        let result = |label: &str, rows, outcome| TableResult {
            line: PlanLine {
                table: "public.table".to_owned(),
                label: label.to_owned(),
                rows,
                outcome,
                others: false,
                since: None,
            },
            purge_due: None,
        };
        let retained = Outcome::Retained {
            reason: "billing disputes, Art. 17(3)(e)".to_owned(),
            until: Some(datetime!(2028-11-22 09:58 UTC)),
        };
        deletion::Receipt {
            code: ReceiptCode::parse(ReceiptCode::EXAMPLE).unwrap(),
            requested_at: AT,
            due_at: datetime!(2026-12-22 09:58 UTC),
            finished_at: finished.then_some(datetime!(2026-11-22 09:58 UTC)),
            progress: Progress {
                finished,
                steps: steps.collect(),
                needs_attention: false,
                due_at: datetime!(2026-12-22 09:58 UTC),
            },
            plan: Plan { lines: Vec::new(), hash: PlanHash::from_text("5f0ca91e".to_owned()), computed_at: AT },
            results: vec![
                result(label, 2049, Outcome::Deleted),
                result("Projects", 0, Outcome::Deleted),
                result("Usage log", 5310, retained),
            ],
            log_position: finished.then_some((184_220, 184_221)),
        }
    }

    #[tokio::test]
    async fn while_it_runs_the_steps_are_shown() {
        let page = page(|| {
            provide_context(options());
            view! { <InProgress receipt=receipt(2, "Posts")/> }
        });
        assert_snapshot!(page.await.lines());
    }

    #[tokio::test]
    async fn a_receipt_says_what_was_done() {
        assert_snapshot!(page(|| view! { <Completed receipt=receipt(7, "Posts")/> }).await.lines());
    }

    #[tokio::test]
    async fn label_is_never_markup() {
        let page = page(|| view! { <Completed receipt=receipt(7, HOSTILE)/> }).await;
        assert!(!page.html.contains("<script>alert"));
    }
}
