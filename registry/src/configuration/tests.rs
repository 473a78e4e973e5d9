use driver_factory::Factory;

use super::*;

fn read(text: &str) -> Result<Configuration, Vec<String>> {
    let document = Document::parse("r.yml", text).unwrap();
    let read = Configuration::read(&Factory::builtin(), document, []);
    read.map_err(|errors| errors.mistakes.iter().map(ToString::to_string).collect())
}

const STORAGE: &str = "storage: inmemory\n";

fn mistakes(text: &str) -> Vec<String> {
    read(&format!("{text}\n{STORAGE}")).unwrap_err()
}

fn right(text: &str) -> Configuration {
    read(&format!("{text}\n{STORAGE}")).unwrap()
}

/// As Debian's package has it, and as the ancestor's own example has it.
#[test]
fn configurations_of_the_ancestor_are_taken() {
    let configuration = read(
        "version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/docker-registry
  delete:
    enabled: true
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
",
    )
    .unwrap();
    assert_eq!(configuration.http.address, Address::Tcp("[::]:5000".to_owned()));
    assert_eq!(configuration.http.headers["x-content-type-options"], "nosniff");
    assert_eq!(configuration.log.fields["service"], "registry");
    assert!(configuration.warnings().is_empty(), "{:?}", configuration.warnings());
}

#[test]
fn nothing_said_is_this_machine_alone() {
    let configuration = Configuration::without_file(&Factory::builtin(), Path::new("/a \"b\""), []).unwrap();
    assert_eq!(configuration.http.address, Address::Tcp("127.0.0.1:5000".to_owned()));
    assert_eq!(configuration.storage.backend.name(), "filesystem");
    let variables = [("REGISTRY_HTTP_ADDR".to_owned(), "localhost:7000".to_owned())];
    let configuration = Configuration::without_file(&Factory::builtin(), Path::new("x"), variables).unwrap();
    assert_eq!(configuration.http.address, Address::Tcp("localhost:7000".to_owned()));
}

#[test]
fn all_mistakes_are_told_at_their_places() {
    let told = mistakes(
        "version: 0.2
http:
  addr: nowhere
  host: registry.example
  adr: x
  tls:
    certificate: a.pem
  debug:
    prometheus: {enabled: true}
log: {level: loud}
proxy: {remoteurl: https://other.test}
redis: {}
registry: x",
    );
    let expected = [
        "r.yml:1:1: version: the only version is 0.1",
        "r.yml:3:3: http.addr: expected HOST:PORT, or :PORT for every address of this machine",
        "r.yml:4:3: http.host: expected an address without a path, such as https://registry.example",
        "r.yml:5:3: http.adr: unknown key; did you mean `addr`?",
        "r.yml:6:3: http.tls: `certificate` and `key` go together",
        "r.yml:9:5: http.debug.prometheus: metrics need an address to be asked at",
        "r.yml:10:14: log.level:",
        "r.yml:11:1: proxy: this registry is no proxy",
        "r.yml:12:1: redis: needs the address of a Redis",
        "r.yml:13:1: registry: unknown key",
    ];
    // A section with a mistake in a key is not looked at further; the next reading finds the rest.
    let first: Vec<_> = expected.iter().filter(|line| told.iter().any(|told| told.starts_with(**line))).collect();
    assert!(first.len() >= 6, "{told:#?}");
    assert!(told.iter().all(|told| expected.iter().any(|line| told.starts_with(line))), "{told:#?}");
}

#[test]
fn the_keys_of_http() {
    let http = right(
        "http:
  addr: 127.0.0.1:0
  host: https://outside.test
  prefix: /a/b
  secret: s
  draintimeout: 5s
  relativeurls: true
  http2: {disabled: true}
  h2c: {enabled: true}
  tls: {certificate: a.pem, key: b.pem, minimumtls: tls1.3, clientcas: [c.pem]}
  debug: {addr: localhost:5001, prometheus: {enabled: true}}",
    )
    .http;
    assert_eq!((http.location.prefix.as_str(), http.location.relative), ("/a/b/", true));
    assert_eq!((http.drain.as_secs(), http.http2, http.h2c), (5, false, true));
    let tls = http.tls.unwrap();
    assert_eq!((tls.minimum, tls.clients.unwrap().required), (TlsVersion::Tls13, true));
    assert_eq!(http.debug.unwrap().metrics.as_deref(), Some("/metrics"));
    let unix = right("http: {net: unix, addr: /run/registry.sock}").http;
    assert_eq!(unix.address, Address::Unix("/run/registry.sock".into()));
    for wrong in [
        "net: unix",
        "net: udp",
        "prefix: '/a?b'",
        "headers: {'a b': [x]}",
        "headers: {a: [\"\\n\"]}",
        "tls: {clientcas: [a]}",
        "tls: {certificate: a, key: b, clientauth: request-client-cert}",
        "tls: {letsencrypt: {email: x}}",
    ] {
        assert_eq!(mistakes(&format!("http: {{{wrong}}}")).len(), 1, "{wrong}");
    }
}

#[test]
fn a_password_of_redis_is_told_nobody() {
    let configuration = right("redis: {addr: 'localhost:6379', password: 'p@ss/word', db: 3, readtimeout: 1s}");
    let shown = format!("{configuration:?}");
    assert!(!shown.contains("p@ss") && !shown.contains("p%40ss"), "{shown}");
    let redis = configuration.redis.unwrap();
    assert_eq!(redis.answer_timeout.unwrap().as_secs(), 1);
    assert_eq!(redis.url.reveal(), "redis://:p%40ss%2Fword@localhost:6379/3");
    assert_eq!(redis.tls, RedisFiles::default());
    for wrong in ["addr: x", "addrs: [a:1, b:2]", "addr: 'u:p@x:1'", "addr: 'x:1', tls: {certificate: a}"] {
        assert_eq!(mistakes(&format!("redis: {{{wrong}}}")).len(), 1, "{wrong}");
    }
}

#[test]
fn a_redis_over_tls() {
    let redis = |keys: &str| right(&format!("redis: {{addr: 'localhost:6379', tls: {{{keys}}}}}")).redis.unwrap();
    assert_eq!(redis("enabled: false").url.reveal(), "redis://localhost:6379/0");
    assert_eq!(redis("enabled: true").url.reveal(), "rediss://localhost:6379/0");
    let trusting = redis("rootcas: [/a.pem], clientcas: [/b.pem], certificate: /c.pem, key: /k.pem");
    assert!(trusting.url.reveal().starts_with("rediss:"));
    assert_eq!(trusting.tls.authorities, ["/a.pem", "/b.pem"].map(std::path::PathBuf::from));
    assert_eq!(trusting.tls.client, Some(("/c.pem".into(), "/k.pem".into())));
}

#[test]
fn what_does_nothing_is_told() {
    let configuration = right("loglevel: debug\nvalidation: {disabled: true}\nreporting: {newrelic: {}}");
    assert_eq!(configuration.log.level, Level::Debug);
    assert_eq!(configuration.warnings().len(), 3, "{:?}", configuration.warnings());
}
