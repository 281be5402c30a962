//! The pages. Each loads what it shows in one go and is then rendered; none changes anything.

mod activity;
mod center;
mod confirm;
mod delete;
mod error_page;
mod home;
mod landing;
mod layout;
mod receipt;

pub(crate) use delete::Delete;
pub(crate) use error_page::NotFound;
pub(crate) use home::Home;
pub(crate) use receipt::Receipt;
