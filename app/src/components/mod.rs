//! What pages and islands are made of: static markup. An island that uses one brings it into the browser's bundle.

mod error_notice;
mod icon;
mod plan_table;

pub(crate) use error_notice::ErrorNotice;
pub(crate) use icon::Check;
pub(crate) use plan_table::PlanTable;
