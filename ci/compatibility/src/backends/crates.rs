//! Stores of other crates, each behind its bridge.

use std::sync::Arc;

use conformance::{Instance, Target};
use driver_api::{Conditions, Consistency, Durability, MoveLevel, Namespace};
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use opendal::{Operator, services};

use super::directory::{Directory, Staging};
use super::{Failure, Opened};
use crate::bridge::{Bridge, Moves, ObjectStoreCrate, OpendalCrate, Promises, Service};

pub(super) fn opendal_fs(staging: Staging) -> Opened {
    Opened::new(Target::fallible("opendal-fs", move || async move {
        Directory::new(staging)?.instance(|directory| {
            let mut service = services::Fs::default().root(&directory.root.to_string_lossy());
            if let Some(staging) = &directory.staging {
                service = service.atomic_write_dir(&staging.to_string_lossy());
            }
            let described = Service {
                namespace: Namespace::Tree,
                // It syncs each file, and no directory.
                durability: Durability::Process,
                consistency: Consistency::Linearizable,
            };
            Ok::<_, Failure>(Bridge::new(OpendalCrate::new(Operator::new(service)?, described)))
        })
    }))
}

pub(super) fn opendal_memory() -> Opened {
    Opened::new(Target::fallible("opendal-memory", || async {
        let described = Service {
            namespace: Namespace::Flat,
            durability: Durability::Memory,
            consistency: Consistency::Linearizable,
        };
        let operator = Operator::new(services::Memory::default())?;
        Ok::<_, Failure>(Instance::new(Bridge::new(OpendalCrate::new(operator, described))))
    }))
}

pub(super) fn object_store_local(moves: Moves) -> Opened {
    Opened::new(Target::fallible("object-store-local", move || async move {
        Directory::new(Staging::None)?.instance(move |directory| {
            // Without it, directories stay behind, and its listings tell them.
            let store = LocalFileSystem::new_with_prefix(&directory.root)?.with_automatic_cleanup(true);
            let promises = Promises {
                namespace: Namespace::Tree,
                durability: Durability::Process,
                shared: true,
                put: Conditions { if_absent: true, if_match: false },
                moves: MoveLevel::CopyThenDelete,
            };
            let store: Arc<dyn ObjectStore> = Arc::new(store);
            Ok::<_, Failure>(Bridge::new(ObjectStoreCrate::new(store, promises).moving_by(moves)))
        })
    }))
}

/// With `moves` as a caller may read them: `rename` is one call, the crate's first page says that all operations are atomic,
/// and the documentation of `rename` that it may be a copy and a delete.
pub(super) fn object_store_memory(moves: MoveLevel) -> Opened {
    Opened::new(Target::new("object-store-memory", move || async move {
        let promises = Promises {
            namespace: Namespace::Flat,
            durability: Durability::Memory,
            shared: false,
            // The suite takes one content at one path for one version, and what is moved away and back has another here. So
            // that a failure is about the moves, no version is asked for where they are in question.
            put: Conditions { if_absent: true, if_match: moves == MoveLevel::CopyThenDelete },
            moves,
        };
        Instance::new(Bridge::new(ObjectStoreCrate::new(Arc::new(InMemory::new()), promises)))
    }))
}
