//! `/receipt`: finds a receipt by its code.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::layout::Layout;
use crate::response;
use crate::server::view_model;
use crate::texts;

/// The form. With the code of a receipt in its query it leads to the receipt, so it needs no script.
#[component]
pub(crate) fn FindReceipt() -> impl IntoView {
    let code = use_query_map().with_untracked(|query| query.get("code"));
    let is_invalid = code.as_deref().is_some_and(|code| match view_model::receipt_code(code) {
        Ok(code) => {
            response::see_other(&format!("/receipt/{}", code.as_str()));
            false
        }
        Err(_) => true,
    });
    let title =
        if is_invalid { [texts::ERROR_PREFIX, texts::FIND_RECEIPT].concat() } else { texts::FIND_RECEIPT.to_owned() };
    view! {
        <Layout title is_personal=false>
            <h1>{texts::FIND_RECEIPT}</h1>
            <p class="lead">{texts::FIND_RECEIPT_LEAD}</p>
            <form class="card mt-6" method="get" action="/receipt" autocomplete="off">
                <div class="card-body">
                    <label class="confirm" for="receipt-code">{texts::RECEIPT_CODE}</label>
                    <input
                        id="receipt-code"
                        class="field"
                        type="text"
                        name="code"
                        value=code
                        required
                        autocapitalize="characters"
                        spellcheck="false"
                        autofocus=is_invalid
                        aria-invalid=is_invalid.then_some("true")
                        aria-describedby=is_invalid.then_some("receipt-hint")
                    />
                    {is_invalid.then(|| view! {
                        <p id="receipt-hint" class="field-hint" role="alert" data-invalid="true">
                            {texts::RECEIPT_NOT_FOUND}
                        </p>
                    })}
                </div>
                <div class="card-foot card-foot-end"><button class="button">{texts::OPEN_RECEIPT}</button></div>
            </form>
        </Layout>
    }
}
