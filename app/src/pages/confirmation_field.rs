//! The field in which a user types the words that confirm a deletion.

use leptos::prelude::*;
use lethe_error_code::ErrorCode;

use crate::components::{WithPhrase, quoted_phrase};
use crate::texts;

/// The field for the words that confirm.
#[component]
pub(super) fn ConfirmationField(refused: Option<ErrorCode>, typed: Option<String>) -> impl IntoView {
    let is_invalid = refused == Some(ErrorCode::ConfirmationMissing);
    view! {
        <label class="confirm" for="deletion-confirmation"><WithPhrase sentence=texts::type_to_confirm(quoted_phrase())/></label>
        <input
            id="deletion-confirmation"
            class="field"
            type="text"
            name="confirmation"
            value=typed
            required
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            autofocus=is_invalid
            aria-invalid=is_invalid.then_some("true")
            aria-describedby=is_invalid.then_some("deletion-refused")
        />
        {is_invalid.then(|| view! {
            <p id="deletion-refused" class="field-hint" role="alert" data-invalid="true">
                <WithPhrase sentence=ErrorCode::ConfirmationMissing.message().to_owned()/>
            </p>
        })}
    }
}
