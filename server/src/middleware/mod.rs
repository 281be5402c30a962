//! What stands before every operation: same origin, headers, limits. Knows HTTP, no operation.

pub mod client_ip;
pub mod csrf;
pub mod rate_limit;
pub mod security_headers;
