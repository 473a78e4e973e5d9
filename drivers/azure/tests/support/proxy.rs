//! A proxy in front of a backend that writes down each request, and does to it what a test wants.
//!
//! It asks for a connection of its own for each request (`Connection: close` is in no signature), so that a request is all
//! that comes in on one connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use driver_api::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It passes.
    Pass,
    /// It passes this much later.
    Delay(Duration),
    /// It is answered with this status and error code, and does not reach the backend.
    Answer(u16, &'static str),
    /// It reaches the backend, and is answered with this status and error code all the same.
    PassAndAnswer(u16, &'static str),
    /// The connection breaks before it reaches the backend.
    Break,
    /// The connection breaks once this many bytes of its body have come.
    CutRequest(usize),
    /// It does not reach the backend, and no answer comes until held requests are released, which breaks the connection.
    Hold,
    /// It reaches the backend, and the connection breaks before its answer.
    LoseAnswer,
    /// It reaches the backend, and no answer comes.
    Hang,
    /// The answer breaks off after this many bytes of its body.
    CutBody(usize),
    /// The answer stops after this many bytes of its body.
    StallBody(usize),
    /// The answer is a success with this body.
    Garbage(&'static str),
    /// The answer is this, from its first line to its empty line.
    Told(&'static str),
    /// It passes, and the headers of a success make no sense. An error keeps its own: without a code it would be one of
    /// something in between.
    GarbageHeaders,
    /// It passes, and in the answer the one text is replaced by the other; in a body by one of the same length.
    Rewrite(&'static str, &'static str),
}

/// The proxy; gone with its value.
#[derive(Debug)]
pub(crate) struct Proxy {
    endpoint: Url,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    requests: Mutex<Vec<String>>,
    statuses: Mutex<Vec<u16>>,
    fates: Mutex<VecDeque<Fate>>,
    /// How many requests are held.
    held: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl Proxy {
    /// A proxy in front of `backend`, on a port that was free.
    pub(crate) async fn start(backend: &Url) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let mut endpoint = backend.clone();
        endpoint.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
        let backend = format!("{}:{}", backend.host_str().unwrap(), backend.port().unwrap());
        let state = Arc::new(State::default());
        let task = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let (state, backend) = (state.clone(), backend.clone());
                    // A broken connection is the point of this, and no failure of the test.
                    tokio::spawn(async move { drop(serve(client, &backend, &state).await) });
                }
            }
        });
        Self { endpoint, state, task }
    }

    /// Where the backend is to be sought.
    pub(crate) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The requests since the last call, as `METHOD` or `METHOD comp`.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.state.requests.lock().unwrap())
    }

    /// What the backend answered since the last call.
    pub(crate) fn statuses(&self) -> Vec<u16> {
        std::mem::take(&mut self.state.statuses.lock().unwrap())
    }

    /// What happens to the next requests, in their order; behind them all pass.
    pub(crate) fn next(&self, fates: impl IntoIterator<Item = Fate>) {
        *self.state.fates.lock().unwrap() = fates.into_iter().collect();
    }

    /// Waits until a request is held.
    pub(crate) async fn held(&self) {
        self.state.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }

    /// Breaks the connections of held requests, now and from now on.
    pub(crate) fn release(&self) {
        self.state.released.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut client: TcpStream, backend: &str, state: &State) -> std::io::Result<()> {
    let Some((head, body_begun)) = read_head(&mut client).await? else { return Ok(()) };
    state.requests.lock().unwrap().push(label(&head));
    let fate = state.fates.lock().unwrap().pop_front().unwrap_or(Fate::Pass);
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = body_begun;
    let begun = body.len();
    let wanted = if let Fate::CutRequest(at) = fate { length.min(at) } else { length };
    body.resize(begun.max(wanted), 0);
    client.read_exact(&mut body[begun..]).await?;
    match fate {
        Fate::Break | Fate::CutRequest(_) => return Ok(()),
        Fate::Hold => {
            state.held.send_modify(|held| *held += 1);
            let _ = state.released.subscribe().wait_for(|released| *released).await;
            return Ok(());
        }
        Fate::Delay(time) => tokio::time::sleep(time).await,
        Fate::Answer(status, code) => return answer(&mut client, status, code).await,
        Fate::Told(answer) => return client.write_all(answer.as_bytes()).await,
        Fate::Garbage(text) => {
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len());
            return client.write_all(answer.as_bytes()).await;
        }
        _ => {}
    }
    let mut upstream = TcpStream::connect(backend).await?;
    let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    upstream.write_all(head.as_bytes()).await?;
    upstream.write_all(&body).await?;
    let Some((head, mut answer)) = read_head(&mut upstream).await? else { return Ok(()) };
    state.statuses.lock().unwrap().extend(head.split_whitespace().nth(1).and_then(|status| status.parse::<u16>().ok()));
    upstream.read_to_end(&mut answer).await?;
    match fate {
        Fate::LoseAnswer => Ok(()),
        Fate::PassAndAnswer(status, code) => self::answer(&mut client, status, code).await,
        Fate::Hang => std::future::pending().await,
        Fate::CutBody(at) | Fate::StallBody(at) => {
            client.write_all(head.as_bytes()).await?;
            client.write_all(&answer[..at.min(answer.len())]).await?;
            client.flush().await?;
            if matches!(fate, Fate::StallBody(_)) {
                tokio::time::sleep(Duration::from_secs(3600)).await;
            }
            Ok(())
        }
        _ => {
            let head = match fate {
                Fate::Rewrite(from, to) => head.replace(from, to),
                Fate::GarbageHeaders if head.starts_with("HTTP/1.1 2") => with_senseless_headers(&head),
                _ => head,
            };
            client.write_all(head.as_bytes()).await?;
            let answer = match fate {
                Fate::Rewrite(from, to) if from.len() == to.len() => replaced(&answer, from, to),
                _ => answer,
            };
            client.write_all(&answer).await?;
            client.shutdown().await
        }
    }
}

fn replaced(body: &[u8], from: &str, to: &str) -> Vec<u8> {
    std::str::from_utf8(body).map_or_else(|_| body.to_vec(), |text| text.replace(from, to).into_bytes())
}

async fn answer(client: &mut TcpStream, status: u16, code: &str) -> std::io::Result<()> {
    let pause = if status == 503 { "Retry-After: 1\r\n" } else { "" };
    let answer = format!(
        "HTTP/1.1 {status} Told\r\nx-ms-error-code: {code}\r\n{pause}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    client.write_all(answer.as_bytes()).await
}

/// The same head with nothing in it that can be read, but for what frames the body.
fn with_senseless_headers(head: &str) -> String {
    let mut lines = head.lines();
    let mut senseless = format!("{}\r\n", lines.next().unwrap_or_default());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let frames =
            ["content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str());
        // Bytes that no text of a header has.
        senseless.push_str(&format!("{name}:{}\r\n", if frames { value } else { " \u{ff}" }));
    }
    senseless + "\r\n"
}

/// The head with its empty line, and what came of the body with it; none at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), body)));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn label(head: &str) -> String {
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match target.split(['?', '&']).find_map(|pair| pair.strip_prefix("comp=")) {
        Some(comp) => format!("{method} {comp}"),
        None => method.to_owned(),
    }
}
