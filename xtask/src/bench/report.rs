//! What all reports share.

use serde::Serialize;

/// The machine that ran a measurement.
#[derive(Debug, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
}

/// A result that can be printed as text or JSON.
pub(super) trait Report: Serialize {
    fn text(&self) -> String;
}

/// Rounds to one decimal.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
