//! The words of every e-mail: one folder in `templates` each, with the subject, the text and the HTML.
//!
//! The HTML parts name classes. Mail programs read no style sheets, so `cargo xtask styles` turns the classes into inline
//! styles and writes the result to `inlined`, which is what is compiled in.

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::{Email, Error};

/// What was deleted and what is kept, in numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DataSummary {
    /// Items that were deleted.
    pub(crate) deleted: u64,
    /// Items that are hidden now and deleted later.
    pub(crate) deleted_later: u64,
    /// Items of which something is kept.
    pub(crate) retained: u64,
    /// The headline's case: the name of what is left.
    pub(crate) remainder: &'static str,
}

/// An e-mail and the values that its templates use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Template<'a> {
    /// To the person whose data was erased.
    DeletionReceipt { brand: &'a str, finished_at: &'a str, link: &'a str, receipt_code: &'a str, summary: DataSummary },
    /// To the operators, about a deletion that keeps failing. Holds nothing about the person.
    OperatorAlert { brand: &'a str, request: &'a str, step: &'a str, failure: &'a str, attempts: i32 },
    /// To the operators, when the data map can't be used. Holds tables and columns, and nothing about a person.
    DataMapAlert { brand: &'a str, is_rejected: bool, problems: &'a [String] },
    /// To the person, when what they confirmed isn't what would happen any more.
    PlanChanged { brand: &'a str, link: &'a str, receipt_link: &'a str },
    /// To the operators, about anything else: what is the matter, and the command that displays more.
    /// The value `about` chooses the words; they mention the others.
    OperatorNotice { brand: &'a str, values: &'a Value, command: &'a str },
}

impl Template<'_> {
    /// Fills in all three parts. Values are escaped in the HTML part; line breaks in the subject become spaces, so that no
    /// value adds a header.
    pub(crate) fn render(self) -> Result<Email, Error> {
        let (name, values) = match self {
            Self::DeletionReceipt { brand, finished_at, link, receipt_code, summary } => {
                let DataSummary { deleted, deleted_later, retained, remainder } = summary;
                let values = context! {
                    brand, finished_at, link, receipt_code, deleted, deleted_later, retained, remainder
                };
                ("deletion_receipt", values)
            }
            Self::OperatorAlert { brand, request, step, failure, attempts } => {
                ("operator_alert", context! { brand, request, step, failure, attempts })
            }
            Self::DataMapAlert { brand, is_rejected, problems } => {
                ("data_map_alert", context! { brand, is_rejected, problems => problems.to_vec() })
            }
            Self::PlanChanged { brand, link, receipt_link } => ("plan_changed", context! { brand, link, receipt_link }),
            Self::OperatorNotice { brand, values, command } => {
                let title = part("operator_notice/title.txt", values)?;
                let message = part("operator_notice/message.txt", values)?;
                ("operator_notice", context! { brand, title, message, command })
            }
        };
        let subject = part(&format!("{name}/subject.txt"), &values)?;
        Ok(Email {
            subject: subject
                .split(|character: char| character.is_whitespace() || character.is_control())
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
            text: part(&format!("{name}/body.txt"), &values)?,
            html: part(&format!("{name}/body.html"), &values)?,
        })
    }
}

fn part(name: &str, values: &Value) -> Result<String, Error> {
    // The error's source could quote the values, so it is dropped.
    TEMPLATES.get_template(name).and_then(|template| template.render(values)).map_err(|_| Error::Template)
}

/// The templates of subjects and plain texts, with their names. The HTML parts say the same.
pub const SOURCES: [(&str, &str); 13] = [
    ("deletion_receipt/headline.txt", include_str!("templates/deletion_receipt/headline.txt")),
    ("deletion_receipt/subject.txt", include_str!("templates/deletion_receipt/subject.txt")),
    ("deletion_receipt/body.txt", include_str!("templates/deletion_receipt/body.txt")),
    ("operator_alert/subject.txt", include_str!("templates/operator_alert/subject.txt")),
    ("operator_alert/body.txt", include_str!("templates/operator_alert/body.txt")),
    ("data_map_alert/subject.txt", include_str!("templates/data_map_alert/subject.txt")),
    ("data_map_alert/body.txt", include_str!("templates/data_map_alert/body.txt")),
    ("plan_changed/subject.txt", include_str!("templates/plan_changed/subject.txt")),
    ("plan_changed/body.txt", include_str!("templates/plan_changed/body.txt")),
    ("operator_notice/title.txt", include_str!("templates/operator_notice/title.txt")),
    ("operator_notice/message.txt", include_str!("templates/operator_notice/message.txt")),
    ("operator_notice/subject.txt", include_str!("templates/operator_notice/subject.txt")),
    ("operator_notice/body.txt", include_str!("templates/operator_notice/body.txt")),
];

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let syntax =
        SyntaxConfig::builder().keep_trailing_newline(true).build().expect("the delimiters are the usual ones");
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax);
    let html = [
        ("layout.html", include_str!("inlined/layout.html")),
        ("deletion_receipt/body.html", include_str!("inlined/deletion_receipt/body.html")),
        ("operator_alert/body.html", include_str!("inlined/operator_alert/body.html")),
        ("data_map_alert/body.html", include_str!("inlined/data_map_alert/body.html")),
        ("plan_changed/body.html", include_str!("inlined/plan_changed/body.html")),
        ("operator_notice/body.html", include_str!("inlined/operator_notice/body.html")),
    ];
    for (name, source) in SOURCES.iter().chain(&html) {
        environment.add_template(name, source).expect("the templates are part of the program and are valid");
    }
    environment
});

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\"><script>alert('x')</script>{{ link }}{% raw %}\r\nBcc: victim@example.org";

    fn receipt(brand: &str) -> Email {
        Template::DeletionReceipt {
            brand,
            finished_at: "1 December 2026, 9:05 UTC",
            link: "https://privacy.example.org/receipt/AAAAA-BBBBB-CCCCC-DDDDD-EEEEE",
            receipt_code: "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE",
            summary: DataSummary { deleted: 51, deleted_later: 60, retained: 1, remainder: "retained_and_later" },
        }
        .render()
        .unwrap()
    }

    fn alert(brand: &str, failure: &str) -> Email {
        Template::OperatorAlert {
            brand,
            request: "0190163d-8694-739b-aea5-966c26f8ad91",
            step: "erase",
            failure,
            attempts: 7,
        }
        .render()
        .unwrap()
    }

    fn notice(brand: &str, values: &Value) -> Email {
        Template::OperatorNotice { brand, values, command: "lethe doctor" }.render().unwrap()
    }

    fn failing_schedule(name: &str) -> Value {
        context! { about => "schedule_failing", name, failure => "rows_locked", attempts => 3 }
    }

    fn rendered(email: &Email) -> String {
        format!("Subject: {}\n\n=== text\n{}\n=== html\n{}", email.subject, email.text, email.html)
    }

    #[test]
    fn deletion_receipt_matches_its_snapshot() {
        insta::assert_snapshot!(rendered(&receipt("Acme & Söhne")));
    }

    #[test]
    fn headline_and_subject_say_what_is_left() {
        for (remainder, words) in [
            ("no_data", "account has been deleted"),
            ("nothing", "account and your data have been deleted"),
            ("later", "account has been deleted; some of your data will be deleted later"),
            ("retained", "account has been deleted; some of your data is kept"),
            (
                "retained_and_later",
                "account has been deleted; some of your data is kept, and some will be deleted later",
            ),
        ] {
            let summary = DataSummary { deleted: 0, deleted_later: 0, retained: 0, remainder };
            let (brand, finished_at, link, receipt_code) = ("Acme", "today", "https://example.org", "AAAAA");
            let email = Template::DeletionReceipt { brand, finished_at, link, receipt_code, summary }.render().unwrap();
            assert_eq!(email.subject, format!("Your Acme {words}"));
            for element in ["title", "h1"] {
                assert!(email.html.contains(&format!(">Your {words}</{element}>")), "{element}: {}", email.html);
            }
        }
    }

    #[test]
    fn operator_alert_matches_its_snapshot() {
        insta::assert_snapshot!(rendered(&alert("Acme & Söhne", "clerk_unavailable")));
    }

    fn map_alert(brand: &str, is_rejected: bool, problem: &str) -> Email {
        let problems =
            [problem.to_owned(), "public.notes: the database has no such table. Correct the name".to_owned()];
        Template::DataMapAlert { brand, is_rejected, problems: &problems }.render().unwrap()
    }

    fn plan_changed(brand: &str) -> Email {
        let link = "https://privacy.example.org/delete";
        let receipt_link = "https://privacy.example.org/receipt/AAAAA-BBBBB-CCCCC-DDDDD-EEEEE";
        Template::PlanChanged { brand, link, receipt_link }.render().unwrap()
    }

    #[test]
    fn data_map_alert_has_every_problem_and_what_to_do() {
        let problem = "public.surprise: this table references users. Add an entry";
        for (is_rejected, consequence) in
            [(false, "Exports and deletions wait"), (true, "The earlier map stays in force")]
        {
            let alert = map_alert("Acme & Söhne", is_rejected, problem);
            assert_eq!(alert.subject, "Acme & Söhne: the data map needs attention");
            for part in [&alert.text, &alert.html] {
                for expected in [problem, "public.notes", consequence, "lethe map check"] {
                    assert!(part.contains(expected), "{expected}: {part}");
                }
            }
        }
    }

    #[test]
    fn changed_plan_leads_to_the_page_that_shows_it() {
        let email = plan_changed("Acme");
        for part in [&email.text, &email.html] {
            assert!(
                part.contains("privacy.example.org") && part.contains("delete") && part.contains("AAAAA-BBBBB"),
                "{part}"
            );
            assert!(part.contains("has changed since you confirmed it"), "{part}");
        }
    }

    #[test]
    fn operator_notice_matches_its_snapshot() {
        insta::assert_snapshot!(rendered(&notice("Acme & Söhne", &failing_schedule("search_orphans"))));
    }

    #[test]
    fn every_operator_notice_has_words_of_its_own() {
        let earliest = "0190163d-8694-739b-aea5-966c26f8ad91";
        let notices = [
            context! { about => "due_dates", overdue => 1, within_a_day => 2, within_seven_days => 3, earliest },
            context! { about => "clerk_events_waiting", users => 1 },
            context! { about => "clerk_events_waiting", users => 7 },
            context! { about => "orphans_found", orphans => 1, people => 8 },
            context! { about => "orphan_search_refused", people => 20 },
            failing_schedule("search_orphans"),
            context! { about => "jobs_failing", name => "mirror_consent", jobs => 1 },
            context! { about => "jobs_failing", name => "mirror_consent", jobs => 4 },
            context! { about => "content_found", column => "public.notes.body" },
        ];
        let texts =
            notices.iter().map(|values| notice("Acme", values)).map(|mail| [mail.subject, mail.text].join("\n"));
        insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n\n"));
    }

    #[test]
    fn hostile_values_are_escaped_in_html() {
        for email in [
            receipt(HOSTILE),
            alert(HOSTILE, HOSTILE),
            map_alert(HOSTILE, false, HOSTILE),
            notice(HOSTILE, &failing_schedule(HOSTILE)),
        ] {
            assert!(!email.html.contains("<script"), "{}", email.html);
            assert!(email.html.contains("&quot;&gt;&lt;script&gt;alert(&#x27;x&#x27;)"), "{}", email.html);
            // Values are text: what looks like a template in them stays as it is.
            assert!(email.html.contains("{{ link }}{% raw %}") && email.text.contains("{{ link }}{% raw %}"));
        }
    }

    #[test]
    fn line_breaks_in_values_stay_out_of_the_subject() {
        for email in [receipt(HOSTILE), alert(HOSTILE, "")] {
            assert!(!email.subject.contains(char::is_control), "{:?}", email.subject);
            assert!(email.subject.contains("{% raw %} Bcc: victim@example.org"), "{:?}", email.subject);
        }
        assert_eq!(alert("Acme\u{0}\u{2028}Ltd\n", "").subject, "Acme Ltd : a deletion needs attention");
    }

    #[test]
    fn html_parts_need_no_style_sheet() {
        for email in [
            receipt("Acme"),
            alert("Acme", ""),
            map_alert("Acme", true, ""),
            plan_changed("Acme"),
            notice("Acme", &failing_schedule("")),
        ] {
            assert!(!email.html.contains("class=") && email.html.contains("style="));
        }
    }
}
