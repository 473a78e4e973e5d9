//! Contexts that are not heeded, and capabilities that are not true.

use std::sync::atomic::{AtomicBool, Ordering};

use driver_api::{
    Capabilities, CommitOptions, Context, Durability, FileInfo, MoveOptions, Payload, PutOptions, Result, StoragePath,
    async_trait,
};

use crate::Mutant;
use crate::mutation::{Call, Inner, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<PutIgnoresContext>(
        "ignored-cancellation",
        "a put with a context that has ended is made",
        "CTX-5",
        &["CTX-3"],
    ),
    Mutant::new::<CommitIgnoresContext>(
        "commit-ignores-context",
        "a commit with a context that has ended is made",
        "CTX-5",
        &["CTX-3"],
    ),
    Mutant::new::<MoveIgnoresContext>(
        "move-ignores-context",
        "a move with a context that has ended is made",
        "CTX-5",
        &["CTX-3"],
    ),
    Mutant::new::<ChangingCapabilities>("changing-capabilities", "capabilities differ from call to call", "CAP-2", &[]),
    Mutant::new::<UrlsWithoutEnd>(
        "urls-without-end",
        "URLs are declared and their longest lifetime is not",
        "CAP-3",
        &["URL-3"],
    ),
    Mutant::new::<EmptyPages>("empty-pages", "the longest page is declared to have no entry", "LIMIT-1", &["LIST-10"]),
];

#[derive(Debug, Default)]
struct PutIgnoresContext;

#[async_trait]
impl Mutation for PutIgnoresContext {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        Call { context: &call.context.detached(), ..call }.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct CommitIgnoresContext;

#[async_trait]
impl Mutation for CommitIgnoresContext {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        session.writer.commit(&context.detached(), options).await
    }
}

#[derive(Debug, Default)]
struct MoveIgnoresContext;

#[async_trait]
impl Mutation for MoveIgnoresContext {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        Call { context: &call.context.detached(), ..call }.forward(to).await
    }
}

#[derive(Debug, Default)]
struct ChangingCapabilities {
    asked: AtomicBool,
}

impl Mutation for ChangingCapabilities {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        if self.asked.fetch_xor(true, Ordering::SeqCst) {
            capabilities.durability = Durability::Process;
        }
        capabilities
    }
}

#[derive(Debug, Default)]
struct UrlsWithoutEnd;

impl Mutation for UrlsWithoutEnd {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.signed_urls = true;
        capabilities
    }
}

#[derive(Debug, Default)]
struct EmptyPages;

impl Mutation for EmptyPages {
    fn capabilities(&self, inner: &Inner) -> Capabilities {
        let mut capabilities = inner.capabilities();
        capabilities.limits.page = 0;
        capabilities
    }
}
