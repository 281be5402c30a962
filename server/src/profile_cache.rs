//! Names and addresses of the people who were here lately, so that no page view asks Clerk.
//! Bounded, short-lived, in memory only.

use std::sync::Arc;
use std::time::Duration;

use lethe::ClerkUserId;
use lethe::clerk::{Client, User};
use moka::future::Cache;

const MAX_ENTRIES: u64 = 20_000;
const TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// How long a sign-in waits for the name. A page view never waits.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(1);

/// What is shown of a person.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The primary address.
    pub email: Option<String>,
    /// The name to show.
    pub name: Option<String>,
}

/// The cache.
#[derive(Clone)]
pub struct ProfileCache {
    clerk: Client,
    profiles: Cache<ClerkUserId, Arc<Profile>>,
}

impl ProfileCache {
    /// An empty cache in front of Clerk.
    #[must_use]
    pub fn new(clerk: Client) -> Self {
        let profiles = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(TIME_TO_LIVE).build();
        Self { clerk, profiles }
    }

    /// What is known at this moment. Where nothing is, it is fetched for the next time.
    pub async fn get_or_prefetch(&self, subject: &ClerkUserId) -> Option<Arc<Profile>> {
        let known = self.profiles.get(subject).await;
        if known.is_none() {
            self.fetch(subject);
        }
        known
    }

    /// What is known right after signing in; waits for Clerk, but not for long.
    pub async fn get_or_wait(&self, subject: &ClerkUserId) -> Option<Arc<Profile>> {
        if let Some(known) = self.profiles.get(subject).await {
            return Some(known);
        }
        let fetching = self.fetch(subject);
        tokio::time::timeout(SIGN_IN_TIMEOUT, fetching).await.ok()?.ok()?
    }

    /// A webhook told something newer. People who aren't in the cache are not put there.
    pub async fn update_cached(&self, subject: &ClerkUserId, user: &User) {
        if self.profiles.contains_key(subject) {
            self.profiles.insert(subject.clone(), Arc::new(profile(user))).await;
        }
    }

    /// The person is gone.
    pub async fn remove(&self, subject: &ClerkUserId) {
        self.profiles.invalidate(subject).await;
    }

    /// Fetches in the background. However many ask at once, Clerk is asked once.
    fn fetch(&self, subject: &ClerkUserId) -> tokio::task::JoinHandle<Option<Arc<Profile>>> {
        let Self { clerk, profiles } = self.clone();
        let subject = subject.clone();
        tokio::spawn(async move {
            let fetched = profiles.try_get_with(subject.clone(), async {
                clerk.user(&subject).await.map(|user| Arc::new(user.as_ref().map(profile).unwrap_or_default()))
            });
            fetched.await.inspect_err(|error| tracing::debug!(%error, "a name couldn't be fetched")).ok()
        })
    }
}

fn profile(user: &User) -> Profile {
    Profile { email: user.primary_email().map(str::to_owned), name: user.display_name() }
}
