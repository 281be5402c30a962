//! The archive store: copies of tombstones, which survive the loss of the database. Knows keys and bytes only.

use std::fs::Permissions;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload, Result, path::Path as Key};

/// An object store, for example a folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Storage {
    store: Arc<dyn ObjectStore>,
    /// The folder that it is, if it is one.
    folder: Option<Arc<Path>>,
}

impl Storage {
    /// Opens a folder on this machine, and creates it if it doesn't exist, for this process's user alone.
    pub fn folder(folder: &Path) -> Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(folder_error)?;
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: Some(folder.into()) })
    }

    /// Uses any other store, for example one in memory.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, folder: None }
    }

    /// Stores `bytes` under `key`, replacing what was there.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<()> {
        self.store.put(&Key::from(key), PutPayload::from(bytes)).await?;
        if let Some(folder) = &self.folder {
            make_private(folder, key).await.map_err(folder_error)?;
        }
        Ok(())
    }

    /// Whether there is an object with this key.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self.store.head(&Key::from(key)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the names of all objects in `folder`, in no particular order. A folder that doesn't exist is empty.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>> {
        let objects = self.store.list(Some(&Key::from(folder)));
        objects.map_ok(|object| object.location.filename().unwrap_or_default().to_owned()).try_collect().await
    }

    /// Writes `bytes` under `key`, reads them back and deletes them. Returns whether they were unchanged.
    pub async fn round_trips(&self, key: &str, bytes: &[u8]) -> Result<bool> {
        let key = Key::from(key);
        self.store.put(&key, PutPayload::from(bytes.to_vec())).await?;
        let read = self.store.get(&key).await?.bytes().await?;
        self.store.delete(&key).await?;
        Ok(read == bytes)
    }
}

fn folder_error(error: std::io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "folder", source: Box::new(error) }
}

/// The store creates files by the process's umask, which lets everybody on the machine read them.
async fn make_private(folder: &Path, key: &str) -> std::io::Result<()> {
    let file = folder.join(key);
    tokio::fs::set_permissions(&file, Permissions::from_mode(0o600)).await?;
    for parent in file.ancestors().skip(1).take_while(|parent| *parent != folder) {
        tokio::fs::set_permissions(parent, Permissions::from_mode(0o700)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_readable_for_their_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("storage");
        let storage = Storage::folder(&folder).unwrap();
        storage.put("tombstones/1f2e", Vec::new()).await.unwrap();
        storage.put("tombstones/1f2e", Vec::new()).await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("tombstones")), 0o700);
        assert_eq!(mode(&folder.join("tombstones/1f2e")), 0o600);
    }
}
