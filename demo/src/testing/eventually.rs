//! Waiting for what happens in the background.

use std::time::Duration;

/// Waits until `condition` holds, for twenty seconds at most. `what` is for the panic message.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..800 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: not within twenty seconds");
}
