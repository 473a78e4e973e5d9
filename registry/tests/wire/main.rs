//! The registry behind a socket, and clients that do not mean well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod hostile;
mod served;
mod tls;

use blobstore::{Namespace, NamespaceOptions};
use driver_api::Storage;
use driver_inmemory::MemoryDriver;
use registry::configuration::Address;
use registry::{Bound, Registry, RegistryOptions, Server, ServerOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A registry in memory behind a port.
struct Served {
    address: String,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Served {
    async fn start(options: RegistryOptions, serving: ServerOptions) -> Self {
        let storage = Storage::new(MemoryDriver::default());
        let mut stores = NamespaceOptions::default();
        stores.delete_enabled = true;
        let registry = Registry::new(Namespace::new(storage, stores), options);
        let server = Server::bind(registry, &Address::Tcp("127.0.0.1:0".to_owned()), serving).await.unwrap();
        let Bound::Tcp(address) = server.bound().unwrap() else { panic!("no port") };
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address: address.to_string(), stop: Some(stop), serving }
    }

    async fn plain() -> Self {
        Self::start(RegistryOptions::default(), ServerOptions::default()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).await.unwrap()
    }

    /// Sends bytes as they are, and reads until the registry closes the connection.
    async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        // A registry that has refused may not read on.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn end(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.serving.await.unwrap();
    }
}
