//! The name of a build, in repositories made for this test.

// A test reports errors by panicking.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../build_name.rs"]
mod build_name;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder with sources like this project's, in no repository.
fn sources() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for dir in ["src/asterisk", "include"] {
        fs::create_dir_all(folder.path().join(dir)).expect("folder");
    }
    for file in FILES.iter().chain(&["README.md"]) {
        fs::write(folder.path().join(file), "as committed\n").expect("file");
    }
    folder
}

const FILES: [&str; 6] =
    ["src/asterisk/mod.rs", "include/shim.c", "build.rs", "build_name.rs", "Cargo.toml", "Cargo.lock"];

fn git(root: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(root)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"])
        .args(args)
        .output()
        .expect("git");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn commit_all(root: &Path) {
    git(root, &["add", "--all"]);
    git(root, &["commit", "--quiet", "--message", "x"]);
}

fn repository() -> TempDir {
    let folder = sources();
    git(folder.path(), &["init", "--quiet"]);
    commit_all(folder.path());
    folder
}

fn name(root: &Path) -> String {
    build_name::of(root, "1.2.3")
}

fn clean(root: &Path) -> String {
    format!("1.2.3-g{}", git(root, &["rev-parse", "--short=12", "HEAD"]))
}

#[test]
fn without_a_repository_it_is_the_version() {
    let folder = sources();
    assert_eq!(name(folder.path()), "1.2.3");
}

#[test]
fn a_folder_of_another_repository_is_not_its_commit() {
    let folder = sources();
    let copy = folder.path().join("vendor/copy");
    fs::create_dir_all(&copy).expect("folder");
    git(folder.path(), &["init", "--quiet"]);
    commit_all(folder.path());
    assert_eq!(name(&copy), "1.2.3");
}

#[test]
fn only_a_changed_source_is_reported() {
    let folder = repository();
    let root = folder.path();
    assert_eq!(name(root), clean(root));
    fs::write(root.join("README.md"), "changed\n").expect("file");
    fs::write(root.join("src/notes.txt"), "unknown to git\n").expect("file");
    assert_eq!(name(root), clean(root));
    for file in FILES {
        let dirty = format!("{}-dirty", clean(root));
        fs::write(root.join(file), "changed\n").expect("file");
        assert_eq!(name(root), dirty, "{file}");
        git(root, &["add", file]);
        assert_eq!(name(root), dirty, "{file}, staged");
        git(root, &["reset", "--quiet"]);
        fs::write(root.join(file), "as committed\n").expect("file");
        assert_eq!(name(root), clean(root), "{file}, as it was");
        fs::remove_file(root.join(file)).expect("file");
        assert_eq!(name(root), dirty, "{file}, removed");
        git(root, &["checkout", "--quiet", "--", file]);
    }
    fs::write(root.join("build.rs"), "changed\n").expect("file");
    commit_all(root);
    assert_eq!(name(root), clean(root));
}

/// Cargo runs build.rs again when one of these changes, and every time if one does not exist.
#[test]
fn inputs_of_the_name_are_watched() {
    let folder = repository();
    let worktree = folder.path().join("worktree");
    git(folder.path(), &["worktree", "add", "--quiet", "worktree"]);
    for root in [folder.path(), &worktree] {
        let watched = build_name::watched(root);
        let is_watched = |path: &Path| watched.iter().any(|watched| path.starts_with(watched));
        assert!(watched.iter().all(|path| path.exists()), "{watched:?}");
        for file in FILES {
            assert!(is_watched(&root.join(file)), "{file}: {watched:?}");
        }
        assert!(!is_watched(&root.join("README.md")), "{watched:?}");
        let branch = git(root, &["symbolic-ref", "HEAD"]);
        for file in ["HEAD", &branch] {
            let path = PathBuf::from(git(root, &["rev-parse", "--git-path", file]));
            assert!(is_watched(&root.join(path)), "{file}: {watched:?}");
        }
        assert_eq!(name(root), clean(root));
    }
}
