//! The server functions: what the pages' forms and scripts request. In the browser these are calls over HTTP.

mod deletion;
mod export;
mod overview;
mod preferences;

pub use deletion::{
    ConfirmChangedPlan, DeletionProgressOf, GiveUpDeletion, PreviewDeletion, RequestDeletion, confirm_changed_plan,
    deletion_progress_of, give_up_deletion, preview_deletion, request_deletion,
};
pub use export::{LatestExport, PrepareExport, latest_export, prepare_export};
pub use overview::{HeldData, ReadPreferences, RecentActivity, held_data, read_preferences, recent_activity};
pub use preferences::{SavePreferences, save_preferences};

/// Path of the server function that starts a deletion, for the server's rate limit.
pub const REQUEST_DELETION_PATH: &str = <RequestDeletion as leptos::server_fn::ServerFn>::PATH;
/// Path of the server function that confirms a changed plan, for the server's rate limit.
pub const CONFIRM_CHANGED_PLAN_PATH: &str = <ConfirmChangedPlan as leptos::server_fn::ServerFn>::PATH;
/// Path of the server function that gives an attempt up, for the server's rate limit.
pub const GIVE_UP_DELETION_PATH: &str = <GiveUpDeletion as leptos::server_fn::ServerFn>::PATH;
/// Path of the server function that saves preferences, for the server's rate limit.
pub const SAVE_PREFERENCES_PATH: &str = <SavePreferences as leptos::server_fn::ServerFn>::PATH;
/// Paths of the server functions that count what is stored about a user, for the server's rate limit.
pub const PREVIEW_PATHS: [&str; 2] =
    [<PreviewDeletion as leptos::server_fn::ServerFn>::PATH, <HeldData as leptos::server_fn::ServerFn>::PATH];
