//! A repository: one name, and what is kept under it.

use std::sync::Arc;

use driver_api::{Context, DeleteOptions, Storage};

use crate::error::{Error, Result};
use crate::layout::Directory;
use crate::linked::{LinkSet, LinkedBlobs, Shared};
use crate::manifest::Manifests;
use crate::names::RepositoryName;
use crate::tags::Tags;

/// A repository. It exists once something was pushed to it.
#[derive(Debug, Clone)]
pub struct Repository {
    shared: Arc<Shared>,
    name: RepositoryName,
}

impl Repository {
    pub(crate) const fn new(shared: Arc<Shared>, name: RepositoryName) -> Self {
        Self { shared, name }
    }

    /// What it is called.
    pub const fn name(&self) -> &RepositoryName {
        &self.name
    }

    pub(crate) fn storage(&self) -> &Storage {
        self.shared.blobs.storage()
    }

    fn linked(&self, links: LinkSet) -> LinkedBlobs {
        LinkedBlobs::new(self.shared.clone(), self.name.clone(), links)
    }

    /// Its blobs.
    pub fn blobs(&self) -> LinkedBlobs {
        self.linked(LinkSet::Layers)
    }

    /// Its manifests.
    pub fn manifests(&self) -> Manifests {
        Manifests::new(self.linked(LinkSet::Revisions), self.blobs(), self.tags())
    }

    /// Its tags.
    pub fn tags(&self) -> Tags {
        Tags::new(self.linked(LinkSet::Revisions))
    }

    /// Takes all of it away: tags, manifests, links and uploads. Repositories below it stay, and so does the content of the blobs,
    /// until garbage is collected.
    ///
    /// Errors: RepositoryUnknown; DeleteDisabled.
    pub async fn delete(&self, context: &Context) -> Result<()> {
        if !self.shared.delete_enabled {
            return Err(Error::DeleteDisabled);
        }
        let storage = self.storage();
        let blobs = self.blobs();
        // As with one blob: what can't be forgotten is not deleted, and a reader may ask meanwhile.
        let names = if blobs.is_cached() { blobs.linked(context).await? } else { Vec::new() };
        blobs.forget_all(context, &names).await?;
        let mut found = false;
        // The manifests last: they make it one, so that what fails before can be repeated.
        let (layers, uploads) = (Directory::Layers(&self.name), Directory::Uploads(&self.name));
        for directory in [uploads, layers, Directory::Tags(&self.name), Directory::Manifests(&self.name)] {
            match storage.delete(context, &directory.path(), DeleteOptions::tree()).await {
                Ok(()) => found = true,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        blobs.forget_all(context, &names).await?;
        if found { Ok(()) } else { Err(Error::RepositoryUnknown(self.name.clone())) }
    }
}
