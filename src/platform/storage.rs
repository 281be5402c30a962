//! The archive store: copies of tombstones, which survive the loss of the database. Knows keys and bytes only.

use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, Result, path::Path as Key};

/// An object store, for example a folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage(Arc<dyn ObjectStore>);

impl Storage {
    /// Opens a folder on this machine, and creates it if it doesn't exist.
    pub fn folder(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|error| object_store::Error::Generic { store: "folder", source: Box::new(error) })?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self(Arc::new(store)))
    }

    /// Uses any other store, for example one in memory.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self(store)
    }

    /// Stores `bytes` under `key`, replacing what was there.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        self.0.put(&Key::from(key), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Whether there is an object with this key.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self.0.head(&Key::from(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the names of all objects in `folder`, in no particular order. A folder that doesn't exist is empty.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let objects = self.0.list(Some(&Key::from(folder)));
        objects.map_ok(|object| object.location.filename().unwrap_or_default().to_owned()).try_collect().await
    }

    /// Writes `bytes` under `key`, reads them back and deletes them. Returns whether they were unchanged.
    pub async fn round_trips(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let key = Key::from(key);
        self.0.put(&key, PutPayload::from(bytes.to_vec())).await?;
        let read = self.0.get(&key).await?.bytes().await?;
        self.0.delete(&key).await?;
        Ok(read == bytes)
    }
}
