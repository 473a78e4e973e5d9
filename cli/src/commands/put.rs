//! `blobstore put`

use std::path::{Path, PathBuf};

use bytes::BytesMut;
use clap::Args;
use driver_api::{CommitOptions, Condition, Context, StoragePath, WriteOptions, Writer};
use indicatif::ProgressBar;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::backend::Backend;
use crate::exit::{Failure, Result};
use crate::transfer::CHUNK;
use crate::{interrupt, transfer};

/// Store a local file, or standard input
///
/// The file shows when all of it is stored, and replaces what was there. Where the command fails or is interrupted, nothing
/// changes.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The local file; - is standard input
    source: PathBuf,
    /// Where to store it
    path: StoragePath,
    /// Fail where a file is there already
    #[arg(long)]
    if_absent: bool,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let (mut source, length) = open(&arguments.source).await?;
    let mut options = WriteOptions::default();
    options.size_hint = length;
    let mut writer = storage.writer(&context, &arguments.path, options).await?;
    let progress = transfer::progress(arguments.path.as_str(), length);
    if let Err(failure) = copy(&context, &mut source, &mut writer, &progress).await {
        // What was stored so far goes, also where an interrupt is the reason. It shows to nobody if it cannot go.
        let _ = writer.cancel(&context.detached()).await;
        return Err(failure);
    }
    let condition = if arguments.if_absent { Condition::IfAbsent } else { Condition::None };
    let committed = writer.commit(&context, CommitOptions::default().with_condition(condition)).await;
    progress.finish_and_clear();
    if let Err(failure) = committed {
        if let Some(writer) = failure.writer {
            let _ = writer.cancel(&context.detached()).await;
        }
        return Err(failure.error.into());
    }
    Ok(())
}

type Source = Box<dyn AsyncRead + Unpin>;

/// Opens the source, and tells its length where that is known.
async fn open(path: &Path) -> Result<(Source, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(tokio::io::stdin()), None));
    }
    let unreadable = |error| Failure::local(path.display(), &error);
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    Ok((Box::new(file), metadata.is_file().then_some(metadata.len())))
}

/// Brings all of `source` to `writer`, a chunk at a time.
async fn copy(context: &Context, source: &mut Source, writer: &mut Writer, progress: &ProgressBar) -> Result {
    loop {
        let mut buffer = BytesMut::with_capacity(CHUNK);
        let fill = async {
            // Pipes give little at a time; a chunk is full, or the last.
            while buffer.len() < CHUNK && source.read_buf(&mut buffer).await? > 0 {}
            Ok(())
        };
        tokio::select! {
            ended = context.ended() => return Err(ended.into()),
            filled = fill => filled.map_err(|error| Failure::local("reading", &error))?,
        }
        if buffer.is_empty() {
            return Ok(());
        }
        progress.inc(buffer.len() as u64);
        writer.write(context, buffer.freeze()).await?;
    }
}
