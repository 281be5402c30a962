//! The pages. Each loads what it shows in one go and is then rendered; none changes anything.

mod activity;
mod center;
mod confirm;
mod delete;
mod frame;
mod home;
mod landing;
mod receipt;
mod trouble;

pub(crate) use delete::Delete;
pub(crate) use home::Home;
pub(crate) use receipt::Receipt;
pub(crate) use trouble::Missing;
