//! What a decision costs with keys at hand: `cargo test --release -p server speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;

#[test]
#[ignore = "measures; meaningful in a release build alone"]
fn speed_of_a_decision() {
    const BATCHES: u32 = 200;
    const ROUNDS: u32 = 10;
    let (rules, ring) = (rules(PRODUCTION), ring());
    let keys = KeySource { ring: &ring, absent: Absent::Unknown };
    let token = production_token(&json!({}));
    let suffix = &rules.key.cookie_suffix;
    let cookies =
        format!("theme=dark; __session={token}; __session_{suffix}={token}; __client_uat=5; __client_uat_{suffix}=5");
    let parts = document("/delete?a=b", &cookies);
    let batch = || {
        let started = Instant::now();
        for _ in 0..ROUNDS {
            let view = View::new(&parts, &rules, NOW * 1_000);
            assert!(matches!(decide(&view, &rules, keys, NOW * 1_000), Decision::SignedIn(_)));
        }
        started.elapsed() / ROUNDS
    };
    // The median batch: what else runs on the machine is not what is measured.
    let mut batches: Vec<Duration> = (0..BATCHES).map(|_| batch()).collect();
    batches.sort_unstable();
    let each = batches[batches.len() / 2];
    println!("{each:?} a decision");
    assert!(cfg!(debug_assertions) || each < Duration::from_micros(100), "{each:?}");
}
