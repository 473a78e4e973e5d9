//! Looking for damage.

use blobstore::blob::{BlobIngester, BlobStatter};
use blobstore::upkeep::{Event, Verified, VerifyOptions, verify};
use blobstore::{Digest, Place};
use bytes::Bytes;

use crate::fixture::{Store, described, image, name, push, tag};

/// What was told: the paths with something wrong, and the contents that are good.
async fn verified(store: &Store, options: &VerifyOptions) -> (Verified, Vec<String>, Vec<Digest>) {
    let (mut wrong, mut good) = (Vec::new(), Vec::new());
    let mut listener = |event: Event<'_>| match event {
        Event::Problem { path, .. } => wrong.push(path.to_string()),
        Event::Checked(digest) => good.push(*digest),
        Event::Repository(_) => {}
        event => panic!("{event:?}"),
    };
    let verified = verify(&store.namespace(), &store.context, options, &mut listener).await.unwrap();
    (verified, wrong, good)
}

async fn overwrite(store: &Store, place: &Place, content: &'static str) {
    store.storage.put(&store.context, &place.path(), content, Default::default()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_wrong_with_what_was_pushed() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a/b"));
        let content = image(context, &repository, &["one", "two"]).await;
        let size = content.len() as u64;
        push(context, &repository.manifests(), content, &["latest", "1"]).await;
        let (all, wrong, mut good) = verified(&store, &VerifyOptions::default()).await;
        assert_eq!(wrong, Vec::<String>::new());
        // A configuration, two layers and the manifest; a link to each, and two tags.
        let expected = Verified { blobs: 4, bytes: 2 + 3 + 3 + size, links: 6, manifests: 1, ..Verified::default() };
        assert_eq!(all, expected);
        // It can go on anywhere.
        assert!(good.is_sorted());
        let mut options = VerifyOptions::default();
        options.after = Some(good[1]);
        let (rest, wrong, read) = verified(&store, &options).await;
        assert_eq!((rest.blobs, rest.links, wrong.len(), read), (2, 6, 0, good.split_off(2)));
    }
}

#[tokio::test]
async fn what_was_not_noted_is_noted_again() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let manifests = repository.manifests();
        let subject = Digest::of(b"subject");
        let text = format!(
            r#"{{"schemaVersion": 2, "manifests": [], "subject": {}}}"#,
            described(blobstore::media_type::OCI_INDEX, &subject, 1)
        );
        let referrer = push(context, &manifests, text.into(), &[]).await;
        let note = Place::Referrer { repository: name("a"), subject, referrer };
        store.storage.delete(context, &note.path(), Default::default()).await.unwrap();
        assert_eq!(manifests.referrers_page(context, &subject, None, 100).await.unwrap().references, []);
        let mut options = VerifyOptions::default();
        for (repair, unnoted) in [(false, 1), (true, 1), (false, 0)] {
            options.repair = repair;
            let (all, wrong, _) = verified(&store, &options).await;
            assert_eq!((all.unnoted, wrong.len()), (unnoted, 0));
        }
        assert_eq!(manifests.referrers_page(context, &subject, None, 100).await.unwrap().references.len(), 1);
    }
}

#[tokio::test]
async fn whatever_is_damaged_is_told_and_the_rest_goes_on() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let content = image(context, &repository, &["one", "two"]).await;
        let manifest = push(context, &repository.manifests(), content, &["latest", "broken"]).await;
        let layer = |content: &str| Place::Layer(name("a"), Digest::of(content.as_bytes()));
        let blob = |content: &str| Place::Blob(Digest::of(content.as_bytes()));
        overwrite(&store, &blob("one"), "eno").await;
        store.storage.delete(context, &blob("two").path(), Default::default()).await.unwrap();
        overwrite(&store, &layer("{}"), "sha256:\n").await;
        overwrite(&store, &Place::Tagged(name("a"), tag("broken")), "?").await;
        let (all, mut wrong, _) = verified(&store, &VerifyOptions::default()).await;
        let mut expected: Vec<_> = [
            blob("one"),
            layer("one"),
            layer("two"),
            layer("{}"),
            Place::Revision(name("a"), manifest),
            Place::Tagged(name("a"), tag("broken")),
        ]
        .iter()
        .map(|place| place.path().to_string())
        .collect();
        expected.sort();
        wrong.sort();
        assert_eq!((all.damaged, all.broken, all.problems, wrong), (1, 5, 0, expected));
    }
}

#[tokio::test]
async fn what_is_damaged_is_moved_out_of_the_way_and_comes_back_with_a_push() {
    for store in Store::on_each_driver() {
        let (context, repository) = (&store.context, store.repository("a"));
        let content = image(context, &repository, &["one"]).await;
        push(context, &repository.manifests(), content, &["latest"]).await;
        overwrite(&store, &Place::Blob(Digest::of(b"one")), "eno").await;
        let mut options = VerifyOptions::default();
        options.quarantine = true;
        let (all, ..) = verified(&store, &options).await;
        assert_eq!((all.damaged, all.quarantined), (1, 1));
        assert!(repository.blobs().stat(context, &Digest::of(b"one")).await.unwrap_err().is_unknown());
        let kept = store.files("/blobstore/quarantine").await;
        assert_eq!(kept, [(format!("/blobstore/quarantine/sha256/{}", Digest::of(b"one").hex()), Bytes::from("eno"))]);
        repository.blobs().put(context, Bytes::from_static(b"one")).await.unwrap();
        assert_eq!(verified(&store, &options).await.1, Vec::<String>::new());
    }
}
