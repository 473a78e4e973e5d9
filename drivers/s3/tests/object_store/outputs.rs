//! Whatever a driver shows of itself and of what went wrong.

use driver_api::{
    CommitOptions, DeleteOptions, Error, GetOptions, ListOptions, PutOptions, ReadOptions, Result, Storage,
    WriteOptions,
};
use futures_util::TryStreamExt;

use super::{content, context, path};

/// Makes every call, and tells what it shows of what it is and of how it failed.
pub(crate) async fn shown(storage: &Storage) -> Vec<String> {
    let (context, file) = (&context(), path("/a"));
    let of = |outcome: Result<String>| match outcome {
        Ok(shown) => shown,
        Err(error) => told(&error),
    };
    let mut shown = vec![
        format!("{storage:?}"),
        of(storage.put(context, &file, content(10), PutOptions::default()).await.map(|info| format!("{info:?}"))),
        of(storage.get(context, &file, GetOptions::default()).await.map(|(info, _)| format!("{info:?}"))),
        of(storage.reader(context, &file, ReadOptions::default()).await.map(|reader| format!("{reader:?}"))),
        of(storage.stat(context, &file).await.map(|entry| format!("{entry:?}"))),
        of(storage.list(context, &path("/"), ListOptions::default()).await.map(|_| String::new())),
        of(storage.move_to(context, &file, &path("/b")).await.map(|()| String::new())),
        of(storage.delete(context, &file, DeleteOptions::tree()).await.map(|()| String::new())),
        of(storage.delete_files(context, [file.clone()]).await.map(|left| format!("{left:?}"))),
        of(storage.abandon(context, &file).await.map(|()| String::new())),
        of(storage.writer(context, &file, WriteOptions::append()).await.map(|writer| format!("{writer:?}"))),
    ];
    match storage.unfinished(context, &path("/")).await {
        Ok(pages) => shown.push(of(pages.try_concat().await.map(|sessions| format!("{sessions:?}")))),
        Err(error) => shown.push(told(&error)),
    }
    let writer = storage.writer(context, &file, WriteOptions::default()).await.unwrap();
    if let Err(failure) = writer.commit(context, CommitOptions::default()).await {
        shown.push(format!("{failure} {failure:?} {}", told(&failure.error)));
    }
    shown
}

/// All that an error can show, its causes included.
pub(crate) fn told(error: &Error) -> String {
    let mut told = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told += &format!(" {error} {error:?}");
        cause = error.source();
    }
    told
}
