//! A deletion's receipt: the progress while it runs, then the proof. Open to everybody who has the code.

use leptos::either::{Either, EitherOf3};
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use lethe::deletion::{
    self, ContentSearch, Disposition, FoundContent, Searched, Summary, TableResult, UnsearchedReason, Waiting,
};
use time::OffsetDateTime;

use super::error_page::error_page;
use super::layout::{Layout, Scripts};
use crate::components::{Check, PlanTable, Steps};
use crate::dto::{DeletionProgress, StepProgress};
use crate::format;
use crate::islands::{FirstText, ReceiptProgress};
use crate::server::view_model;
use crate::texts;

/// Hides the link that looks again where scripts run, unless the island's bundle doesn't arrive.
const HIDE_LINK_IF_HYDRATED: &str = "{const a=document.getElementById('check-again');a.hidden=true;\
    setTimeout(()=>{a.hidden=!!document.querySelector('[data-awake]')},6000)}";

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
    let asks = receipt.progress.waiting == Some(Waiting::Confirmation);
    view! {
        <Scripts/>
        <Layout title=texts::DELETING_TITLE is_personal=false>
            <h1>{texts::DELETING_TITLE}</h1>
            <p class="lead">{time_sentence(&texts::requested(TIME), receipt.requested_at)} " " {texts::SAVE_PROGRESS_LINK}</p>
            <section class="card mt-6" id="progress" aria-label=texts::STEPS data-code=code>
                <ReceiptProgress><Steps steps/></ReceiptProgress>
            </section>
            // No timed reload: it would take readers away from where they are (WCAG 2.2.1).
            <p class="mt-6" id="check-again"><a class="button button-quiet" href="">{texts::CHECK_AGAIN}</a></p>
            <script nonce=use_nonce()>{HIDE_LINK_IF_HYDRATED}</script>
            {asks.then(|| view! { <p class="mt-6"><a class="button" href="/delete">{texts::CHECK_CHANGE}</a></p> })}
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
    let finished = receipt.finished_at.map(|at| time_sentence(&texts::finished(TIME), at));
    let steps = view_model::steps(&receipt.progress);
    let rows = view_model::result_rows(&receipt.results);
    let replanned = view_model::replanned_text(&receipt);
    view! {
        <Layout title=texts::RECEIPT is_personal=false>
            <div class="success-icon" aria-hidden="true"><Check/></div>
            <h1>{format::done_title(summary.remainder())}</h1>
            <p class="lead">{finished} " " {texts::SAVE_LINK}</p>
            {(summary != Summary::default()).then(|| view! { <p class="summary">{format::summary(&summary)}</p> })}
            {replanned.map(|text| view! { <p class="mt-4">{text}</p> })}
            <div class="card-actions mt-4">
                // Shown by the page's script, which they need.
                <button type="button" class="button button-quiet" hidden data-copy=texts::LINK_COPIED data-failed=texts::LINK_NOT_COPIED>{texts::COPY_LINK}</button>
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
            <Rechecks rechecks=receipt.rechecks.clone()/>
            <p class="mt-6 text-soft">{texts::RECEIPT} " " <code>{receipt.code.as_str().to_owned()}</code></p>
            <Details receipt/>
        </Layout>
    }
}

/// When the data was looked for again, or will be.
#[component]
fn Rechecks(rechecks: Vec<deletion::Recheck>) -> impl IntoView {
    (!rechecks.is_empty()).then(|| {
        let is_over = rechecks.iter().all(|recheck| recheck.finished_at.is_some());
        view! {
            <section class="card mt-6" aria-labelledby="rechecks-title">
                <div class="card-head"><h2 id="rechecks-title">{texts::RECHECKS}</h2></div>
                <div class="card-body">
                    {(!is_over).then(|| view! { <p class="text-soft">{texts::RECHECKS_LEAD}</p> })}
                    <ol class="events mt-3">{rechecks.into_iter().map(recheck).collect_view()}</ol>
                </div>
            </section>
        }
    })
}

fn recheck(recheck: deletion::Recheck) -> impl IntoView {
    let text = match (recheck.finished_at, recheck.rows_erased) {
        (None, _) => texts::RECHECK_DUE.to_owned(),
        (Some(_), 0) => texts::RECHECKED_NOTHING.to_owned(),
        (Some(_), rows) => texts::rechecked(format::items(rows)),
    };
    let at = recheck.finished_at.unwrap_or(recheck.due_at);
    view! { <li><time datetime=format::rfc3339_micros(at)>{format::datetime(at)}</time><span>{text}</span></li> }
}

/// Whether something is kept until a date.
fn has_retention(receipt: &deletion::Receipt) -> bool {
    let mut lines = receipt.results.iter().map(|result| &result.line).filter(|line| line.rows > 0);
    lines.any(|line| matches!(line.disposition(), Disposition::Retained(Some(_))))
}

/// What operators and auditors look up.
#[component]
fn Details(receipt: deletion::Receipt) -> impl IntoView {
    let plan = receipt.plan.hash.to_string();
    let entry = receipt.log_position.map(|(position, _)| texts::log_entry(format::count(position)));
    view! {
        <details class="details">
            <summary>{texts::DETAILS}</summary>
            <dl class="facts">
                {(!plan.is_empty()).then(|| view! { <div><dt>{texts::PLAN_HASH}</dt><dd><code>{plan}</code></dd></div> })}
                {receipt.searched.as_ref().map(search_facts)}
                {facts(texts::STAYS, receipt.results.iter().filter_map(stays).collect())}
                {entry.map(|entry| view! { <div><dt>{texts::AUDIT_LOG}</dt><dd><code>{entry}</code></dd></div> })}
            </dl>
            {receipt.searched.as_ref().map(|searched| view! { <p class="text-soft">{search_limits(searched)}</p> })}
        </details>
    }
}

fn search_limits(searched: &Searched) -> &'static str {
    match searched.content {
        Some(ContentSearch::Searched { .. }) => texts::SEARCH_LIMITS_CONTENT,
        Some(ContentSearch::TooLarge | ContentSearch::TimedOut) | None => texts::SEARCH_LIMITS,
    }
}

/// Where was looked, and where not.
fn search_facts(searched: &Searched) -> impl IntoView + use<> {
    let columns = searched.columns.iter().map(|found| format!("{}.{}", found.table, found.column)).collect();
    let unsearched = searched.unsearched.iter().map(|found| {
        texts::unsearched(
            &found.table,
            match found.reason {
                UnsearchedReason::NoPrivilege => texts::NO_PRIVILEGE,
                UnsearchedReason::RowLevelSecurity => texts::ROW_LEVEL_SECURITY,
                UnsearchedReason::MaterializedView => texts::MATERIALIZED_VIEW,
                UnsearchedReason::ForeignTable => texts::FOREIGN_TABLE,
                UnsearchedReason::AddressUnknown => texts::ADDRESS_UNKNOWN,
            },
        )
    });
    let content = searched.content.as_ref().map(|content| match content {
        ContentSearch::Searched { tables, .. } => texts::content_searched(format::count(*tables)),
        ContentSearch::TooLarge => texts::CONTENT_TOO_LARGE.to_owned(),
        ContentSearch::TimedOut => texts::CONTENT_TIMED_OUT.to_owned(),
    });
    let found = searched.content.iter().flat_map(ContentSearch::found).map(|FoundContent { table, column, rows }| {
        texts::content_found(format!("{table}.{column}"), format::items(*rows))
    });
    view! {
        {facts(texts::CONTENT_FOUND, found.collect())}
        {facts(texts::SEARCHED_TABLES, searched.tables.clone())}
        {facts(texts::SEARCHED_COLUMNS, columns)}
        {facts(texts::CONTENT_SEARCH, content.into_iter().collect())}
        {facts(texts::UNSEARCHED, unsearched.collect())}
    }
}

/// Rows that stay, as operators call them.
fn stays(TableResult { line, .. }: &TableResult) -> Option<String> {
    if line.rows == 0 || line.others || line.disposition() == Disposition::Deleted {
        return None;
    }
    let rows = format::items(line.rows);
    Some(match &line.key {
        Some(column) => texts::stays_with_key(&line.table, rows, column),
        None => texts::stays(&line.table, rows),
    })
}

/// A heading and what belongs to it, unless that is nothing.
fn facts(heading: &'static str, values: Vec<String>) -> impl IntoView {
    (!values.is_empty()).then(|| {
        let values = values.into_iter().map(|value| view! { <dd><code>{value}</code></dd> });
        view! { <div><dt>{heading}</dt>{values.collect_view()}</div> }
    })
}

fn done_step(step: StepProgress) -> impl IntoView {
    view! { <li><span class="at">{step.at}</span><span>{step.title}</span></li> }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use lethe::deletion::{
        Outcome, Plan, PlanHash, PlanLine, Progress, ReceiptCode, Recheck, ReplannedBy, SearchedColumn, Status, Step,
        StepStatus, Unsearched,
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
                column_labels: std::collections::BTreeMap::new(),
                rows,
                others: false,
                since: None,
                key: matches!(outcome, Outcome::Retained { .. }).then(|| "user_id".to_owned()),
                outcome,
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
                waiting: None,
                due_at: datetime!(2026-12-22 09:58 UTC),
            },
            plan: Plan { lines: Vec::new(), hash: PlanHash::from_text("5f0ca91e".to_owned()), computed_at: AT },
            was_unlisted: false,
            replanned: None,
            results: vec![
                result(label, 2049, Outcome::Deleted),
                result("Projects", 0, Outcome::Deleted),
                result("Usage log", 5310, retained),
            ],
            searched: finished.then(|| Searched {
                tables: vec!["public.posts".to_owned()],
                columns: vec![SearchedColumn { table: "public.tags".to_owned(), column: "created_by".to_owned() }],
                unsearched: vec![Unsearched {
                    table: "public.salaries".to_owned(),
                    reason: UnsearchedReason::NoPrivilege,
                }],
                content: Some(ContentSearch::Searched {
                    tables: 3,
                    found: vec![FoundContent { table: "public.notes".to_owned(), column: "body".to_owned(), rows: 2 }],
                }),
            }),
            rechecks: if finished {
                vec![
                    Recheck { due_at: AT, finished_at: Some(datetime!(2026-11-22 09:59:05 UTC)), rows_erased: 2 },
                    Recheck { due_at: datetime!(2026-11-23 09:58 UTC), finished_at: None, rows_erased: 0 },
                ]
            } else {
                Vec::new()
            },
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
    async fn a_deletion_that_waits_says_so_calmly() {
        for (waiting, step) in [
            (Waiting::DataMap, texts::PENDING),
            (Waiting::Hold, texts::WAITING_HOLD),
            (Waiting::Confirmation, texts::WAITING_CONFIRMATION),
        ] {
            let waiting_receipt = move || {
                let mut receipt = receipt(2, "Posts");
                receipt.progress = Progress { needs_attention: true, waiting: Some(waiting), ..receipt.progress };
                receipt
            };
            let page = page(move || {
                provide_context(options());
                view! { <InProgress receipt=waiting_receipt()/> }
            })
            .await;
            assert!(page.html.contains("Your request is recorded") || waiting == Waiting::Confirmation, "{waiting:?}");
            assert!(page.html.contains("by 22 December 2026") && page.html.contains(step), "{waiting:?}");
            assert!(!page.html.contains("taking longer") && !page.html.contains(texts::BLOCKED), "{waiting:?}");
            assert_eq!(page.html.contains("href=\"/delete\""), waiting == Waiting::Confirmation);
        }
    }

    #[tokio::test]
    async fn the_headline_promises_no_more_than_what_was_done() {
        // The results of `receipt`: deleted, none, kept.
        for (results, is_found_in_texts, title) in [
            (0..0, false, "Your account has been deleted"),
            (0..2, false, "Your account and your data have been deleted"),
            (0..2, true, "Your account has been deleted; some of your data is kept"),
            (0..3, false, "Your account has been deleted; some of your data is kept"),
        ] {
            let receipt = move || {
                let receipt = receipt(7, "Posts");
                let searched = receipt.searched.clone().filter(|_| is_found_in_texts);
                deletion::Receipt { results: receipt.results[results.clone()].to_vec(), searched, ..receipt }
            };
            let page = page(move || view! { <Completed receipt=receipt()/> }).await;
            assert!(page.html.contains(&format!("<h1>{title}</h1>")), "{title}");
        }
    }

    #[tokio::test]
    async fn a_receipt_says_on_whose_word_the_plan_was_replaced() {
        for (replanned, was_unlisted, text) in [
            (Some((AT, ReplannedBy::Person)), false, "You confirmed the change on 22 November 2026"),
            (Some((AT, ReplannedBy::Operator)), false, "On 22 November 2026 we decided"),
            (Some((AT, ReplannedBy::Unreachable)), false, "We couldn’t ask you"),
            (None, true, "we couldn’t list what would happen"),
        ] {
            let receipt = move || deletion::Receipt { replanned, was_unlisted, ..receipt(7, "Posts") };
            assert!(page(move || view! { <Completed receipt=receipt()/> }).await.html.contains(text), "{text}");
        }
    }

    #[tokio::test]
    async fn label_is_never_markup() {
        let page = page(|| view! { <Completed receipt=receipt(7, HOSTILE)/> }).await;
        assert!(!page.html.contains("<script>alert"));
    }
}
