//! What the browser loads: Lethe's islands.

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's script once everything is loaded.
#[wasm_bindgen]
pub fn hydrate() {
    lethe_app::restore_markup();
    leptos::mount::hydrate_islands();
}
