//! A driver whose writers hang and fail when they are told to, and that remembers what it was asked.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use driver_api::*;
use tokio::sync::Notify;

#[derive(Debug, Clone, Default)]
pub(crate) struct Script(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    released: Notify,
    committed: Notify,
}

#[derive(Debug, Default)]
struct State {
    written: Vec<Bytes>,
    moved: Vec<(StoragePath, StoragePath)>,
    next_write: Behaviour,
    next_commit: Behaviour,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Behaviour {
    #[default]
    Work,
    Hang,
    HangUntilReleased,
    Fail,
    TakeAndFail,
    Lose,
}

impl Script {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap()
    }
    pub(crate) fn written(&self) -> Vec<Bytes> {
        self.state().written.clone()
    }
    pub(crate) fn moved(&self) -> Vec<(StoragePath, StoragePath)> {
        self.state().moved.clone()
    }
    pub(crate) fn hang_next_write(&self) {
        self.state().next_write = Behaviour::Hang;
    }
    pub(crate) fn fail_next_write_after_taking_it(&self) {
        self.state().next_write = Behaviour::TakeAndFail;
    }
    pub(crate) fn lose_written_bytes_at_next_write(&self) {
        self.state().next_write = Behaviour::Lose;
    }
    pub(crate) fn fail_next_commit(&self) {
        self.state().next_commit = Behaviour::Fail;
    }
    pub(crate) fn lose_answer_of_next_commit(&self) {
        self.state().next_commit = Behaviour::TakeAndFail;
    }
    pub(crate) fn hang_next_commit_until_released(&self) {
        self.state().next_commit = Behaviour::HangUntilReleased;
    }
    pub(crate) fn release(&self) {
        self.0.released.notify_one();
    }
    pub(crate) async fn committed(&self) {
        self.0.committed.notified().await;
    }
}

#[derive(Debug)]
pub(crate) struct Scripted(Script);

impl Scripted {
    pub(crate) fn new(script: Script) -> Self {
        Self(script)
    }
}

fn told_to_fail() -> Error {
    Error::new(ErrorKind::Unavailable, "told to fail")
}

#[async_trait]
impl StorageDriver for Scripted {
    fn name(&self) -> &str {
        "scripted"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities::minimal()
    }
    async fn get(&self, _: &Context, path: &StoragePath, _: GetOptions) -> Result<(FileInfo, Bytes)> {
        Err(Error::not_found(path))
    }
    async fn put(&self, _: &Context, path: &StoragePath, payload: Payload, _: PutOptions) -> Result<FileInfo> {
        Ok(FileInfo::new(path.clone(), payload.len(), SystemTime::now()))
    }
    async fn reader(&self, _: &Context, path: &StoragePath, _: ReadOptions) -> Result<Reader> {
        Err(Error::not_found(path))
    }
    async fn writer(&self, _: &Context, path: &StoragePath, _: WriteOptions) -> Result<Box<dyn FileWriter>> {
        Ok(Box::new(ScriptedWriter { script: self.0.clone(), path: path.clone() }))
    }
    async fn unfinished(&self, _: &Context, _: &StoragePath) -> Result<UnfinishedPages> {
        Ok(Box::pin(futures_util::stream::empty()))
    }
    async fn abandon(&self, _: &Context, path: &StoragePath) -> Result<()> {
        Err(Error::not_found(path))
    }
    async fn stat(&self, _: &Context, path: &StoragePath, _: StatOptions) -> Result<Entry> {
        Ok(Entry::File(FileInfo::new(path.clone(), 0, SystemTime::now())))
    }
    async fn list(&self, _: &Context, path: &StoragePath, _: ListOptions) -> Result<EntryPages> {
        Err(Error::not_found(path))
    }
    async fn move_to(&self, _: &Context, from: &StoragePath, to: &StoragePath, _: MoveOptions) -> Result<()> {
        self.0.state().moved.push((from.clone(), to.clone()));
        Ok(())
    }
    async fn delete(&self, _: &Context, path: &StoragePath, _: DeleteOptions) -> Result<()> {
        Err(Error::not_found(path))
    }
    async fn delete_files(&self, _: &Context, _: &[StoragePath]) -> Result<Vec<Error>> {
        Ok(Vec::new())
    }
    async fn url_for(&self, _: &Context, _: &StoragePath, _: UrlOptions) -> Result<Option<Url>> {
        Ok(None)
    }
}

#[derive(Debug)]
struct ScriptedWriter {
    script: Script,
    path: StoragePath,
}

#[async_trait]
impl FileWriter for ScriptedWriter {
    fn size(&self) -> u64 {
        self.script.state().written.iter().map(|chunk| chunk.len() as u64).sum()
    }
    async fn write(&mut self, _: &Context, chunk: Bytes) -> Result<()> {
        let behaviour = std::mem::take(&mut self.script.state().next_write);
        match behaviour {
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Lose => {
                self.script.state().written.clear();
                return Err(told_to_fail());
            }
            _ => self.script.state().written.push(chunk),
        }
        if behaviour == Behaviour::TakeAndFail { Err(told_to_fail()) } else { Ok(()) }
    }
    async fn close(&mut self, _: &Context) -> Result<u64> {
        Ok(self.size())
    }
    async fn commit(&mut self, _: &Context, _: CommitOptions) -> Result<FileInfo> {
        let behaviour = std::mem::take(&mut self.script.state().next_commit);
        match behaviour {
            Behaviour::Fail => return Err(told_to_fail()),
            Behaviour::TakeAndFail => return Err(told_to_fail().with_retry(Retry::MaybeApplied)),
            Behaviour::HangUntilReleased => self.script.0.released.notified().await,
            _ => {}
        }
        self.script.0.committed.notify_one();
        Ok(FileInfo::new(self.path.clone(), self.size(), SystemTime::now()))
    }
    async fn cancel(&mut self, _: &Context) -> Result<()> {
        Ok(())
    }
}
