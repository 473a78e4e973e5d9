//! `blobstore cat`

use clap::Args;
use driver_api::{ByteRange, Context, ReadOptions, Storage, StoragePath};
use tokio::io::AsyncWriteExt;

use crate::backend::Backend;
use crate::exit::Result;
use crate::output::unwritable;
use crate::{interrupt, transfer, values};

/// Write files, or a part of one, to standard output
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The files, one after the other
    #[arg(required = true)]
    paths: Vec<StoragePath>,
    /// Begin at this byte (1048576, or 1MiB)
    #[arg(long, value_name = "BYTES", default_value = "0", value_parser = values::size())]
    offset: u64,
    /// Write at most so many bytes of each file
    #[arg(long, value_name = "BYTES", value_parser = values::size())]
    length: Option<u64>,
    #[command(flatten)]
    backend: Backend,
}

pub(crate) async fn run(arguments: Arguments) -> Result {
    let context = interrupt::context();
    let storage = arguments.backend.open().await?;
    let range = ByteRange { offset: arguments.offset, length: arguments.length };
    for path in &arguments.paths {
        write_out(&context, &storage, path, range).await?;
    }
    Ok(())
}

async fn write_out(context: &Context, storage: &Storage, path: &StoragePath, range: ByteRange) -> Result {
    let mut reader = storage.reader(context, path, ReadOptions::default().with_range(range)).await?;
    let progress = transfer::progress(path.as_str(), Some(reader.len()));
    let mut output = tokio::io::stdout();
    while let Some(chunk) = reader.next_chunk().await {
        let chunk = chunk?;
        // Whoever reads the output may be slow, or never come.
        tokio::select! {
            ended = context.ended() => return Err(ended.into()),
            written = output.write_all(&chunk) => written.map_err(unwritable)?,
        }
        progress.inc(chunk.len() as u64);
    }
    output.flush().await.map_err(unwritable)?;
    progress.finish_and_clear();
    Ok(())
}
