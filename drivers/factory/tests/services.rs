//! The parameters of `s3` and `azure`: what is taken, what is refused, and that no secret is ever shown.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's own functions panic as its tests do")]

use driver_factory::{ConfigErrors, Document, Factory, LayerSettings, RetrySettings, StorageSection};

/// What must be seen nowhere. It could be a key, for it is base64.
const SECRET: &str = "hunter2x";

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<StorageSection, ConfigErrors> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Factory::builtin().read(Document::parse("r.yml", text)?, variables)
}

fn section(driver: &str, parameters: &str) -> Result<StorageSection, ConfigErrors> {
    read_with(&format!("storage: {{{driver}: {{{parameters}}}}}\n"), &[])
}

#[track_caller]
fn taken(driver: &str, parameters: &str) {
    match section(driver, parameters) {
        Ok(section) => assert_eq!(section.warnings, [], "{parameters}"),
        Err(errors) => panic!("{parameters}\n{errors}"),
    }
}

/// The only mistake is at `key`, and says `message`.
#[track_caller]
fn refused(driver: &str, parameters: &str, key: &str, message: &str) {
    let errors = section(driver, parameters).unwrap_err();
    let [mistake] = errors.mistakes.as_slice() else { panic!("{parameters}\n{errors}") };
    let path = if key.is_empty() { format!("storage.{driver}") } else { format!("storage.{driver}.{key}") };
    assert_eq!(mistake.key, path, "{parameters}\n{errors}");
    assert!(mistake.message.contains(message), "{parameters}\n{errors}");
    assert!(mistake.origin.to_string().starts_with("r.yml:1:"), "{errors}");
}

#[test]
fn s3_takes_the_ancestors_spellings() {
    for parameters in [
        "bucket: b, region: eu-central-1",
        "bucket: b, regionendpoint: 'http://minio:9000', forcepathstyle: true, accesskey: a, secretkey: s",
        "bucket: b, regionendpoint: 'minio:9000', secure: false",
        "bucket: b, regionendpoint: minio.example, secure: true, region: ''",
        "bucket: b, region: r, accesskey: '', secretkey: '', sessiontoken: ''",
        "bucket: b, region: r, accesskey: a, secretkey: s, sessiontoken: t",
        "bucket: b, region: r, rootdirectory: /",
        "bucket: b, region: r, rootdirectory: /some/prefix/",
        "bucket: b, region: r, encrypt: 'true', keyid: alias/k",
        "bucket: b, region: r, storageclass: standard_ia, objectacl: bucket-owner-full-control",
        "bucket: b, region: r, storageclass: none, v4auth: true, skipverify: false, secure: true",
        "bucket: b, region: r, useragent: 'distribution/3 (a test)', loglevel: off",
        "bucket: b, region: r, loglevel: false",
        "bucket: b, region: r, chunksize: 10MiB, multipartcopychunksize: 33554432, multipartcopythresholdsize: 0",
        "bucket: b, region: r, chunksize: '5GiB', multipartcopymaxconcurrency: 100, chunkconcurrency: 2",
        "bucket: b, region: r, usedualstack: true, usefipsendpoint: true, redirectendpoint: 'https://cdn.example'",
        "bucket: b, region: r, accelerate: true, conditionalwrites: false, maxobjectsize: 1TiB, uploadrate: 64KiB",
        "bucket: b, region: r, connecttimeout: 1s, answertimeout: 1m, stalltimeout: 5s, assemblytimeout: 10m, \
         idleconnections: 10",
    ] {
        taken("s3", parameters);
    }
}

#[test]
fn s3aws_is_another_name_of_s3() {
    let section = section("s3aws", "bucket: b, region: r").unwrap();
    assert_eq!(section.backend.name(), "s3");
    refused("s3aws", "bucket: b", "region", "a region is needed");
    let both = read_with("storage: {s3: {bucket: b, region: r}, s3aws: {bucket: b, region: r}}", &[]).unwrap_err();
    assert!(both.to_string().contains("`s3` is a driver, and so is `s3aws`"), "{both}");
}

#[test]
fn mistakes_in_s3_are_told_at_their_keys() {
    refused("s3", "region: r", "bucket", "the key is missing");
    refused("s3", "bucket: '', region: r", "bucket", "a bucket is needed");
    refused("s3", "bucket: b", "region", "a region is needed where there is no endpoint");
    refused("s3", "bucket: b, region: r, accesskey: a", "accesskey", "`secretkey` is missing");
    refused("s3", "bucket: b, region: r, secretkey: s", "secretkey", "`accesskey` is missing");
    refused("s3", "bucket: b, region: r, sessiontoken: s", "sessiontoken", "needs `accesskey` and `secretkey`");
    refused("s3", "bucket: b, region: r, secure: false", "secure", "there is none");
    refused("s3", "bucket: b, regionendpoint: 'http://h', secure: true", "secure", "contradicts the `http://`");
    refused("s3", "bucket: b, regionendpoint: 'https://h', secure: false", "secure", "contradicts the `https://`");
    refused("s3", "bucket: b, regionendpoint: 'ftp://h'", "regionendpoint", "begins with http:// or https://");
    refused("s3", "bucket: b, regionendpoint: 'h/path'", "regionendpoint", "nothing behind it");
    refused("s3", "bucket: b, region: r, redirectendpoint: 'https://h/?a=b'", "redirectendpoint", "nothing behind it");
    refused("s3", "bucket: b, region: r, redirectendpoint: h", "redirectendpoint", "begins with http:// or https://");
    refused("s3", "bucket: b, region: r, skipverify: true", "skipverify", "SSL_CERT_FILE");
    refused("s3", "bucket: b, region: r, v4auth: false", "v4auth", "version 4");
    refused("s3", "bucket: b, region: r, keyid: k", "keyid", "`encrypt: true`");
    refused("s3", "bucket: b, region: r, storageclass: express_onezone", "storageclass", "not proven");
    refused("s3", "bucket: b, region: r, storageclass: standrd", "storageclass", "did you mean `STANDARD`?");
    refused("s3", "bucket: b, region: r, objectacl: Private", "objectacl", "did you mean `private`?");
    refused(
        "s3",
        "bucket: b, region: r, chunksize: 1MiB",
        "chunksize",
        "1048576 is not between 5242880 and 5368709120",
    );
    refused("s3", "bucket: b, region: r, chunksize: 10MB0", "chunksize", "expected a number of bytes");
    refused("s3", "bucket: b, region: r, multipartcopychunksize: 6GiB", "multipartcopychunksize", "is not between");
    refused("s3", "bucket: b, region: r, multipartcopythresholdsize: 6GiB", "multipartcopythresholdsize", "between 0");
    refused("s3", "bucket: b, region: r, multipartcopymaxconcurrency: 0", "multipartcopymaxconcurrency", "between 1");
    refused("s3", "bucket: b, region: r, chunkconcurrency: 0", "chunkconcurrency", "between 1");
    refused("s3", "bucket: b, region: r, uploadrate: 0", "uploadrate", "between 1");
    refused("s3", "bucket: b, region: r, rootdirectory: a//b", "rootdirectory", "component");
    refused("s3", "bucket: b, region: r, answertimeout: 0s", "answertimeout", "too little");
    refused(
        "s3",
        "bucket: b, regionendpoint: 'http://h', accelerate: true",
        "accelerate",
        "contradicts `regionendpoint`",
    );
    refused("s3", "bucket: b, region: r, accelerate: true, forcepathstyle: true", "accelerate", "`forcepathstyle`");
    refused("s3", "bucket: b, region: r, bukket: c", "bukket", "did you mean `bucket`?");
    refused("s3", "bucket: b, region: r, secure: yes", "secure", "expected true or false");
}

#[test]
fn a_log_level_is_a_warning() {
    let section = section("s3", "bucket: b, region: r, loglevel: debug").unwrap();
    let [warning] = section.warnings.as_slice() else { panic!("{:?}", section.warnings) };
    assert_eq!((warning.key.as_str(), warning.origin.to_string().as_str()), ("storage.s3.loglevel", "r.yml:1:48"));
}

const AZURE: &str = "container: registry, accountname: account";

#[test]
fn azure_takes_the_ancestors_spellings() {
    for parameters in [
        "accountkey: a2V5",
        "accountkey: a2V5, credentials: {type: shared_key}",
        "accountkey: a2V5, realm: core.chinacloudapi.cn, rootdirectory: /a/b/, skipverify: true",
        "accountkey: a2V5, serviceurl: 'http://127.0.0.1:10000/account'",
        "credentials: {type: sas, sas: '?sv=2022-11-02&sig=c2ln'}",
        "credentials: {type: client_secret, clientid: c, tenantid: t, secret: s}",
        "credentials: {type: client_secret, clientid: c, tenantid: t, secret: s, authority: 'https://issuer.example/'}",
        "credentials: {type: default_credentials}",
        "accountkey: a2V5, max_retries: -1, retry_delay: 100ms",
        "accountkey: a2V5, connecttimeout: 1s, answertimeout: 1m, copytimeout: 1h, idleconnections: 1, concurrency: 4, \
         blocksize: 4MiB, singleput: 1MiB, uploadrate: 64KiB",
        "connectionstring: 'AccountName=account;AccountKey=a2V5;EndpointSuffix=core.windows.net'",
    ] {
        taken("azure", &format!("{AZURE}, {parameters}"));
    }
    taken("azure", "container: registry, connectionstring: UseDevelopmentStorage=true");
    let variable = ("REGISTRY_STORAGE_AZURE_MAX_RETRIES", "5");
    let text = format!("storage: {{azure: {{{AZURE}, accountkey: a2V5}}}}");
    assert_eq!(read_with(&text, &[variable]).unwrap().warnings, []);
}

#[test]
fn mistakes_in_azure_are_told_at_their_keys() {
    let refused_with =
        |more: &str, key: &str, message: &str| refused("azure", &format!("{AZURE}, {more}"), key, message);
    refused("azure", "accountname: a, accountkey: a2V5", "container", "the key is missing");
    refused("azure", "container: registry, accountkey: a2V5", "accountname", "the key is missing");
    refused("azure", "container: a--b, accountname: a, accountkey: a2V5", "container", "no name of a container");
    refused("azure", "container: abc, accountname: A, accountkey: a2V5", "accountname", "no name of a storage account");
    refused_with("realm: core.windows.net", "accountkey", "the key is missing");
    refused_with("accountkey: 'no base64!'", "accountkey", "is not base64");
    refused_with("credentials: {type: sas}", "credentials.sas", "the key is missing");
    refused_with("credentials: {type: sas, sas: sv=1}", "credentials.sas", "no `sig`");
    refused_with("credentials: {}", "credentials.type", "the key is missing");
    refused_with(
        "credentials: {type: password}",
        "credentials.type",
        "\"password\" is not known; allowed: client_secret",
    );
    refused_with("credentials: {type: client_secret, clientid: c, secret: s}", "credentials.tenantid", "is missing");
    refused_with("accountkey: a2V5, credentials: {type: shared_key, secret: s}", "credentials.secret", "`shared_key`");
    refused_with("accountkey: a2V5, credentials: {type: default_credentials}", "accountkey", "`default_credentials`");
    refused_with("accountkey: a2V5, serviceurl: nowhere", "serviceurl", "this is no URL");
    refused_with("accountkey: a2V5, serviceurl: 'https://h/?sig=x'", "serviceurl", "has no query");
    refused_with("accountkey: a2V5, serviceurl: 'https://h/', realm: r", "realm", "contradicts `serviceurl`");
    refused_with("accountkey: a2V5, rootdirectory: a b", "rootdirectory", "");
    refused_with("accountkey: a2V5, blocksize: 1KiB", "blocksize", "between 64 KiB and 256 MiB");
    refused_with("accountkey: a2V5, singleput: 1GiB", "singleput", "between 64 KiB and 256 MiB");
    refused_with("accountkey: a2V5, concurrency: 0", "concurrency", "at least 1");
    refused_with("accountkey: a2V5, uploadrate: 0", "uploadrate", "at least 1");
    refused_with("accountkey: a2V5, retry_delay: 5", "retry_delay", "expected a duration");
    refused_with("accountkey: a2V5, copytimeout: 0", "copytimeout", "too little");
    refused_with("connectionstring: UseDevelopmentStorage=true", "accountname", "another account");
    refused_with("connectionstring: nothing", "connectionstring", "NAME=VALUE");
    let text = "connectionstring: 'AccountName=account;AccountKey=a2V5'";
    refused_with(&format!("{text}, accountkey: a2V5"), "accountkey", "contradicts `connectionstring`");
    refused_with(&format!("{text}, credentials: {{type: default_credentials}}"), "credentials", "keep one of them");
}

#[test]
fn contradictions_of_several_keys_are_told_at_once() {
    let errors = section("s3", "bucket: b, secure: false, keyid: k, chunksize: 1").unwrap_err();
    let keys: Vec<_> = errors.mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        ["storage.s3.region", "storage.s3.secure", "storage.s3.keyid", "storage.s3.chunksize"],
        "{errors}"
    );
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    let errors =
        read_with("storage: {s3: {bucket: b}}", &[("REGISTRY_STORAGE_S3_REGIONENDPOINT", "ftp://h")]).unwrap_err();
    assert!(
        errors.to_string().starts_with("REGISTRY_STORAGE_S3_REGIONENDPOINT: storage.s3.regionendpoint: "),
        "{errors}"
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let wrong = [
        ("s3", format!("bucket: b, secretkey: {SECRET}")),
        ("s3", format!("bucket: b, region: r, sessiontoken: {SECRET}")),
        ("s3", format!("accesskey: a, secretkey: {SECRET}, sessiontoken: [{SECRET}], nonsense: {SECRET}")),
        ("s3", format!("bucket: b, accesskey: a, secretkey: {{{SECRET}: {SECRET}}}")),
        ("s3", format!("bucket: b, regionendpoint: 'http://user:{SECRET}@host'")),
        ("s3", format!("bucket: b, regionendpoint: 'host/{SECRET}', redirectendpoint: '{SECRET}'")),
        ("azure", format!("{AZURE}, accountkey: '{SECRET}!'")),
        ("azure", format!("{AZURE}, accountkey: [{SECRET}]")),
        ("azure", format!("container: c, accountname: {SECRET}!")),
        ("azure", format!("{AZURE}, credentials: {SECRET}")),
        ("azure", format!("{AZURE}, credentials: {{type: sas, sas: {SECRET}}}")),
        ("azure", format!("{AZURE}, credentials: {{type: client_secret, secret: {SECRET}}}")),
        ("azure", format!("{AZURE}, credentials: {{type: shared_key, secret: {SECRET}}}")),
        ("azure", format!("{AZURE}, connectionstring: 'AccountKey={SECRET}'")),
        ("azure", format!("{AZURE}, connectionstring: '{SECRET}', accountkey: {SECRET}")),
        ("azure", format!("{AZURE}, connectionstring: 'AccountName=a;BlobEndpoint={SECRET}'")),
        ("azure", format!("{AZURE}, accountkey: a2V5, serviceurl: '{SECRET}'")),
        ("azure", format!("{AZURE}, accountkey: a2V5, serviceurl: 'https://h/?sig={SECRET}'")),
        ("azure", format!("{AZURE}, accountkey: a2V5, serviceurl: 'https://u:{SECRET}@h/'")),
        (
            "azure",
            format!(
                "{AZURE}, credentials: {{type: client_secret, tenantid: t, clientid: c, secret: s, \
                 authority: 'https://u:{SECRET}@h/'}}"
            ),
        ),
    ];
    for (driver, parameters) in wrong {
        let errors = section(driver, &parameters).unwrap_err();
        assert!(!format!("{errors} {errors:?}").contains(SECRET), "{parameters}\n{errors}");
    }
    for (driver, parameters) in [
        ("s3", format!("bucket: b, region: r, accesskey: {SECRET}, secretkey: {SECRET}, sessiontoken: {SECRET}")),
        ("azure", format!("{AZURE}, accountkey: {SECRET}")),
        ("azure", format!("{AZURE}, credentials: {{type: sas, sas: 'sv=1&sig={SECRET}'}}")),
        ("azure", format!("{AZURE}, credentials: {{type: client_secret, tenantid: t, clientid: c, secret: {SECRET}}}")),
    ] {
        let section = section(driver, &parameters).unwrap();
        assert!(!format!("{section:?}").contains(SECRET), "{parameters}");
    }
}

#[tokio::test]
async fn an_opened_service_shows_no_secret() {
    let text = format!("bucket: b, region: r, accesskey: a, secretkey: {SECRET}");
    let opened = section("s3", &text).unwrap().backend.open_with_hooks().await.unwrap();
    assert!(!format!("{opened:?} {:?}", opened.storage()).contains(SECRET));
    let opened = section("azure", &format!("{AZURE}, accountkey: {SECRET}")).unwrap().backend;
    let opened = opened.open_with_hooks().await.unwrap();
    assert!(!format!("{opened:?} {:?}", opened.storage()).contains(SECRET));
}

#[tokio::test]
async fn whoever_reads_the_bucket_is_told_where_files_begin() {
    let s3 = |more: &str| format!("storage: {{s3: {{bucket: b, region: r{more}}}}}");
    for (text, expected) in [
        (s3(""), Some("")),
        (s3(", rootdirectory: /a/b/"), Some("a/b")),
        (s3(", rootdirectory: a").replace("}}", "}, layers: [prefix: /x/y, retry, prefix: /z]}"), Some("a/x/y/z")),
        (s3("").replace("}}", "}, layers: [prefix: /x]}"), Some("x")),
        ("storage: inmemory".to_owned(), None),
    ] {
        let opened = read_with(&text, &[]).unwrap().backend.open_with_hooks().await.unwrap();
        assert_eq!(opened.key_root(), expected, "{text}");
    }
}

#[test]
fn a_service_has_a_layer_that_retries_unless_the_file_says_otherwise() {
    let layers = |more: &str| {
        let text = format!("storage: {{s3: {{bucket: b, region: r}}{more}}}");
        read_with(&text, &[]).unwrap().backend.layers().to_vec()
    };
    assert_eq!(layers(""), [LayerSettings::Retry(RetrySettings::default())]);
    assert_eq!(layers(", layers: "), [LayerSettings::Retry(RetrySettings::default())]);
    assert_eq!(layers(", layers: []"), []);
    assert_eq!(layers(", layers: [trace]"), [LayerSettings::Trace]);
    let azure = section("azure", &format!("{AZURE}, accountkey: a2V5")).unwrap();
    assert_eq!(azure.backend.layers(), [LayerSettings::Retry(RetrySettings::default())]);
    let embedded = read_with("storage: inmemory", &[]).unwrap();
    assert_eq!(embedded.backend.layers(), []);
}

#[tokio::test]
async fn conditions_are_offered_where_the_service_is_known_to_honour_them() {
    for (parameters, offered) in [
        ("region: r", true),
        ("region: r, conditionalwrites: false", false),
        ("regionendpoint: h", false),
        ("regionendpoint: h, conditionalwrites: true", true),
    ] {
        let storage = section("s3", &format!("bucket: b, {parameters}")).unwrap().backend.open().await.unwrap();
        assert_eq!(storage.capabilities().put.if_absent, offered, "{parameters}");
    }
}
