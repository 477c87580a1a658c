//! The certificates of these tests, made once per run by the sandbox's `openssl`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use super::super::harness::sandbox;

/// The key and all certificates; see [`Files`].
pub static FILES: LazyLock<Files> = LazyLock::new(Files::make);

/// A folder inside the sandbox. All certificates share `key.pem`; the authorities have separate keys.
#[derive(Debug)]
pub struct Files {
    folder: PathBuf,
    inside: String,
}

/// Leaf certificates: file, common name, subject alternative names.
const LEAVES: &[(&str, &str, &str)] = &[
    ("plain", "app.test", "DNS:app.test"),
    ("common_name", "app.test", ""),
    ("other", "other.test", "DNS:other.test"),
    ("wildcard", "star", "DNS:*.wild.test"),
    ("besides_names", "app.test", "DNS:other.test"),
    ("address", "app", "IP:127.0.0.1,IP:::1"),
    ("address_as_name", "127.0.0.1", ""),
    ("client", "asterisk", ""),
];

impl Files {
    /// The path of a file as Asterisk and nginx see it.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.inside)
    }

    fn make() -> Self {
        let (folder, inside) = sandbox::instance_folder();
        let files = Self { folder, inside };
        for key in ["root.key", "middle.key", "key.pem"] {
            files.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {key}"));
        }
        let authority = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
        files.openssl(&format!(
            "req -x509 -new -key root.key -subj /CN=Root {authority} -days 2 -out root.crt"
        ));
        files.openssl(&format!(
            "req -x509 -new -CA root.crt -CAkey root.key -key middle.key -subj /CN=Middle {authority} -days 2 \
             -out middle.crt"
        ));
        for (name, common_name, names) in LEAVES {
            files.leaf(name, "root", common_name, names, "-days 2");
        }
        let past = "-not_before 20200101000000Z -not_after 20200201000000Z";
        files.leaf("expired", "root", "app.test", "DNS:app.test", past);
        let future = "-not_before 21200101000000Z -not_after 21200201000000Z";
        files.leaf("not_yet", "root", "app.test", "DNS:app.test", future);
        files.leaf("unchained", "middle", "app.test", "DNS:app.test", "-days 2");
        files.join("chained", &["unchained.crt", "middle.crt"]);
        files.openssl(
            "req -x509 -new -key key.pem -subj /CN=app.test -addext subjectAltName=DNS:app.test -days 2 \
             -out self_signed.crt",
        );
        files.join("client_with_key", &["client.crt", "key.pem"]);
        files.join("address_with_key", &["address.crt", "key.pem"]);
        // A folder of authorities in the form that ca_list_path needs.
        fs::create_dir(files.folder.join("authorities")).expect("folder");
        fs::copy(files.folder.join("root.crt"), files.folder.join("authorities/root.pem")).expect("copy");
        files.openssl("rehash authorities");
        fs::write(files.folder.join("no_certificate.crt"), "nothing to see here\n").expect("file");
        files
    }

    fn leaf(&self, name: &str, issuer: &str, common_name: &str, names: &str, validity: &str) {
        let names = if names.is_empty() { String::new() } else { format!("-addext subjectAltName={names}") };
        self.openssl(&format!(
            "req -x509 -new -CA {issuer}.crt -CAkey {issuer}.key -key key.pem -subj /CN={common_name} {names} \
             -addext basicConstraints=CA:FALSE {validity} -out {name}.crt"
        ));
    }

    fn join(&self, name: &str, parts: &[&str]) {
        let read = |part: &&str| fs::read_to_string(self.folder.join(part)).expect("certificate");
        let all: String = parts.iter().map(read).collect();
        fs::write(self.folder.join(format!("{name}.crt")), all).expect("certificate");
    }

    /// Runs `openssl` in the folder. Returns its output.
    pub fn openssl(&self, arguments: &str) -> String {
        let output = Command::new("chroot")
            .arg(sandbox::root())
            .args(["sh", "-ec", r#"cd "$1"; shift; exec openssl "$@""#, "sh", &self.inside])
            .args(arguments.split_whitespace())
            .output()
            .expect("chroot");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}
