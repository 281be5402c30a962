//! What stands before every operation: same origin, headers, limits. Knows HTTP, no operation.

pub mod address;
pub mod headers;
pub mod limits;
pub mod origin;
