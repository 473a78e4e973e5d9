//! `s3s-fs`: an S3 server over a directory, in this process and on a port that was free.

use std::fs;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service as S3Server, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::s3::S3Service;
use super::{Failure, Opened};

const BUCKET: &str = "suite";

/// The task that answers, which ends with this value.
struct Serving(JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// It answers 412 where a condition does not hold, so it is asked for conditions.
pub(super) async fn open() -> Result<Opened, Failure> {
    let directory = tempfile::tempdir()?;
    // A bucket is a directory.
    fs::create_dir(directory.path().join(BUCKET))?;
    let (access_key, secret_key) = ("access".to_owned(), format!("secret-{:016x}", fastrand::u64(..)));
    let files = s3s_fs::FileSystem::new(directory.path()).map_err(|error| format!("{error:?}"))?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(&*access_key, &*secret_key));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let service = S3Service {
        endpoint: format!("http://{}", listener.local_addr()?),
        region: "us-east-1".to_owned(),
        bucket: BUCKET.to_owned(),
        access_key,
        secret_key,
        conditional_writes: true,
    };
    let serving = Serving(tokio::spawn(serve(listener, builder.build())));
    Ok(Opened::keeping(service.target()?, (serving, directory)))
}

async fn serve(listener: TcpListener, server: S3Server) {
    while let Ok((stream, _)) = listener.accept().await {
        let server = server.clone();
        tokio::spawn(async move {
            // A connection that breaks is its client's affair.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), server).await;
        });
    }
}
