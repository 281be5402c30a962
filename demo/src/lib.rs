//! Parts for demonstrations and tests, which production must not contain: a sample application with people and data, a
//! mail catcher, and the Clerk stand-in with these people.
//!
//! The parts run as processes (`lethe-demo clerk`, `lethe-demo inbox`, `lethe-demo seed`) and in-process for tests of
//! other crates ([`testing`]). Nothing here may know Lethe: the parts are reached as the real services are, by HTTP,
//! SMTP and SQL.

pub mod inbox;
pub mod people;
pub mod sample;
pub mod testing;
