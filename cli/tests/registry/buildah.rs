//! buildah builds, pushes and pulls, on every backend, in the formats of Docker and of OCI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::backends::{Door, on_directory};
#[cfg(any(feature = "azure", feature = "s3"))]
use crate::backends::{on_engine, without_redirects};

static BUILDAH: LazyLock<String> = LazyLock::new(|| engines::Engine::start("buildah").get("BLOBSTORE_BUILDAH"));

/// The images of a machine, of which there were none.
struct Machine(TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// What it prints. Fails where buildah does: without the right to do this, nothing was shown.
    #[track_caller]
    fn buildah(&self, words: &[&str]) -> String {
        let own = |name: &str| self.0.path().join(name);
        fs::create_dir_all(own("tmp")).unwrap();
        let mut command = Command::new(&*BUILDAH);
        command.arg("--root").arg(own("images")).arg("--runroot").arg(own("run")).args(words).env("TMPDIR", own("tmp"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "buildah {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The files of an image.
    fn files(&self, image: &str) -> PathBuf {
        let container = self.buildah(&["from", "--pull-never", image]);
        self.buildah(&["mount", &container]).into()
    }
}

const FILES: [&str; 3] = ["one", "tree/two", "tree/deeper/three"];

/// Files to make images of, one of them large.
fn context(directory: &Path) {
    fs::create_dir_all(directory.join("tree/deeper")).unwrap();
    for (name, words) in FILES.into_iter().zip([10, 1000, 1_500_000]) {
        let content: Vec<u8> =
            std::iter::repeat_with(|| fastrand::u32(..)).take(words).flat_map(u32::to_le_bytes).collect();
        fs::write(directory.join(name), content).unwrap();
    }
    fs::write(directory.join("Containerfile"), "FROM scratch\nCOPY one /one\nCOPY tree /tree\nLABEL made=here\n")
        .unwrap();
}

/// Builds by a file, and by hand; answers with the images and what their manifests must say.
fn built(machine: &Machine, context: &Path) -> [(&'static str, &'static str); 2] {
    let [docker, oci] = ["localhost/app:docker", "localhost/app:oci"];
    let path = |name: &str| context.join(name).display().to_string();
    machine.buildah(&["build", "--format", "docker", "--layers", "-t", docker, &path("")]);
    let container = machine.buildah(&["from", "scratch"]);
    machine.buildah(&["copy", &container, &path("one"), "/one"]);
    machine.buildah(&["copy", &container, &path("tree"), "/tree"]);
    machine.buildah(&["commit", "--format", "oci", &container, oci]);
    [(docker, "application/vnd.docker.container.image.v1+json"), (oci, "application/vnd.oci.image.config.v1+json")]
}

/// Images that were built here are pushed, and are the same on another machine.
fn builds_and_pulls(doors: &[Door]) {
    let (sources, builder) = (tempfile::tempdir().unwrap(), Machine::new());
    context(sources.path());
    let images = built(&builder, sources.path());
    for door in doors {
        let options = door.options.iter().map(String::as_str);
        let other = Machine::new();
        for (image, media_type) in images {
            let reference = image.replace("localhost/", &format!("{}/built/", door.server.address));
            let words: Vec<_> = ["push"].into_iter().chain(options.clone()).chain([image, &reference]).collect();
            builder.buildah(&words);
            let words: Vec<_> = ["pull"].into_iter().chain(options.clone()).chain([reference.as_str()]).collect();
            other.buildah(&words);
            let manifest = other.buildah(&["inspect", "--type", "image", "--format", "{{.Manifest}}", &reference]);
            assert!(manifest.contains(media_type), "{manifest}");
            let files = other.files(&reference);
            for name in FILES {
                assert!(fs::read(files.join(name)).unwrap() == fs::read(sources.path().join(name)).unwrap(), "{name}");
            }
        }
    }
}

#[test]
fn buildah_on_a_directory() {
    let [open, guarded] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let doors = [Door::open(&on_directory(open.path())), Door::guarded(&on_directory(guarded.path()))];
    builds_and_pulls(&doors);
    doors.into_iter().for_each(Door::close_clean);
}

#[cfg(feature = "s3")]
#[test]
fn buildah_on_garage() {
    builds_and_pulls(&[Door::open(&on_engine("garage")), Door::guarded(&without_redirects(on_engine("garage")))]);
}

#[cfg(feature = "azure")]
#[test]
fn buildah_on_azurite() {
    builds_and_pulls(&[Door::open(&on_engine("azurite")), Door::guarded(&without_redirects(on_engine("azurite")))]);
}
