//! Headers, a token and a URI of values, in front of the example applications: nginx admits only requests that have
//! them right.

use super::super::super::harness::{Context, Suite};
use super::super::daemon::{Daemon, nginx};
use super::super::scaling::AppServer;
use super::super::{dial_string, pki};
use super::{PROXY, WHY, with_functions};

pub fn tests(suite: &mut Suite) {
    for (language, script) in [("python", "examples/python/app.py"), ("node", "examples/node/app.js")] {
        for scheme in ["ws", "wss"] {
            for (way, by_proxy) in [("direct", false), ("proxy", true)] {
                suite
                    .ours(format!("connect/per_call/nginx/{language}/{scheme}/{way}"), WHY, move |t| {
                        let app = AppServer::start(script);
                        let (_daemon, ports) = gate(&app.address);
                        reaches(t, &app, scheme, ports[usize::from(scheme == "wss")], by_proxy);
                    })
                    .shares("per_call", with_functions);
            }
        }
        suite
            .ours(format!("connect/per_call/example/{language}"), WHY, move |t| {
                let app = AppServer::start(script);
                let port = app.address.rsplit(':').next().and_then(|port| port.parse().ok());
                reaches(t, &app, "ws", port.expect("a port"), false);
            })
            .shares("per_call", with_functions);
    }
}

/// nginx in front of a server, at a plain port and at one with TLS. It requires the token, and a header with the same
/// value as the path.
fn gate(server: &str) -> (Daemon, Vec<u16>) {
    let folder = pki::FILES.path("");
    nginx(2, |ports| {
        format!(
            "map \"$http_x_call|$uri\" $fits {{ default 0; \"~^(?<id>[^|]+)\\|/calls/\\k<id>$\" 1; }}\n\
             server {{\nlisten 127.0.0.1:{};\nlisten 127.0.0.1:{} ssl;\nssl_certificate {folder}plain.crt;\n\
             ssl_certificate_key {folder}key.pem;\nlocation / {{\n\
             if ($http_authorization != \"Bearer to.ken-4711==\") {{ return 401; }}\n\
             if ($fits = 0) {{ return 404; }}\nproxy_pass http://{server};\n}}\n}}\n",
            ports[0], ports[1]
        )
    })
}

/// The call is up, and the application has got MEDIA_START.
fn reaches(t: &Context, app: &AppServer, scheme: &str, port: u16, by_proxy: bool) {
    let ca = pki::FILES.path("root.crt");
    let elsewhere = [("uri", "ws://127.0.0.1:1/"), ("ca_list_file", &*ca), super::super::ONCE];
    let client = super::super::client(t, &elsewhere);
    let token = format!("etc/{client}.token");
    std::fs::write(t.asterisk.folder().join(&token), "to.ken-4711==\n").expect("token");
    let (token, proxy) = (t.asterisk.inside(&token), format!("127.0.0.1:{}", PROXY.1));
    let uri = format!("{scheme}://${{BOT_HOST}}:{port}/calls/${{UNIQUEID}}");
    let mut section = vec![
        ("header", "X-Call: ${UNIQUEID}"),
        ("bearer_token_file", &*token),
        ("uri", &*uri),
        ("uri_hosts", "app.test"),
    ];
    if by_proxy {
        section.push(("proxy_host", &proxy));
    }
    t.asterisk.add_connection(&client, &section);
    let call =
        t.call(&format!("{}f(json)", dial_string(&client))).variable("BOT_HOST", "app.test").originate();
    let start = app.program.wait_line("MEDIA_START");
    assert!(start.contains(&call.id), "{start}");
    call.wait_up();
}
