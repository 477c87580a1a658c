//! A temporary machine.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use tempfile::TempDir;

/// Debian's module folder, below /usr/lib.
const MODULES: &str = "asterisk/modules";

/// Mounts everything and stays. Its arguments are the folder and the sandbox.
const BOOT: &str = r#"
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
ip link set lo up
echo up
exec sleep infinity
"#;

/// Replaces systemctl: the sandbox has no systemd.
const SYSTEMCTL: &str = r#"#!/bin/sh
set -e
case "$1 $2" in
"stop asterisk" | "restart asterisk")
    if [ -f /run/asterisk/asterisk.pid ]; then
        asterisk -rx "core stop now" >/dev/null 2>&1 || :
        while kill -0 "$(cat /run/asterisk/asterisk.pid 2>/dev/null)" 2>/dev/null; do sleep 0.05; done
        rm -f /run/asterisk/asterisk.pid
    fi
    ;;
esac
case "$1 $2" in
"start asterisk" | "restart asterisk")
    mkdir -p /run/asterisk
    chown asterisk: /run/asterisk
    asterisk -F -U asterisk 2>/dev/null
    for try in $(seq 200); do
        asterisk -rx "core waitfullybooted" 2>/dev/null | grep -q "fully booted" && exit 0
        sleep 0.05
    done
    echo "Asterisk did not start" >&2
    exit 1
    ;;
esac
"#;

/// A Debian with Asterisk and a separate network. It ends, with all its processes, when this is dropped, or at the
/// latest with this process.
pub struct Machine {
    keeper: Child,
    pid: String,
    root: PathBuf,
    folder: TempDir,
}

impl Machine {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut keeper = Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "--",
                "unshare",
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
            ])
            .args(["sh", "-ec", BOOT, "sh"])
            .arg(folder.path())
            .arg(sandbox())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("piped")).read_line(&mut line).expect("its first line");
        assert_eq!(line.trim(), "up", "the machine did not start; these tests need root");
        let children = format!("/proc/{0}/task/{0}/children", keeper.id());
        let pid = fs::read_to_string(children).expect("children").trim().to_owned();
        let root = Path::new("/proc")
            .join(&pid)
            .join("root")
            .join(folder.path().join("root").strip_prefix("/").expect("an absolute path"));
        let machine = Self { keeper, pid, root, folder };
        fs::write(machine.path("/usr/bin/systemctl"), SYSTEMCTL).expect("systemctl");
        machine.sh("chmod 755 /usr/bin/systemctl");
        // Answers every question of apt with yes.
        fs::write(machine.path("/etc/apt/apt.conf.d/yes"), "APT::Get::Assume-Yes \"true\";\n")
            .expect("apt.conf");
        machine
    }

    /// The path here of a file of the machine.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A command of this machine, run in the network of `self`.
    pub fn beside(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", "nsenter", "--target", &self.pid, "--net", program]);
        command
    }

    /// Runs shell commands. `Ok` and `Err` say whether they succeeded, with their whole output.
    pub fn try_sh(&self, commands: &str) -> Result<String, String> {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.pid, "--mount", "--net", "--pid", "chroot"])
            .arg(self.mounted())
            .args(["env", "-i", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"])
            .args(["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-ec", commands])
            .stdin(Stdio::null());
        try_run(&mut command)
    }

    #[track_caller]
    pub fn sh(&self, commands: &str) -> String {
        self.try_sh(commands).unwrap_or_else(|said| panic!("{commands}\n{said}"))
    }

    /// Runs a command in Asterisk's CLI.
    #[track_caller]
    pub fn cli(&self, command: &str) -> String {
        self.sh(&format!("asterisk -rx '{command}' 2>/dev/null"))
    }

    /// Restarts Asterisk as an administrator does.
    pub fn restart(&self) {
        self.sh("systemctl restart asterisk");
    }

    pub fn stop(&self) {
        self.sh("systemctl stop asterisk");
    }

    pub fn asterisk_pid(&self) -> String {
        self.sh("cat /run/asterisk/asterisk.pid")
    }

    /// Copies a file into the machine. Returns its path there.
    pub fn put(&self, file: &Path) -> String {
        let name = file.file_name().expect("a file").to_string_lossy();
        fs::copy(file, self.path(&format!("/root/{name}"))).expect("copy");
        format!("/root/{name}")
    }

    #[track_caller]
    pub fn dpkg_install(&self, deb: &Path) -> String {
        let deb = self.put(deb);
        let said = self.sh(&format!("dpkg -i {deb}"));
        self.sh(&format!("rm {deb}"));
        said
    }

    /// A command of this machine that works on the files of `self`, below [`Self::mounted`]. It runs in the mount
    /// namespace of `self`, whose mounts are not visible here.
    pub fn where_mounted(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--mount"]).arg(program);
        command
    }

    /// The root folder, for [`Self::where_mounted`].
    pub fn mounted(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// Runs `make install` or `make uninstall` for this machine.
    pub fn try_make(&self, script: &str) -> Result<String, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(script);
        try_run(self.where_mounted(script).env("DPKG_ROOT", self.mounted()))
    }

    #[track_caller]
    pub fn make(&self, script: &str) -> String {
        self.try_make(script).unwrap_or_else(|said| panic!("{said}"))
    }

    /// The path of a module in the machine.
    pub fn module_path(&self, name: &str) -> String {
        let lib = self.sh("dirname $(dirname $(dirname /usr/lib/*/asterisk/modules/res_http_websocket.so))");
        format!("{}/{MODULES}/{name}", lib.trim())
    }

    pub fn read_module(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(&self.module_path(name))).expect(name)
    }

    /// The files in Asterisk's module folder whose names contain that of our module.
    pub fn module_files(&self) -> Vec<String> {
        self.sh("cd /usr/lib/*/asterisk/modules; ls | grep chan_websocket")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Every file with its checksum, except files in which Asterisk and dpkg record their own state.
    pub fn files(&self) -> String {
        self.sh("find /usr /etc /opt /var -xdev ! -type d ! -path '/var/lib/dpkg/*' ! -path '/var/log/*' \
             ! -path '/var/lib/asterisk/*' ! -path '/var/spool/asterisk/*' ! -path '/var/cache/*' \
             ! -path '/var/lib/apt/*' ! -path '/etc/asterisk/*' -newer /etc/debian_version | sort; \
             find / -xdev \\( -path /proc -o -path /dev -o -path /srv -o -path /root \\) -prune -o \
             \\( -path '*chan?websocket*' -o -path '*chan-websocket*' \\) -print | sort; \
             cksum /usr/lib/*/asterisk/modules/chan_websocket*")
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// The sandbox's root folder (scripts/sandbox).
fn sandbox() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/sandbox");
    PathBuf::from(run(Command::new(script).arg("path")).trim())
}

/// Runs a command, which has to succeed. Returns its output.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until a condition is true.
#[track_caller]
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The whole output of a command; `Ok` and `Err` say whether it succeeded.
pub fn try_run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.success() { Ok(said) } else { Err(said) }
}
