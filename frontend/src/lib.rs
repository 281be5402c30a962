//! What the browser loads: Lethe's islands.

// The islands live in `app`; without its name here they would not be linked.
use app as _;
use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script once everything is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
