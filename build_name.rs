//! What a build calls itself: the version and, where git is at hand, the commit and whether the sources were changed.
//! For build.rs, and for the test of it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes into the module. A change elsewhere does not make another build.
const SOURCES: [&str; 6] = ["src", "include", "build.rs", "build_name.rs", "Cargo.toml", "Cargo.lock"];

/// What of git's own changes with the commit that is checked out.
const GIT_FILES: [&str; 3] = ["HEAD", "refs/heads", "packed-refs"];

/// The build's name, for sources in `root`: `0.2.0-g0123456789ab`; with `-dirty` where a file that git knows is another
/// than in that commit; the version alone where git knows nothing of `root`.
pub(crate) fn of(root: &Path, version: &str) -> String {
    let Some(commit) = commit(root) else { return version.to_owned() };
    let dirty = if is_changed(root) { "-dirty" } else { "" };
    format!("{version}-g{commit}{dirty}")
}

/// The files and folders that the name depends on.
pub(crate) fn watched(root: &Path) -> Vec<PathBuf> {
    let git_file = |name: &&str| Some(root.join(git(root, &["rev-parse", "--git-path", name])?));
    let sources = SOURCES.iter().map(|name| root.join(name));
    let git_files = GIT_FILES.iter().filter_map(git_file);
    // Cargo takes what does not exist for changed, each time.
    sources.chain(git_files).filter(|path| path.exists()).collect()
}

/// `None` also where another project's repository has the sources in a folder.
fn commit(root: &Path) -> Option<String> {
    let above = git(root, &["rev-parse", "--show-cdup"])?;
    if above.is_empty() { git(root, &["rev-parse", "--short=12", "HEAD"]) } else { None }
}

fn is_changed(root: &Path) -> bool {
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no", "--"];
    git(root, &[&status[..], &SOURCES].concat()).is_none_or(|changed| !changed.is_empty())
}

/// What git says, without the line's end; `None` if it fails or is not there. What a hook of git's has set for another
/// repository does not count.
fn git(root: &Path, args: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root).args(args);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(variable);
    }
    let output = git.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
