//! What a driver declares: the same at every call, without contradiction, and refused where it is not declared.

use std::time::Duration;

use driver_api::layers::{Call, Intercept, Verdict as Passing};
use driver_api::{
    Capabilities, CommitOptions, Condition, Conditions, Context, DeleteOptions, Durability, Error, ErrorKind,
    GetOptions, ListOptions, MAX_PATH_BYTES, PutOptions, ReadOptions, Sessions, Storage, StoragePath, UrlOptions,
    Version, WriteOptions,
};

use crate::case::{Case, path};
use crate::check::{Stop, Verdict};
use crate::expect::{ensure, fails, same, succeeds};
use crate::payload::Content;

/// A layer that declares something else than the driver below.
#[derive(Debug)]
struct Declares(fn(&mut Capabilities));

impl Intercept for Declares {
    type Pass = ();

    fn capabilities(&self, mut inner: Capabilities) -> Capabilities {
        self.0(&mut inner);
        inner
    }

    async fn before(&self, context: &Context, _: Call<'_>) -> Result<(Context, ()), Error> {
        Ok((context.clone(), ()))
    }

    async fn after(&self, _: &Context, _: Call<'_>, (): (), _: Duration, _: Option<&Error>) -> Passing {
        Passing::Answer
    }
}

fn declare_no_option(capabilities: &mut Capabilities) {
    capabilities.put = Conditions::NONE;
    capabilities.commit = Conditions::NONE;
    capabilities.delete_if_match = false;
    capabilities.read_if_match = false;
}

/// Refusals of the driver as it is, and of the driver with nothing declared, so that this says something of every driver.
pub(crate) async fn undeclared_is_refused(case: &Case) -> Verdict {
    let target = path("/a/standing");
    let content = case.put_new(&target, 100).await?;
    let bare = case.storage().layered(Declares(declare_no_option));
    for storage in [case.storage(), &bare] {
        let declared = storage.capabilities();
        for (condition, put, commit) in [
            (Condition::IfAbsent, declared.put.if_absent, declared.commit.if_absent),
            (Condition::IfMatch(Version::new("any")), declared.put.if_match, declared.commit.if_match),
        ] {
            for place in [&target, &path("/a/nothing")] {
                if !put {
                    let options = PutOptions::default().with_condition(condition.clone());
                    let answer = storage.put(case.context(), place, "other", options).await;
                    fails("CAP-1", answer, ErrorKind::Unsupported, format_args!("put {condition:?}, undeclared,"))?;
                }
                if !commit {
                    refused_commit(case, storage, place, condition.clone()).await?;
                }
            }
        }
        refused_reads_and_deletes(case, storage, &target).await?;
        unchanged(case, &target, content).await?;
    }
    Ok(())
}

async fn refused_commit(case: &Case, storage: &Storage, place: &StoragePath, condition: Condition) -> Verdict {
    let mut writer = storage.writer(case.context(), place, WriteOptions::default()).await?;
    writer.write(case.context(), case.content(70_000).bytes()).await?;
    let Err(failure) = writer.commit(case.context(), CommitOptions::default().with_condition(condition)).await else {
        return ensure(false, "CAP-1", "a commit under an undeclared condition to be unsupported", "success");
    };
    fails::<()>("CAP-1", Err(failure.error), ErrorKind::Unsupported, "commit under an undeclared condition")?;
    match failure.writer {
        Some(writer) => succeeds("CAP-1", writer.cancel(case.context()).await, "cancel after a refused commit"),
        None => ensure(false, "CAP-1", "the writer back from a refused commit", "none"),
    }
}

async fn refused_reads_and_deletes(case: &Case, storage: &Storage, target: &StoragePath) -> Verdict {
    let (declared, any) = (storage.capabilities(), Version::new("any"));
    if !declared.read_if_match {
        let get = storage.get(case.context(), target, GetOptions::default().with_if_match(any.clone())).await;
        fails("CAP-1", get, ErrorKind::Unsupported, "get if-match, undeclared,")?;
        let reader = storage.reader(case.context(), target, ReadOptions::default().with_if_match(any.clone())).await;
        fails("CAP-1", reader, ErrorKind::Unsupported, "reader if-match, undeclared,")?;
    }
    if !declared.delete_if_match {
        let delete = storage.delete(case.context(), target, DeleteOptions::default().with_if_match(any)).await;
        fails("CAP-1", delete, ErrorKind::Unsupported, "delete if-match, undeclared,")?;
    }
    Ok(())
}

async fn unchanged(case: &Case, target: &StoragePath, content: Content) -> Verdict {
    case.holds("CAP-1", target, content).await?;
    let keys = case.keys(&StoragePath::root(), ListOptions::recursive()).await?;
    same("CAP-1", keys, vec![target.to_string()], "all files after refusals")
}

pub(crate) async fn constant(case: &Case) -> Verdict {
    let before = case.driver().capabilities();
    case.put_new(&path("/a/file"), 10).await?;
    case.keep(&path("/a/session"), WriteOptions::default(), case.content(10).bytes()).await?;
    same("CAP-2", case.driver().capabilities(), before.clone(), "the capabilities after some calls")?;
    if let Some(other) = case.instance().reopen().await {
        same("CAP-2", other?.capabilities(), &before, "the capabilities of another driver value")?;
    }
    Ok(())
}

pub(crate) async fn without_contradiction(case: &Case) -> Verdict {
    let declared = case.capabilities();
    let shared = declared.sessions == Sessions::Local || declared.shared;
    ensure(
        shared,
        "CAP-3",
        "`shared` where sessions are shared",
        "sessions that others share, and files that they do not",
    )?;
    let lasting = !declared.shared || declared.durability != Durability::Memory || !case.instance().prefix().is_root();
    ensure(
        lasting,
        "CAP-3",
        "what other processes see to outlive this one",
        "a shared store in the memory of a process",
    )?;
    let url = declared.signed_urls == declared.limits.url_lifetime.is_some();
    ensure(url, "CAP-3", "a longest lifetime of URLs where there are URLs, and only there", format!("{declared:?}"))
}

pub(crate) async fn numbers(case: &Case) -> Verdict {
    let limits = &case.capabilities().limits;
    let prefix = case.instance().prefix();
    let taken = if prefix.is_root() { 0 } else { prefix.as_str().len() };
    let room = limits.path_bytes + taken;
    ensure(room >= MAX_PATH_BYTES, "LIMIT-1", format!("room for paths of {MAX_PATH_BYTES} bytes"), room)?;
    ensure(limits.page >= 1, "LIMIT-1", "a page of at least one entry", limits.page)?;
    ensure(limits.delete_batch >= 1, "LIMIT-1", "a batch of at least one file", limits.delete_batch)
}

/// A limit on the size of files, far below the driver's own, so that it can be met.
const SMALL: u64 = 150_000;

pub(crate) async fn too_large_is_refused(case: &Case) -> Verdict {
    let target = path("/a/large");
    let limited = case.storage().layered(Declares(|capabilities| {
        capabilities.limits.object_bytes =
            Some(capabilities.limits.object_bytes.map_or(SMALL, |limit| limit.min(SMALL)));
    }));
    let limit = limited.capabilities().limits.object_bytes.unwrap_or(SMALL);
    let content = case.content(limit);
    let put = limited.put(case.context(), &target, content.bytes(), PutOptions::default()).await;
    succeeds("LIMIT-2", put, format_args!("put of {limit} bytes, the largest that fit,"))?;
    let more = case.content(limit + 1).bytes();
    let put = limited.put(case.context(), &target, more.clone(), PutOptions::default()).await;
    fails("LIMIT-2", put, ErrorKind::TooLarge, format_args!("put of {} bytes", limit + 1))?;
    let mut writer = limited.writer(case.context(), &target, WriteOptions::default()).await?;
    writer.write(case.context(), more.slice(..limit as usize)).await?;
    let write = writer.write(case.context(), more.slice(limit as usize..)).await;
    fails("LIMIT-2", write, ErrorKind::TooLarge, "write past the largest size")?;
    same("WRITE-25", writer.size(), limit, "the size after a refused write")?;
    writer.cancel(case.context()).await?;
    case.holds("LIMIT-2", &target, content).await
}

pub(crate) async fn without_urls(case: &Case) -> Verdict {
    if case.capabilities().signed_urls {
        return Err(Stop::Skipped("the driver has URLs".to_owned()));
    }
    let target = path("/a/file");
    case.put_new(&target, 10).await?;
    for place in [&target, &path("/missing")] {
        let answer = case.storage().url_for(case.context(), place, UrlOptions::default()).await;
        same("URL-3", succeeds("URL-3", answer, "url_for")?, None, "the URL")?;
        let direct = case.driver().url_for(case.context(), place, UrlOptions::default()).await;
        same("URL-3", succeeds("URL-3", direct, "the driver's own url_for")?, None, "the URL")?;
    }
    Ok(())
}
