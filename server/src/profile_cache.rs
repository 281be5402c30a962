//! A cache of users' names and e-mail addresses, so that no page view calls Clerk.
//! Bounded, short-lived, in memory only.

use std::sync::Arc;
use std::time::Duration;

use lethe::ClerkUserId;
use lethe::clerk::{Client, User};
use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const MAX_ENTRIES: u64 = 20_000;
const TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// How long the first page view after a sign-in waits for the name. Other page views never wait.
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(1);
/// How many profiles are fetched at a time. Deletions and withdrawals need Clerk's rate limit more than names do: beyond that,
/// pages show none until the next view.
const MAX_FETCHES: usize = 8;

/// What pages show of a user.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// The primary e-mail address.
    pub email: Option<String>,
    /// First and last name.
    pub name: Option<String>,
}

/// The cache.
#[derive(Clone)]
pub struct ProfileCache {
    clerk: Client,
    profiles: Cache<ClerkUserId, Arc<Profile>>,
    fetches: Arc<Semaphore>,
}

impl ProfileCache {
    /// Creates an empty cache.
    #[must_use]
    pub fn new(clerk: Client) -> Self {
        let profiles = Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(TIME_TO_LIVE).build();
        Self { clerk, profiles, fetches: Arc::new(Semaphore::new(MAX_FETCHES)) }
    }

    /// Returns the cached profile. On a miss, fetches it in the background for the next request.
    pub async fn get_or_prefetch(&self, user: &ClerkUserId) -> Option<Arc<Profile>> {
        let cached = self.profiles.get(user).await;
        if cached.is_none() {
            self.fetch(user);
        }
        cached
    }

    /// Returns the cached profile. On a miss, waits for Clerk, though not for long.
    pub async fn get_or_wait(&self, user: &ClerkUserId) -> Option<Arc<Profile>> {
        if let Some(cached) = self.profiles.get(user).await {
            return Some(cached);
        }
        let fetching = self.fetch(user);
        tokio::time::timeout(SIGN_IN_TIMEOUT, fetching).await.ok()?.ok()?
    }

    /// Replaces a cached profile by what a webhook reported. Other users are not added.
    pub async fn update_cached(&self, user: &User) {
        if self.profiles.contains_key(user.id()) {
            self.profiles.insert(user.id().clone(), Arc::new(profile(user))).await;
        }
    }

    /// Removes the profile of a user who is deleted.
    pub async fn remove(&self, user: &ClerkUserId) {
        self.profiles.invalidate(user).await;
    }

    /// Fetches a profile in the background, unless too many are being fetched. Concurrent calls for one user share a request to
    /// Clerk.
    fn fetch(&self, user: &ClerkUserId) -> JoinHandle<Option<Arc<Profile>>> {
        let Self { clerk, profiles, fetches } = self.clone();
        let user = user.clone();
        tokio::spawn(async move {
            let _permit = fetches.try_acquire().ok()?;
            let fetched = profiles.try_get_with(user.clone(), async {
                clerk.user(&user).await.map(|user| Arc::new(user.as_ref().map(profile).unwrap_or_default()))
            });
            fetched.await.inspect_err(|error| tracing::debug!(%error, "profile could not be fetched")).ok()
        })
    }
}

fn profile(user: &User) -> Profile {
    Profile { email: user.primary_email().map(str::to_owned), name: user.display_name() }
}
