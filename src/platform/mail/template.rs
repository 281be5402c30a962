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
}

/// An e-mail and the values that its templates use.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Template<'a> {
    /// To the person whose data was erased.
    DeletionReceipt { brand: &'a str, finished_at: &'a str, link: &'a str, receipt_code: &'a str, summary: DataSummary },
    /// To the operators, about a deletion that keeps failing. Holds nothing about the person.
    OperatorAlert { brand: &'a str, request: &'a str, step: &'a str, failure: &'a str, attempts: i32 },
}

impl Template<'_> {
    /// Fills in all three parts. Values are escaped in the HTML part; line breaks in the subject become spaces, so that no
    /// value adds a header.
    pub(crate) fn render(self) -> Result<Email, Error> {
        let (name, values) = match self {
            Self::DeletionReceipt { brand, finished_at, link, receipt_code, summary } => {
                let DataSummary { deleted, deleted_later, retained } = summary;
                let values = context! { brand, finished_at, link, receipt_code, deleted, deleted_later, retained };
                ("deletion_receipt", values)
            }
            Self::OperatorAlert { brand, request, step, failure, attempts } => {
                ("operator_alert", context! { brand, request, step, failure, attempts })
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
pub const SOURCES: [(&str, &str); 4] = [
    ("deletion_receipt/subject.txt", include_str!("templates/deletion_receipt/subject.txt")),
    ("deletion_receipt/body.txt", include_str!("templates/deletion_receipt/body.txt")),
    ("operator_alert/subject.txt", include_str!("templates/operator_alert/subject.txt")),
    ("operator_alert/body.txt", include_str!("templates/operator_alert/body.txt")),
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
            summary: DataSummary { deleted: 51, deleted_later: 60, retained: 1 },
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

    fn rendered(email: &Email) -> String {
        format!("Subject: {}\n\n=== text\n{}\n=== html\n{}", email.subject, email.text, email.html)
    }

    #[test]
    fn deletion_receipt_matches_its_snapshot() {
        insta::assert_snapshot!(rendered(&receipt("Acme & Söhne")));
    }

    #[test]
    fn operator_alert_matches_its_snapshot() {
        insta::assert_snapshot!(rendered(&alert("Acme & Söhne", "clerk_unavailable")));
    }

    #[test]
    fn hostile_values_are_escaped_in_html() {
        for email in [receipt(HOSTILE), alert(HOSTILE, HOSTILE)] {
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
        for email in [receipt("Acme"), alert("Acme", "")] {
            assert!(!email.html.contains("class=") && email.html.contains("style="));
        }
    }
}
