//! What a decision costs with keys at hand: `cargo test --release -p server speed -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;

#[test]
#[ignore = "measures; meaningful in a release build alone"]
fn speed_of_a_decision() {
    const ROUNDS: u32 = 2_000;
    let (rules, ring) = (rules(PRODUCTION), ring());
    let keys = KeySource { ring: &ring, absent: Absent::Unknown };
    let token = production_token(&json!({}));
    let suffix = &rules.key.cookie_suffix;
    let cookies =
        format!("theme=dark; __session={token}; __session_{suffix}={token}; __client_uat=5; __client_uat_{suffix}=5");
    let parts = document("/delete?a=b", &cookies);
    let mut signed_in = 0;
    let started = Instant::now();
    for _ in 0..ROUNDS {
        let view = View::new(&parts, &rules, NOW * 1_000);
        signed_in += u32::from(matches!(decide(&view, &rules, keys, NOW * 1_000), Decision::SignedIn(_)));
    }
    let each = started.elapsed() / ROUNDS;
    assert_eq!(signed_in, ROUNDS);
    println!("{each:?} a decision");
    assert!(cfg!(debug_assertions) || each < Duration::from_micros(100), "{each:?}");
}
