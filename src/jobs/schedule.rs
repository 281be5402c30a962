//! Every schedule, on one page. A schedule repairs what a lost job or a crash left behind; it is
//! never the only way that something gets done in time.

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::run;
use crate::deletion::{self, clerk_events, retention};

/// Minute, hour, day, month, weekday, job.
pub(super) const CRONTAB: &str = "\
* * * * * resume_deletions ?max=1\n\
7 * * * * erase_due ?fill=1d&max=5\n\
23 3 * * * forget_deliveries ?max=5\n";

macro_rules! scheduled {
    ($(#[$meta:meta])* $name:ident($identifier:literal) => $function:path) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, Serialize, Deserialize)]
        #[serde(from = "IgnoredAny")]
        pub(super) struct $name {}

        // What the schedule enqueues has no payload: null.
        impl From<IgnoredAny> for $name {
            fn from(_payload: IgnoredAny) -> Self {
                Self {}
            }
        }

        impl TaskHandler for $name {
            const IDENTIFIER: &'static str = $identifier;

            async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
                run($identifier, &context, async |lethe| $function(lethe).await.map(drop)).await
            }
        }
    };
}

scheduled!(
    /// Enqueues every deletion that is due and that no job works on.
    ResumeDeletions("resume_deletions") => deletion::resume_all
);
scheduled!(
    /// Erases the rows whose retention has ended.
    EraseDue("erase_due") => retention::purge_expired
);
scheduled!(
    /// Forgets the ids of webhook deliveries that can't be repeated any more.
    ForgetDeliveries("forget_deliveries") => clerk_events::delete_old_deliveries
);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn scheduled_jobs_take_any_payload() {
        for payload in [Value::Null, json!({}), json!({"_cron": {"ts": "2026-11-22T09:58:00Z"}})] {
            assert!(serde_json::from_value::<ResumeDeletions>(payload).is_ok());
        }
    }
}
