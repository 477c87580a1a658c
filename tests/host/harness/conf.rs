//! The modules and configuration files of an instance.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use super::asterisk::Module;
use super::sandbox::{self, Mounts};
use super::surroundings;

/// The dialplan of every instance. The call sets the variables `${…}`.
const DIALPLAN: &str = r"
[harness]
; A party that answers and stays.
exten => park,1,Answer()
 same => n,Wait(600)
; Plays back to the channel what it says.
exten => echo,1,Echo()
; Reads and throws away.
exten => wait,1,Wait(600)
; Is somewhere else until FIFO gives a byte, without looking at its channel.
exten => away,1,System(head -c 1 ${FIFO})
; A caller: dials DIAL and tells the ARI application APP how it went.
exten => dial,1,Dial(${DIAL},${DIAL_TIMEOUT},${DIAL_OPTIONS})
 same => n,Stasis(${APP},dialled,${DIALSTATUS},${HANGUPCAUSE})
 same => n,Hangup()
; Asks for a channel to DIAL without dialling it.
exten => available,1,ChanIsAvail(${DIAL})
 same => n,Stasis(${APP},available,${AVAILSTATUS},${AVAILCAUSECODE})
 same => n,Hangup()
exten => conference,1,ConfBridge(${ROOM},harness_bridge,harness_user)
exten => digits,1,SendDTMF(${DIGITS},50,50)
 same => n,Wait(600)
";

/// Files that Asterisk's core complains about when they are missing.
const QUIET: &[(&str, &str)] = &[
    ("acl.conf", ""),
    ("ccss.conf", "[general]\n"),
    ("cdr.conf", "[general]\nenable = no\n"),
    ("cel.conf", "[general]\nenable = no\n"),
    ("chan_websocket.conf", ""),
    (
        "confbridge.conf",
        "[general]\n[harness_bridge]\ntype = bridge\n[harness_user]\ntype = user\nquiet = yes\n",
    ),
    ("features.conf", "[general]\n[featuremap]\n[applicationmap]\n"),
    (
        "indications.conf",
        "[general]\ncountry = us\n[us]\ndescription = US\nringcadence = 2000,4000\n\
      dial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
    ),
    ("musiconhold.conf", "[general]\n"),
    ("stasis.conf", "[threadpool]\n"),
    ("udptl.conf", "[general]\n"),
    ("websocket_client.conf", ""),
];

/// The modules of Asterisk that the tests need, in an order in which they can be loaded.
const MODULES: &[&str] = &[
    "res_timing_timerfd",
    "res_sorcery_config",
    "res_http_websocket",
    "res_websocket_client",
    "pbx_config",
    "bridge_simple",
    "bridge_softmix",
    "bridge_holding",
    "app_confbridge",
    "app_chanisavail",
    "app_dial",
    "app_echo",
    "app_milliwatt",
    "app_playback",
    "app_senddtmf",
    "app_stasis",
    "app_stack",
    "app_system",
    "app_verbose",
    "app_channelredirect",
    "chan_bridge_media",
    "codec_ulaw",
    "codec_alaw",
    "codec_a_mu",
    "codec_resample",
    "format_gsm",
    "format_pcm",
    "format_sln",
    "func_channel",
    "func_hangupcause",
    "func_logic",
    "func_strings",
    "res_stasis",
    "res_stasis_answer",
    "res_stasis_playback",
    "res_stasis_recording",
    "res_stasis_snoop",
    "res_ari",
    "res_ari_model",
    "res_ari_applications",
    "res_ari_asterisk",
    "res_ari_bridges",
    "res_ari_channels",
    "res_ari_events",
    "res_clioriginate",
];

/// The module under test.
pub const DRIVER: &str = "chan_websocket";

/// How an instance differs from the usual one.
#[derive(Debug, Clone)]
pub struct InstanceConfig {
    modules: Vec<String>,
    files: BTreeMap<String, String>,
    /// Files for our module only.
    ours: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
    faults: bool,
    mounts: Mounts,
    autoload: bool,
    documented: bool,
    options: String,
    ami: bool,
    ari_channelvars: String,
    ami_channelvars: String,
    debug: u8,
    surrounded: bool,
    direct_bridge: bool,
    http_prefix: Option<String>,
    http_address: &'static str,
}

impl Default for InstanceConfig {
    fn default() -> Self {
        let modules = MODULES.iter().copied().chain([DRIVER]).map(str::to_owned).collect();
        let files = QUIET.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Self {
            modules,
            files,
            ours: BTreeMap::new(),
            environment: Vec::new(),
            faults: false,
            mounts: Mounts::default(),
            autoload: false,
            documented: false,
            options: String::new(),
            ami: false,
            ari_channelvars: String::new(),
            ami_channelvars: String::new(),
            debug: 0,
            surrounded: false,
            direct_bridge: true,
            http_prefix: None,
            http_address: "127.0.0.1",
        }
    }
}

impl InstanceConfig {
    /// The usual instance.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of asterisk.conf's `[options]`.
    pub fn option(mut self, line: &str) -> Self {
        self.options.push_str(line);
        self.options.push('\n');
        self
    }

    /// Loads one more of Debian's modules (name without `.so`).
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.to_owned());
        self
    }

    /// Leaves a module out.
    pub fn without(mut self, name: &str) -> Self {
        self.modules.retain(|module| module != name);
        self
    }

    /// Lets Asterisk find the modules in its folder, instead of naming them in modules.conf.
    pub fn autoload(mut self) -> Self {
        self.autoload = true;
        self
    }

    /// Installs our documentation for Asterisk's own help, for both modules.
    pub fn documented(mut self) -> Self {
        self.documented = true;
        self
    }

    /// Turns on AMI, with the users `all`, who has all permissions, and `calls`, who gets only the events of class
    /// call.
    pub fn ami(mut self) -> Self {
        self.ami = true;
        self
    }

    /// Adds these variables and functions of the channel to ARI's events (ari.conf's `channelvars`).
    pub fn ari_channelvars(mut self, names: &str) -> Self {
        self.ari_channelvars = channelvars(names);
        self
    }

    /// Turns on AMI, and adds these variables and functions of the channel to its events (manager.conf's
    /// `channelvars`).
    pub fn ami_channelvars(mut self, names: &str) -> Self {
        self.ami_channelvars = channelvars(names);
        self.ami()
    }

    /// Writes a configuration file.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Writes a configuration file for our module only, with options that the C module does not know.
    pub fn our_file(mut self, name: &str, text: &str) -> Self {
        self.ours.insert(name.to_owned(), text.to_owned());
        self
    }

    /// Sets an environment variable of the process.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uses the build of our module for tests of faults, and makes it panic once at this point (src/fault.rs).
    pub fn fault(mut self, point: &str) -> Self {
        self.faults = true;
        self.environment("CHAN_WEBSOCKET_FAULT", point)
    }

    /// Whether our module is the build for tests of faults.
    pub(super) fn has_faults(&self) -> bool {
        self.faults
    }

    /// Looks names up at this name server (UDP, port 53) instead of the machine's.
    pub fn resolver(mut self, server: IpAddr) -> Self {
        self.mounts.name_server = Some(server);
        self
    }

    /// Puts only Asterisk's log and its recordings on a disk of so many KiB.
    pub fn small_disk(mut self, kib: u32) -> Self {
        self.mounts.small_disk = Some(kib);
        self
    }

    /// Adds to the dialplan.
    pub fn dialplan(self, text: &str) -> Self {
        let all = format!("{}{text}\n", self.files.get("extensions.conf").map_or("", String::as_str));
        self.file("extensions.conf", &all)
    }

    /// Logs verbose messages, and debug messages up to this level.
    pub fn debug(mut self, level: u8) -> Self {
        self.debug = level;
        self
    }

    /// Leaves bridges to simple_bridge, unless the test's own configuration says otherwise.
    pub fn without_direct_bridge(mut self) -> Self {
        self.direct_bridge = false;
        self
    }

    pub(super) fn has_direct_bridge(&self) -> bool {
        self.direct_bridge
    }

    /// Turns on everything that makes the core call the driver at odd times: see [`super::surroundings`].
    pub(super) fn surrounded(mut self) -> Self {
        for (name, text) in surroundings::FILES {
            // The test's own file has precedence.
            let own = self.files.get(*name).is_some_and(|own| !QUIET.contains(&(*name, own)));
            if !own {
                self = self.file(name, text);
            }
        }
        for name in surroundings::MODULES {
            if !self.modules.iter().any(|module| module == name) {
                self = self.module(name);
            }
        }
        let (name, value) = surroundings::POISONED_MEMORY;
        self.surrounded = true;
        self.ami().environment(name, value)
    }

    pub(super) fn is_surrounded(&self) -> bool {
        self.surrounded
    }

    /// Sets http.conf's prefix.
    pub fn http_prefix(mut self, prefix: &str) -> Self {
        self.http_prefix = Some(prefix.to_owned());
        self
    }

    /// Has the HTTP and the HTTPS server listen on all addresses, not only on 127.0.0.1.
    pub fn http_everywhere(mut self) -> Self {
        self.http_address = "0.0.0.0";
        self
    }

    /// The beginning of all URIs of the HTTP server: empty, or a slash and the prefix.
    pub(super) fn http_root(&self) -> String {
        self.http_prefix.as_ref().map_or_else(String::new, |prefix| format!("/{prefix}"))
    }

    /// The modules in modules.conf, or in the folder with `autoload`.
    pub(super) fn modules(&self) -> &[String] {
        &self.modules
    }

    pub(super) fn has_ami(&self) -> bool {
        self.ami
    }

    pub(super) fn is_documented(&self) -> bool {
        self.documented
    }

    pub(super) fn is_autoload(&self) -> bool {
        self.autoload
    }

    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.environment
    }

    pub(super) fn mounts(&self) -> Mounts {
        self.mounts
    }

    /// All configuration files, for an instance whose folder is `home` as Asterisk sees it.
    pub(super) fn render(
        &self,
        module: Module,
        home: &str,
        modules: &str,
        http: u16,
        https: u16,
        ami: Option<u16>,
    ) -> BTreeMap<String, String> {
        let mut files = self.files.clone();
        if module == Module::Ours {
            files.extend(self.ours.clone());
            if self.direct_bridge {
                let own = files.remove("chan_websocket.conf").unwrap_or_default();
                let (section, option) = ("[global]\n", "direct_bridge = yes\n");
                let text = match own.split_once(section) {
                    Some((before, after)) => format!("{before}{section}{option}{after}"),
                    None => format!("{section}{option}{own}"),
                };
                files.insert("chan_websocket.conf".into(), text);
            }
        }
        let own = files.remove("extensions.conf").unwrap_or_default();
        files.insert("extensions.conf".into(), format!("{DIALPLAN}{own}"));
        files.insert("asterisk.conf".into(), self.asterisk_conf(home, modules));
        files.insert("modules.conf".into(), self.modules_conf());
        files.insert("logger.conf".into(), self.logger_conf());
        files.insert("http.conf".into(), self.http_conf(home, http, https));
        if let Some(port) = ami {
            files.insert("manager.conf".into(), manager_conf(port, &self.ami_channelvars));
        }
        files.insert("ari.conf".into(), ari_conf(&self.ari_channelvars));
        files
    }

    fn asterisk_conf(&self, home: &str, modules: &str) -> String {
        let verbose = if self.debug > 0 { 5 } else { 0 };
        let debug = if self.surrounded { self.debug.max(surroundings::DEBUG_LEVEL) } else { self.debug };
        let data = if self.documented { format!("{home}/data") } else { sandbox::data() };
        format!(
            "[directories]\nastetcdir => {home}/etc\nastmoddir => {modules}\nastvarlibdir => {home}/lib\n\
             astdbdir => {home}/lib\nastkeydir => {home}/lib\nastdatadir => {data}\n\
             astagidir => {home}/lib\nastspooldir => {home}/spool\nastrundir => {home}/run\n\
             astlogdir => {home}/log\nastsbindir => /usr/sbin\n\
             [options]\nverbose = {verbose}\ndebug = {debug}\nsystemname = harness\n{}",
            self.options
        )
    }

    fn modules_conf(&self) -> String {
        if self.autoload {
            return "[modules]\nautoload = yes\n".into();
        }
        let mut text = String::from("[modules]\nautoload = no\n");
        for module in &self.modules {
            let _ = writeln!(text, "load = {module}.so");
        }
        text
    }

    fn logger_conf(&self) -> String {
        let more = if self.debug > 0 { ",debug,dtmf" } else { "" };
        // The messages that the surroundings cause go to a separate file, which no test reads.
        let (limit, all) = if self.surrounded {
            ("logger_queue_limit = 1000000\n", "debug = debug,dtmf,verbose\n")
        } else {
            ("", "")
        };
        format!(
            "[general]\ndateformat = %F %T.%3q\n{limit}[logfiles]\nfull = notice,warning,error,verbose{more}\n{all}"
        )
    }

    fn http_conf(&self, home: &str, http: u16, https: u16) -> String {
        let prefix =
            self.http_prefix.as_ref().map_or_else(String::new, |prefix| format!("prefix = {prefix}\n"));
        format!(
            "[general]\nenabled = yes\nbindaddr = {}\nbindport = {http}\nsessionlimit = 1000\n{prefix}\
             tlsenable = yes\ntlsbindaddr = {}:{https}\ntlscertfile = {home}/etc/server.crt\n\
             tlsprivatekey = {home}/etc/server.key\n",
            self.http_address, self.http_address
        )
    }
}

/// The option of ari.conf and manager.conf that reports these variables and functions of channels.
pub(super) fn channelvars(names: &str) -> String {
    format!("channelvars = {names}\n")
}

fn ari_conf(channelvars: &str) -> String {
    format!("[general]\nenabled = yes\n{channelvars}[harness]\ntype = user\npassword = harness\n")
}

fn manager_conf(port: u16, channelvars: &str) -> String {
    let user = |name: &str, read: &str, write: &str| {
        format!("[{name}]\nsecret = {name}\nread = {read}\nwrite = {write}\nwritetimeout = 5000\n")
    };
    format!(
        "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {port}\ndisplayconnects = no\n{channelvars}{}{}",
        user("all", "all", "all"),
        user("calls", "call", "call"),
    )
}
