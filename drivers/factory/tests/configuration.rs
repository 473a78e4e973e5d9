//! Configurations as operators write them, and what is said of those that are wrong.

#![expect(clippy::unwrap_used, reason = "a test's own functions panic as its tests do")]

use std::time::Duration;

use driver_api::{Context, ErrorKind, GetOptions, PutOptions, Result, Storage, StoragePath};
use driver_factory::{
    ConfigErrors, DescriptorCache, Document, Factory, LayerSettings, Leftover, Middleware, Opened, Settings,
    StorageSection,
};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is read is looked at by the configuration's messages alone")]
struct Parameters {
    bucket: String,
    #[serde(default)]
    max_retries: u8,
    #[serde(default)]
    secure: bool,
}

/// The built-in drivers and two of this test's: one that opens nowhere, and one with a `_` in its name.
fn factory() -> Factory {
    Factory::builtin().with("objects", open_nowhere).with("my_objects", open_nowhere)
}

async fn open_nowhere(_: Parameters) -> Result<Storage> {
    Err(driver_api::Error::new(ErrorKind::Misconfigured, "this driver is for its parameters only"))
}

/// The drivers of [`factory`], and all that a storage section may have.
const DRIVERS: &str = "azure, filesystem, inmemory, my_objects, objects, s3";
const KEYS: &str =
    "azure, cache, delete, filesystem, inmemory, layers, maintenance, my_objects, objects, redirect, s3, tag";

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<StorageSection, ConfigErrors> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    factory().read(Document::parse("r.yml", text)?, variables)
}

fn read(text: &str) -> StorageSection {
    read_with(text, &[]).unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    assert_eq!(read_with(text, &[]).unwrap_err().to_string(), expected, "{text}");
}

fn warnings(section: &StorageSection) -> Vec<String> {
    section.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_driver_has_parameters_or_none() {
    for text in [
        "storage: inmemory",
        "storage: {inmemory: }",
        "storage: {inmemory: {}}",
        "storage: {inmemory: {maxbytes: 64MiB}}",
        "storage: {inmemory: {maxbytes: 1000}}",
        "version: 0.1\nstorage:\n  inmemory: null\nhttp: {addr: ':5000', anything: [else]}\n",
    ] {
        assert_eq!(read(text).backend.name(), "inmemory", "{text}");
    }
    for text in [
        "storage: {filesystem: {rootdirectory: /x, maxthreads: 50, durability: process}}",
        "storage: {filesystem: {maxthreads: '0x64'}}",
        "storage: {filesystem: {rootdirectory: 12, maxthreads: -1}}",
    ] {
        assert_eq!(read(text).backend.name(), "filesystem", "{text}");
    }
}

#[test]
fn a_mistake_names_the_key_its_place_and_what_is_allowed() {
    let (keys, drivers) = (KEYS, DRIVERS);
    refused("version: 0.1\n", &format!("r.yml: storage: no driver is configured; choose one: {drivers}"));
    refused("storage:\n", &format!("r.yml:1:1: storage: no driver is configured; choose one: {drivers}"));
    refused(
        "storage:\n  delete: {enabled: true}\n",
        &format!("r.yml:2:3: storage: no driver is configured; choose one: {drivers}"),
    );
    refused(
        "storage: [inmemory]\n",
        &format!("r.yml:1:10: storage: expected a map with a driver, or a driver's name; allowed: {keys}"),
    );
    refused(
        "storage: filesistem\n",
        &format!("r.yml:1:10: storage.filesistem: unknown key; did you mean `filesystem`? allowed: {keys}"),
    );
    refused(
        "storage:\n  filesystem:\n    rootdirectry: /x\n",
        "r.yml:3:5: storage.filesystem.rootdirectry: unknown key; did you mean `rootdirectory`? \
         allowed: durability, maxthreads, rootdirectory",
    );
    refused(
        "storage: {inmemory: , delet: {enabled: true}}\n",
        &format!("r.yml:1:23: storage.delet: unknown key; did you mean `delete`? allowed: {keys}"),
    );
    refused(
        "storage: {filesystem: {maxthreads: abc}}\n",
        "r.yml:1:36: storage.filesystem.maxthreads: expected a whole number \
         from -9223372036854775808 to 9223372036854775807, found \"abc\"",
    );
    refused(
        "storage: {filesystem: {durability: ful}}\n",
        "r.yml:1:36: storage.filesystem.durability: \"ful\" is not known; did you mean `full`? allowed: full, process",
    );
    refused(
        "storage: {filesystem: /srv}\n",
        "r.yml:1:23: storage.filesystem: expected a map with the keys rootdirectory, maxthreads, durability; found text",
    );
    refused(
        "storage: {inmemory: {maxbytes: 10M}}\n",
        "r.yml:1:32: storage.inmemory.maxbytes: expected a number of bytes such as 10485760 or 10MiB, \
         with the units B, KB, MB, GB, TB and KiB, MiB, GiB, TiB; found \"10M\"",
    );
    refused(
        "storage: {objects: {secure: yes}}\n",
        "r.yml:1:20: storage.objects.bucket: the key is missing\n\
         r.yml:1:29: storage.objects.secure: expected true or false, found \"yes\"",
    );
}

#[test]
fn two_drivers_contradict_each_other() {
    refused(
        "storage:\n  inmemory:\n  filesystem:\n",
        "r.yml:2:3: storage: `inmemory` is a driver, and so is `filesystem` (r.yml:3:3): choose one",
    );
    let errors = read_with("storage: {filesystem: }\n", &[("REGISTRY_STORAGE_OBJECTS_BUCKET", "b")]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "r.yml:1:11: storage: `filesystem` is a driver, and so is `objects` (REGISTRY_STORAGE_OBJECTS_BUCKET): choose one"
    );
}

#[test]
fn a_driver_that_is_known_and_not_built_in_is_told_as_such() {
    let document = Document::parse("r.yml", "storage: {azure: {accountname: a}}\n").unwrap();
    let errors = Factory::empty().with("objects", open_nowhere).read(document, []).unwrap_err();
    let expected = "r.yml:1:11: storage.azure: the driver `azure` is not built in; built in are objects";
    assert_eq!(errors.to_string(), expected);
}

#[test]
fn a_key_that_stands_twice_is_told_with_all_else() {
    refused(
        "storage:\n  inmemory: {maxbytes: 1, maxbytes: 2}\n  inmemory: {}\n  tag: {concurrencylimit: -1}\n",
        "r.yml:2:27: storage.inmemory.maxbytes: the key stands here a second time, first at r.yml:2:14\n\
         r.yml:3:3: storage.inmemory: the key stands here a second time, first at r.yml:2:3\n\
         r.yml:4:27: storage.tag.concurrencylimit: expected a whole number from 0 to 4294967295, found -1",
    );
}

#[test]
fn unknown_keys_are_warnings_where_strict_is_false() {
    let section = read("strict: false\nstorage: {inmemory: {foo: 1}, bar: 2}\n");
    assert_eq!(
        warnings(&section),
        [
            "r.yml:2:22: storage.inmemory.foo: unknown key, ignored; allowed: maxbytes".to_owned(),
            format!("r.yml:2:31: storage.bar: unknown key, ignored; allowed: {KEYS}"),
        ]
    );
    refused("strict: maybe\nstorage: inmemory\n", "r.yml:1:9: strict: expected true or false, found \"maybe\"");
}

#[test]
fn settings_have_the_ancestors_defaults() {
    let Settings { cache, delete, redirect, tag, maintenance, middleware } = read("storage: inmemory").settings;
    assert_eq!((cache, delete.enabled, redirect.disable, tag.concurrencylimit), (None, false, false, 0));
    assert_eq!((maintenance.readonly.enabled, maintenance.uploadpurging.dryrun, middleware), (false, false, vec![]));
    let purging = maintenance.uploadpurging;
    assert_eq!((purging.enabled, purging.age.0.as_secs(), purging.interval.0.as_secs()), (true, 168 * 3600, 24 * 3600));
}

#[test]
fn settings_are_read_with_the_spellings_of_the_ancestor() {
    let settings = read(
        "
storage:
  inmemory:
  cache: {layerinfo: inmemory, blobdescriptorsize: 0}
  delete: {enabled: 'true'}
  redirect: {disable: true}
  tag: {concurrencylimit: 8}
  maintenance:
    uploadpurging: {enabled: false, age: 1h30m}
    readonly: {enabled: true}
middleware:
  storage:
    - {name: redirect, options: {baseurl: https://cdn.example/}}
    - {name: rewrite, disabled: true}
    - {name: rewrite, options: {host: cdn.example}}
",
    )
    .settings;
    assert_eq!(settings.cache, Some(DescriptorCache::InMemory { size: None }));
    assert!(settings.delete.enabled && settings.redirect.disable && settings.maintenance.readonly.enabled);
    assert_eq!(settings.tag.concurrencylimit, 8);
    let purging = settings.maintenance.uploadpurging;
    assert_eq!((purging.enabled, purging.age.0.as_secs(), purging.interval.0.as_secs()), (false, 5400, 86400));
    assert!(matches!(settings.middleware.as_slice(), [Middleware::Redirect(_), Middleware::Rewrite(_)]));
}

#[test]
fn mistakes_in_settings_are_told() {
    refused(
        "
storage:
  inmemory:
  cache: {blobdescriptor: memcached}
  delete: true
  maintenance:
    readonly: true
    uploadpurging: {age: 7d, interval: 24}
middleware:
  storage: [{name: cloudfrnt}, {name: redirect}, {options: {}}]
",
        "r.yml:4:27: storage.cache.blobdescriptor: \"memcached\" is not known; allowed: inmemory, redis\n\
         r.yml:5:11: storage.delete: expected a map with the key enabled, found true\n\
         r.yml:7:15: storage.maintenance.readonly: expected a map with the key enabled, found true\n\
         r.yml:8:26: storage.maintenance.uploadpurging.age: expected a duration such as 168h, 1m30s or 100ms, \
         with the units ns, us, ms, s, m and h; found \"7d\"\n\
         r.yml:8:40: storage.maintenance.uploadpurging.interval: expected a duration such as 168h, 1m30s or 100ms, \
         with the units ns, us, ms, s, m and h; found \"24\"\n\
         r.yml:10:13: middleware.storage[0].name: there is no storage middleware `cloudfrnt`; \
         did you mean `cloudfront`? allowed: cloudfront, redirect, rewrite\n\
         r.yml:10:32: middleware.storage[1].options.baseurl: the key is missing\n\
         r.yml:10:50: middleware.storage[2].name: the key is missing",
    );
}

#[test]
fn a_redis_cache_needs_redis_and_has_no_size() {
    refused(
        "storage: {inmemory: , cache: {blobdescriptor: redis, blobdescriptorsize: 5}}\n",
        "r.yml:1:47: storage.cache.blobdescriptor: `redis` needs a section `redis` in the file, and there is none\n\
         r.yml:1:54: storage.cache.blobdescriptorsize: contradicts `redis`: only the cache `inmemory` has a size",
    );
    let section = read("storage: {inmemory: , cache: {blobdescriptor: redis}}\nredis: {addrs: [r:6379]}\n");
    assert_eq!(section.settings.cache, Some(DescriptorCache::Redis));
}

#[test]
fn variables_override_the_file_and_add_to_it() {
    let variables = [
        ("REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "true"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "true"),
        ("REGISTRY_storage_Tag_ConcurrencyLimit", "3"),
        ("PATH", "[not yaml"),
    ];
    for text in [
        "storage: inmemory",
        "storage:\n  inmemory:\n",
        "storage: {inmemory: , maintenance: {readonly: {enabled: false}}, delete: {enabled: false}}",
        "storage: {inmemory: , maintenance: {uploadpurging: {enabled: false}}, tag: }",
    ] {
        let section = read_with(text, &variables).unwrap();
        assert!(section.settings.maintenance.readonly.enabled && section.settings.delete.enabled, "{text}");
        assert_eq!(section.settings.tag.concurrencylimit, 3);
        assert_eq!(section.warnings, [], "{text}");
    }
}

#[test]
fn a_variable_can_replace_a_whole_section_and_others_go_into_it() {
    let variables = [
        // Given out of order: they are applied in the order of their names.
        ("REGISTRY_STORAGE_OBJECTS_BUCKET", "b"),
        ("REGISTRY_STORAGE", "objects"),
    ];
    let section = read_with("storage: {filesystem: {rootdirectory: /x}, delete: {enabled: true}}", &variables).unwrap();
    assert_eq!((section.backend.name(), section.settings.delete.enabled), ("objects", false));
    let whole = [("REGISTRY_STORAGE", "{inmemory: {maxbytes: 1KiB}}")];
    assert_eq!(read_with("", &whole).unwrap().backend.name(), "inmemory");
}

#[test]
fn a_key_with_an_underscore_can_be_addressed() {
    let with = |name, value| read_with("storage: {objects: {bucket: b}}", &[(name, value)]);
    let expected = "REGISTRY_STORAGE_OBJECTS_MAX_RETRIES: storage.objects.max_retries: \
                    expected a whole number from 0 to 255, found 256";
    assert_eq!(with("REGISTRY_STORAGE_OBJECTS_MAX_RETRIES", "256").unwrap_err().to_string(), expected);
    assert_eq!(with("REGISTRY_STORAGE_OBJECTS_MAX_RETRIES", "5").unwrap().warnings, []);
    let section = read_with("", &[("REGISTRY_STORAGE_MY_OBJECTS_BUCKET", "b")]).unwrap();
    assert_eq!(section.backend.name(), "my_objects");
}

#[test]
fn a_variable_can_set_an_item_of_a_list() {
    let variables = [
        ("REGISTRY_STORAGE_LAYERS_0_RETRY_ATTEMPTS", "9"),
        ("REGISTRY_STORAGE_LAYERS_1", "readonly"),
        ("REGISTRY_STORAGE_LAYERS_5", "trace"),
        ("REGISTRY_STORAGE_LAYERS_FIRST", "trace"),
    ];
    let section = read_with("storage: {inmemory: , layers: [retry: {attempts: 2}]}", &variables).unwrap();
    let [LayerSettings::Retry(retry), LayerSettings::ReadOnly] = section.backend.layers() else {
        panic!("{:?}", section.backend);
    };
    assert_eq!(retry.attempts.get(), 9);
    assert_eq!(
        warnings(&section),
        [
            "REGISTRY_STORAGE_LAYERS_5: storage.layers: the list is shorter; the variable is ignored",
            "REGISTRY_STORAGE_LAYERS_FIRST: storage.layers: this is a list, and takes a number; the variable is ignored",
        ]
    );
}

#[test]
fn variables_that_mean_nothing_are_warnings() {
    let variables = [
        ("REGISTRY_PORT", "tcp://10.0.0.1:5000"),
        ("REGISTRY_STORAGE_SERVICE_HOST", "10.0.0.1"),
        ("REGISTRY_STORAGE_INMEMORY_MAXBYTES_X", "1"),
        ("REGISTRY_STORAGE__INMEMORY", "1"),
    ];
    let section = read_with("storage: {inmemory: {maxbytes: 5}}", &variables).unwrap();
    assert_eq!(
        warnings(&section),
        [
            "REGISTRY_PORT: there is no section `port`; the variable is ignored".to_owned(),
            "REGISTRY_STORAGE_INMEMORY_MAXBYTES_X: storage.inmemory.maxbytes: this is a single value, and has no keys; \
             the variable is ignored"
                .to_owned(),
            format!("REGISTRY_STORAGE_SERVICE_HOST: storage.service: unknown key, ignored; allowed: {KEYS}"),
            "REGISTRY_STORAGE__INMEMORY: the name of the variable has an empty part; the variable is ignored".to_owned(),
        ]
    );
}

#[test]
fn a_mistake_in_a_variable_names_the_variable_and_never_shows_a_secret() {
    let variables = [("REGISTRY_STORAGE_INMEMORY_MAXBYTES", "much"), ("REGISTRY_STORAGE_OBJECTS_BUCKET", "*hunter2")];
    assert_eq!(
        read_with("", &variables).unwrap_err().to_string(),
        "REGISTRY_STORAGE_INMEMORY_MAXBYTES: storage.inmemory.maxbytes: expected a number of bytes such as 10485760 or \
         10MiB, with the units B, KB, MB, GB, TB and KiB, MiB, GiB, TiB; found \"much\"\n\
         REGISTRY_STORAGE_OBJECTS_BUCKET: the value is no YAML; in quotes it is taken as text"
    );
    let section = read_with("storage: {objects: {bucket: hunter2}}", &[]).unwrap();
    assert!(!format!("{section:?}").contains("hunter2"));
}

#[test]
fn arguments_are_read_like_a_file() {
    let document = Document::of_driver("filesystem", [("rootdirectory", "/x"), ("maxthreads", "many")]).unwrap();
    assert_eq!(
        factory().read(document, []).unwrap_err().to_string(),
        "-o maxthreads: storage.filesystem.maxthreads: expected a whole number \
         from -9223372036854775808 to 9223372036854775807, found \"many\""
    );
    let errors = Document::of_driver("inmemory", [("a", "1"), ("a", "2"), ("b", "[")]).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "-o a: the key is given twice\n-o b: the value is no YAML; in quotes it is taken as text"
    );
}

#[test]
fn the_environment_adds_to_arguments_and_does_not_replace_them() {
    let document = Document::of_driver("objects", [("bucket", "b")]).unwrap();
    let variables = [
        ("REGISTRY_STORAGE", "inmemory"),
        ("REGISTRY_STORAGE_OBJECTS_BUCKET", "[wrong]"),
        ("REGISTRY_STORAGE_OBJECTS_SECURE", "maybe"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(
        factory().read(document, variables).unwrap_err().to_string(),
        "REGISTRY_STORAGE_OBJECTS_SECURE: storage.objects.secure: expected true or false, found \"maybe\""
    );
}

#[test]
fn mistakes_in_layers_are_told() {
    refused(
        "
storage:
  inmemory:
  layers:
    - retri
    - retry: {attempts: 0}
    - {readonly: , trace: }
    - prefix: registry
    - concurrencylimit: {calls: 3}
    - readonly: {enabled: true}
    - timeout: {call: 5}
",
        "r.yml:5:7: storage.layers[0]: \"retri\" is not known; did you mean `retry`? \
         allowed: concurrencylimit, metrics, prefix, readonly, retry, timeout, trace\n\
         r.yml:6:25: storage.layers[1].retry.attempts: expected a nonzero u32, found integer `0`\n\
         r.yml:7:7: storage.layers[2]: expected exactly one of \
         retry, timeout, concurrencylimit, prefix, readonly, trace, metrics; found a map\n\
         r.yml:8:15: storage.layers[3].prefix: a path begins with `/`\n\
         r.yml:9:25: storage.layers[4].concurrencylimit: expected a whole number \
         from 0 to 18446744073709551615, found a map\n\
         r.yml:10:17: storage.layers[5].readonly: expected no parameters, found a map\n\
         r.yml:11:23: storage.layers[6].timeout.call: expected a duration such as 168h, 1m30s or 100ms, \
         with the units ns, us, ms, s, m and h; found \"5\"",
    );
}

#[tokio::test]
async fn layers_are_wrapped_from_the_inside_out() {
    let text =
        "storage: {inmemory: , layers: [prefix: /registry, timeout, retry, concurrencylimit: 4, trace, metrics]}";
    let storage = read(text).backend.open().await.unwrap();
    let (context, path) = (Context::background(), StoragePath::parse("/a").unwrap());
    storage.put(&context, &path, "content", PutOptions::default()).await.unwrap();
    let (_, content) = storage.get(&context, &path, GetOptions::default()).await.unwrap();
    assert_eq!(content, "content");

    let storage = read("storage: {inmemory: , layers: [readonly]}").backend.open().await.unwrap();
    assert!(storage.put(&context, &path, "content", PutOptions::default()).await.is_err());
}

#[tokio::test]
async fn the_parameters_reach_the_driver() {
    let (context, path) = (Context::background(), StoragePath::parse("/a").unwrap());
    let storage = read("storage: {inmemory: {maxbytes: 4}}").backend.open().await.unwrap();
    let full = storage.put(&context, &path, "12345", PutOptions::default()).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::NoSpace);

    let root = tempfile::tempdir().unwrap();
    let variable = ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path().to_str().unwrap());
    let storage = read_with("storage: filesystem", &[variable]).unwrap().backend.open().await.unwrap();
    storage.put(&context, &path, "12345", PutOptions::default()).await.unwrap();
    assert_eq!(std::fs::read(root.path().join("a")).unwrap(), b"12345");

    let error = read("storage: {objects: {bucket: b}}").backend.open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
}

#[tokio::test]
async fn a_constructor_brings_a_check_and_a_sweep_or_neither() {
    let objects = async |_: Parameters| -> Result<Opened> {
        let opened = Opened::new(Storage::new(driver_inmemory::MemoryDriver::default()));
        let busy = async |_: Context| Err(driver_api::Error::new(ErrorKind::Unavailable, "nobody is there"));
        let left = async |_: Context, age: Duration| Ok(vec![Leftover::new(format!("{age:?}"), async || Ok(()))]);
        Ok(opened.with_check(busy).with_sweep(left))
    };
    let document = Document::parse("r.yml", "storage: {objects: {bucket: b}, layers: [readonly]}").unwrap();
    let section = Factory::empty().with("objects", objects).read(document, []).unwrap();
    let opened = section.backend.open_with_hooks().await.unwrap();
    let context = Context::background();
    assert_eq!(opened.check(&context).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let age = Duration::from_secs(5);
    let [leftover] = <[Leftover; 1]>::try_from(opened.leftovers(&context, age).await.unwrap().unwrap()).unwrap();
    assert_eq!((leftover.description(), leftover.since()), ("5s", None));
    leftover.remove().await.unwrap();
    let path = StoragePath::parse("/a").unwrap();
    assert!(opened.storage().put(&context, &path, "content", PutOptions::default()).await.is_err(), "it has its layer");

    let opened = read("storage: inmemory").backend.open_with_hooks().await.unwrap();
    opened.check(&context).await.unwrap();
    assert!(opened.leftovers(&context, age).await.is_none());
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_fails_its_check() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!("storage: {{filesystem: {{rootdirectory: {}/below}}}}", file.path().display());
    let opened = read(&text).backend.open_with_hooks().await.unwrap();
    assert!(opened.check(&Context::background()).await.is_err());
}

proptest! {
    #[test]
    fn reading_never_panics(
        text in r"(storage|middleware|strict): ((inmemory|filesystem|layers|cache|delete)|\{((inmemory|filesystem|layers|cache|delete|tag|maintenance|x): (\{?[a-z0-9:, \[\]-]{0,12}\}?), ){0,4}\})\n?.{0,10}",
        variables in proptest::collection::vec((r"REGISTRY_(STORAGE_?)?[A-Z0-9_]{0,12}", r"[a-z0-9 :{}\[\],*&-]{0,12}"), 0..4),
    ) {
        if let Ok(document) = Document::parse("r.yml", &text)
            && let Err(errors) = factory().read(document, variables)
        {
            prop_assert!(!errors.mistakes.is_empty());
        }
    }
}
