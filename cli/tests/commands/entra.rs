//! Azure by the credentials that a machine has.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{Ended, blobstore};

/// `config check --connect` on a service at `address`.
fn check(directory: &TempDir, address: &str) -> Command {
    let file = directory.path().join("storage.yml");
    let text = format!(
        "storage:\n  azure: {{accountname: account, container: registry, serviceurl: 'http://{address}/account', \
         credentials: {{type: default_credentials}}, answertimeout: 2s}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let mut command = blobstore();
    command.args(["config", "check", "--connect", file.to_str().unwrap()]);
    command
}

/// Issues tokens, and lists a container without blobs to whoever has the token; tells the requests in the end.
fn serve(listener: TcpListener, requests: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for stream in listener.incoming().take(requests) {
        let mut stream = BufReader::new(stream.unwrap());
        let (mut line, mut header, mut length, mut is_known) = (String::new(), String::new(), 0, false);
        stream.read_line(&mut line).unwrap();
        while stream.read_line(&mut header).unwrap() > 2 {
            let text = header.to_ascii_lowercase();
            length = text.strip_prefix("content-length:").map_or(length, |length| length.trim().parse().unwrap());
            is_known |= header.trim_end().ends_with("Bearer dG9rZW4");
            header.clear();
        }
        stream.by_ref().take(length).read_to_end(&mut Vec::new()).unwrap();
        let (status, body) = match line.split_whitespace().next() {
            Some("POST") => ("200 OK", r#"{"token_type":"Bearer","expires_in":3599,"access_token":"dG9rZW4"}"#),
            Some("HEAD") if is_known => ("404 Not Found\r\nx-ms-error-code: BlobNotFound", ""),
            _ if is_known => ("200 OK", "<EnumerationResults><Blobs/><NextMarker/></EnumerationResults>"),
            _ => ("403 Forbidden", ""),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nx-ms-request-id: {:032x}\r\n\
             Date: Mon, 01 Jan 2001 00:00:00 GMT\r\nContent-Length: {}\r\n\r\n",
            0,
            body.len()
        );
        stream.get_mut().write_all((head + body).as_bytes()).unwrap();
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[test]
fn what_the_environment_has_is_taken() {
    let (directory, listener) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap().to_string();
    // The token, the listing, a look at a file, and what kind of account it is.
    let serving = std::thread::spawn(move || serve(listener, 4));
    let mut command = check(&directory, &address);
    command.env("AZURE_AUTHORITY_HOST", format!("http://{address}"));
    for (name, value) in [("TENANT_ID", "tenant"), ("CLIENT_ID", "client"), ("CLIENT_SECRET", "c2VjcmV0")] {
        command.env(format!("AZURE_{name}"), value);
    }
    let checked = Ended(command.output().unwrap());
    assert_eq!(checked.code(), 0, "{}", checked.stderr());
    let requests = serving.join().unwrap();
    assert!(requests[0].starts_with("POST /tenant/oauth2/v2.0/token"), "{requests:?}");
    assert!(!checked.stderr().contains("c2VjcmV0"));
}

#[test]
fn a_program_for_tokens_that_never_ends_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let (program, called) = (directory.path().join("az"), directory.path().join("called"));
    std::fs::write(&program, format!("#!/bin/sh\n: >'{}'\nexec /bin/sleep 60\n", called.display())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let begun = Instant::now();
    let checked = Ended(check(&directory, "127.0.0.1:1").env("PATH", directory.path()).output().unwrap());
    let told = checked.stderr();
    assert!(checked.code() == 5 && told.contains("nobody said whether there is a token"), "{told}");
    assert!(begun.elapsed() < Duration::from_secs(30) && called.exists(), "{told}");
}
