//! The data map in force. It can be replaced while the process runs: whatever begins afterwards goes by the new one, and
//! what has begun goes on with the map that it began with, because each handle of [`Lethe`](crate::Lethe) keeps its own.
//!
//! Knows neither the file nor the database.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::data_map::DataMap;
use crate::purposes::Purposes;

/// The data map in force, shared by all handles of a process.
#[derive(Debug)]
pub struct ActiveMap {
    current: RwLock<Snapshot>,
    is_file_rejected: AtomicBool,
}

/// The data map as it was at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) data_map: Arc<DataMap>,
    pub(crate) purposes: Arc<Purposes>,
}

impl ActiveMap {
    /// `purposes` are those of the map, or what stands in for them.
    #[must_use]
    pub fn new(data_map: DataMap, purposes: Purposes) -> Self {
        Self { current: RwLock::new(Snapshot::new(data_map, purposes)), is_file_rejected: AtomicBool::new(false) }
    }

    /// Puts another map in force.
    pub fn replace(&self, data_map: DataMap, purposes: Purposes) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Snapshot::new(data_map, purposes);
        self.set_file_rejected(false);
    }

    /// Whether the file has another content by now, which can't be used. Then the map that was read before is in force.
    #[must_use]
    pub fn is_file_rejected(&self) -> bool {
        self.is_file_rejected.load(Ordering::Relaxed)
    }

    pub(crate) fn set_file_rejected(&self, is_rejected: bool) {
        self.is_file_rejected.store(is_rejected, Ordering::Relaxed);
        metrics::gauge!("lethe_data_map_file_accepted").set(if is_rejected { 0.0 } else { 1.0 });
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Snapshot {
    fn new(data_map: DataMap, purposes: Purposes) -> Self {
        Self { data_map: Arc::new(data_map), purposes: Arc::new(purposes) }
    }
}
