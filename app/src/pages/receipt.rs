//! A deletion's receipt: the progress while it runs, then the proof. Open to everybody who has the code.

use leptos::either::{Either, EitherOf3};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use lethe::deletion::{self, Outcome};

use super::error_page::error_page;
use super::layout::{Layout, Scripts};
use crate::components::{Check, PlanTable};
use crate::dto::StepProgress;
use crate::format;
use crate::islands::ReceiptProgress;
use crate::server::view_model;

/// Seconds after which the page of a running deletion reloads without script.
const RELOAD_SECONDS: &str = "4";
/// Reloads the page if scripts run, but the island's bundle never arrives.
const RELOAD_UNLESS_HYDRATED: &str = "setTimeout(()=>document.querySelector('[data-awake]')||location.reload(),6000)";

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
    view! {
        <Scripts/>
        <script nonce=use_nonce()>{RELOAD_UNLESS_HYDRATED}</script>
        // Not in the head: that is rendered by a second look at the deletion, which may find it finished already. Then
        // nothing would reload this page.
        <noscript><meta http-equiv="refresh" content=RELOAD_SECONDS/></noscript>
        <Layout title="Deleting your account">
            <h1>"Your account is being deleted"</h1>
            <p class="lead">
                "Asked for on " {format::datetime(receipt.requested_at)}
                ". Keep the address of this page: it opens without an account and becomes your receipt."
            </p>
            <section class="card mt-6" aria-label="Steps">
                <ReceiptProgress code=code progress=view_model::progress(&receipt.progress)/>
            </section>
            <p class="mt-6 text-soft">"Receipt " <code>{receipt.code.as_str().to_owned()}</code></p>
        </Layout>
    }
}

#[component]
fn Completed(receipt: deletion::Receipt) -> impl IntoView {
    let finished = receipt.finished_at.map(format::datetime).unwrap_or_default();
    let steps = view_model::progress(&receipt.progress).steps;
    let rows: Vec<_> =
        receipt.results.iter().filter(|result| result.line.rows > 0).map(view_model::result_row).collect();
    let has_retained = receipt
        .results
        .iter()
        .any(|result| result.line.rows > 0 && matches!(result.line.outcome, Outcome::Retained { until: Some(_), .. }));
    let position = receipt
        .log_position
        .map(|(position, length)| format!("entry {} of {}", format::count(position), format::count(length)));
    view! {
        <Layout title="Receipt">
            <div class="seal" aria-hidden="true"><Check/></div>
            <h1>"It's done"</h1>
            <p class="lead">
                "Your account and data were erased on " {finished}
                ". Keep this page: it is your proof, and it opens without an account."
            </p>
            <section class="card mt-6" aria-labelledby="data-title">
                <div class="card-head"><h2 id="data-title">"What became of your data"</h2></div>
                <div class="card-body">
                    {if rows.is_empty() {
                        Either::Left(view! { <p>"There was nothing but the sign-in account."</p> })
                    } else {
                        Either::Right(view! { <PlanTable rows outcome_heading="Became"/> })
                    }}
                </div>
                {has_retained.then(|| view! {
                    <div class="card-foot"><p class="state">"What is kept goes by itself at its date."</p></div>
                })}
            </section>
            <section class="card mt-6" aria-labelledby="steps-title">
                <div class="card-head"><h2 id="steps-title">"What was done, and when (UTC)"</h2></div>
                <div class="card-body">
                    <ol class="events events-short">{steps.into_iter().map(done_step).collect_view()}</ol>
                </div>
            </section>
            <dl class="facts">
                <div><dt>"Receipt"</dt><dd><code>{receipt.code.as_str().to_owned()}</code></dd></div>
                <div><dt>"Plan"</dt><dd><code>{receipt.plan.hash.to_string()}</code></dd></div>
                {position.map(|position| view! { <div><dt>"Log"</dt><dd><code>{position}</code></dd></div> })}
            </dl>
        </Layout>
    }
}

fn done_step(step: StepProgress) -> impl IntoView {
    view! { <li><span class="at">{step.at}</span><span>{step.title}</span></li> }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use lethe::deletion::{Plan, PlanHash, PlanLine, Progress, ReceiptCode, Status, Step, StepStatus, TableResult};
    use time::OffsetDateTime;
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
            line: PlanLine { table: "public.table".to_owned(), label: label.to_owned(), rows, outcome, others: false },
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
            progress: Progress { finished, steps: steps.collect(), needs_attention: false },
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
