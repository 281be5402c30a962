//! Previewing, requesting and following a deletion.

use leptos::prelude::*;
use leptos::server_fn::codec::GetUrl;

use super::{Begun, DeletionProgress, Preview, PublicError};

/// What a deletion would do.
#[server(prefix = "/api/_", endpoint = "preview_deletion", input = GetUrl)]
pub async fn preview_deletion(
    /// The mark of the person for whom the page was made.
    #[server(default)]
    person: String,
) -> Result<Preview, PublicError> {
    use super::{answer, load};

    let plan = async {
        let caller = answer::Caller::of_page(&person)?;
        let plan = lethe::deletion::preview(&caller.lethe, &caller.person.subject).await?;
        Ok(load::preview(&plan, caller.may_act().err()))
    };
    answer::plainly(plan.await)
}

/// Begins the deletion of the person who asks: the plan that was shown, confirmed in writing.
#[server(prefix = "/api/_", endpoint = "request_deletion")]
pub async fn request_deletion(
    /// The hash of the plan that was shown.
    #[server(default)]
    plan: String,
    /// What was typed.
    #[server(default)]
    confirmation: String,
    /// The mark of the person for whom the page was made.
    #[server(default)]
    person: String,
) -> Result<Begun, PublicError> {
    use super::answer;
    use super::errand::Errand;
    use lethe::deletion::{self, NewRequest, Origin};

    let begun = async {
        let caller = answer::Caller::of_page(&person)?;
        caller.may_act()?;
        answer::confirmed(&confirmation)?;
        let request = NewRequest {
            subject: &caller.person.subject,
            origin: Origin::Page,
            confirmed_plan: Some(&plan),
            contact: caller.person.email.as_deref(),
        };
        Ok(deletion::request(&caller.lethe, request).await?)
    };
    let begun = begun.await.map(|request| Begun { receipt: format!("/receipt/{}", request.receipt.as_str()) });
    answer::keep_form(&begun, &person, || Errand::Deletion(confirmation));
    answer::to_form(begun, |outcome| match outcome {
        Ok(begun) => begun.receipt.clone(),
        Err(code) => format!("/delete?refused={}", code.word()),
    })
}

/// How far a deletion is. Open to whoever knows the receipt's code, as the receipt is.
#[server(prefix = "/api/_", endpoint = "deletion_progress", input = GetUrl)]
pub async fn deletion_progress_of(
    /// The receipt's code.
    code: String,
) -> Result<DeletionProgress, PublicError> {
    use super::{answer, load};

    let receipt = async {
        let lethe = answer::lethe()?;
        let code = load::receipt_code(&code)?;
        Ok(lethe::deletion::receipt(&lethe, &code).await?)
    };
    answer::plainly(receipt.await.map(|receipt| load::progress(&receipt)))
}
