//! Tables: which texts are accepted, the result for each, and which are refused.

use super::hosts::Host;
use super::*;

/// Values by the name between `${` and `}`.
fn evaluator(values: &[(&'static str, &'static [u8])]) -> impl FnMut(&str) -> Vec<u8> {
    let values = values.to_vec();
    move |expression| {
        let name = expression.strip_prefix("${").and_then(|text| text.strip_suffix('}')).unwrap();
        values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_vec()).unwrap_or_default()
    }
}

#[test]
fn expressions_end_where_asterisk_has_them_end() {
    let values: &[(&str, &[u8])] = &[("A", b"1"), ("F(${A})", b"2"), ("IF($[{x}]?a:b)", b"3"), ("", b"4")];
    for (text, filled) in [
        ("", Some("")),
        ("plain $A $[1+1] }", Some("plain $A $[1+1] }")),
        ("${A}", Some("1")),
        ("a${A}${F(${A})}b", Some("a12b")),
        ("${IF($[{x}]?a:b)}", Some("3")),
        ("${}", Some("4")),
        ("${UNSET}.", Some(".")),
        ("${A", None),
        ("${A}${F(${A})", None),
    ] {
        let template = Template::parse(text);
        let result = template.map(|template| template.fill(&mut evaluator(values)));
        assert_eq!(result.as_deref(), filled.map(str::as_bytes), "{text}");
    }
}

#[test]
fn which_headers_can_be_sent() {
    for (text, fits) in [
        ("X-Call: 1", true),
        ("x-empty:", true),
        ("X-Value: ${A} and ${B}", true),
        ("Origin: https://a.example", true),
        ("X-8-bit: Grüße", true),
        ("no colon", false),
        (": no name", false),
        ("two words: x", false),
        ("X-Call : x", false),
        ("X-Call: a\tb", false),
        ("X-Open: ${A", false),
        ("X-Not-Utf8: \u{fffd}", false),
        ("Host: x", false),
        ("upgrade: x", false),
        ("Connection: x", false),
        ("Sec-WebSocket-Protocol: x", false),
        ("sec-anything: x", false),
        ("AUTHORIZATION: Bearer x", false),
        ("Proxy-Authorization: x", false),
        ("Content-Length: 5", false),
        ("Transfer-Encoding: chunked", false),
    ] {
        assert_eq!(HeaderTemplate::parse(text).is_some(), fits, "{text}");
    }
}

#[test]
fn a_headers_value_is_sent_as_it_is_or_not_at_all() {
    let header = HeaderTemplate::parse("X-Caller:  <${NAME}> ").unwrap();
    for (value, filled) in [
        (&b""[..], Some(&b"<>"[..])),
        (b"\"Joe\", \\ %00", Some(b"<\"Joe\", \\ %00>")),
        (b"Gr\xfc\xdfe \x80", Some(b"<Gr\xfc\xdfe \x80>")),
        (b"a\r\nX-Admin: yes", None),
        (b"a\nb", None),
        (b"a\rb", None),
        (b"\0", None),
        (b"\x7f", None),
        (b"\t", None),
    ] {
        let result = header.fill(&mut |_| value.to_vec());
        assert!(result.as_ref().is_ok_and(|header| Some(&header.value[..]) == filled) || filled.is_none());
        if filled.is_none() {
            let error = result.unwrap_err();
            assert_eq!(
                error.to_string(),
                "the value of header X-Caller has a control character",
                "{value:?}"
            );
        }
    }
    let filled = header.fill(&mut |_| b"secret".to_vec()).unwrap();
    assert_eq!(format!("{filled:?}{header:?}").matches("secret").count(), 0);
}

#[test]
fn what_a_token_is() {
    for (text, fits) in [
        ("abc.DEF-123_~+/==", true),
        ("", false),
        ("=", false),
        ("a b", false),
        ("a=b", false),
        ("${TOKEN}", false),
        ("a\r\nb", false),
    ] {
        assert_eq!(parse_token(text).is_some(), fits, "{text:?}");
    }
    assert_eq!(format!("{:?}", Bearer::Token(parse_token("abc").unwrap())), "Token(***)");
}

#[test]
fn a_file_has_a_token_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let missing = read_token(&file).unwrap_err();
    assert!(missing.starts_with("bearer_token_file /") && missing.contains("No such file"), "{missing}");
    std::fs::write(&file, " abc==\r\n").unwrap();
    assert_eq!(read_token(&file).unwrap().0, "abc==");
    for wrong in ["", "two words", "a\nb"] {
        std::fs::write(&file, wrong).unwrap();
        let error = read_token(&file).unwrap_err();
        assert!(error.contains("does not have a token of RFC 6750") && !error.contains("words"), "{error}");
    }
    assert!(read_token(&folder.path().to_owned()).unwrap_err().contains("not a regular file"));
}

#[test]
fn hosts_are_what_a_resolver_takes_them_for() {
    for (text, host) in [
        ("App.Example.com.", Some("app.example.com")),
        ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
        ("a_b", Some("a_b")),
        ("10.0.0.1", Some("10.0.0.1")),
        ("167772161", Some("10.0.0.1")),
        ("10.1", Some("10.0.0.1")),
        ("10.0.1", Some("10.0.0.1")),
        ("0xa.0.0.01", Some("10.0.0.1")),
        ("0x0A000001", Some("10.0.0.1")),
        ("012.0.0.1.", Some("10.0.0.1")),
        ("[::1]", Some("[::1]")),
        ("[::ffff:10.0.0.1]", Some("10.0.0.1")),
        ("[0:0::ffff:a00:1]", Some("10.0.0.1")),
        ("", None),
        (".", None),
        ("a..b", None),
        (".a", None),
        ("a..", None),
        ("a b", None),
        ("a@b", None),
        ("a:80", None),
        ("bücher.example", None),
        ("1.2.3.256", None),
        ("1.2.3.4.5", None),
        ("4294967296", None),
        ("a.08", None),
        ("a.0x1", None),
        ("[::1%25lo]", None),
        ("[10.0.0.1]", None),
        ("::1", None),
    ] {
        assert_eq!(Host::parse(text).map(|host| host.to_string()).as_deref(), host, "{text:?}");
    }
}

#[test]
fn which_hosts_are_permitted() {
    let hosts =
        Hosts::parse("one.example., *.Bots.example,10.0.0.0/8, 2001:db8::/32, [::1], ::ffff:192.0.2.0/120");
    let hosts = hosts.unwrap();
    for (text, permitted) in [
        ("one.example", true),
        ("ONE.example.", true),
        ("a.one.example", false),
        ("bots.example", false),
        ("a.bots.example", true),
        ("a.b.bots.example", true),
        ("evilbots.example", false),
        ("bots.example.evil.example", false),
        ("10.255.0.1", true),
        ("11.0.0.1", false),
        ("[::ffff:10.0.0.1]", true),
        ("[::ffff:11.0.0.1]", false),
        ("167772161", true),
        ("184549377", false),
        ("192.0.2.7", true),
        ("192.0.3.7", false),
        ("[2001:db8::5]", true),
        ("[2001:db9::5]", false),
        ("[::1]", true),
        ("[::2]", false),
    ] {
        assert_eq!(hosts.permits(&Host::parse(text).unwrap()), permitted, "{text}");
    }
    for wrong in ["", "a,,b", "*", "*.", "a*.b", "*.10.0.0.1", "10.0.0.0/33", "a:80", "ws://a", "a b"] {
        assert_eq!(Hosts::parse(wrong), None, "{wrong:?}");
    }
}

#[test]
fn which_uris_are_taken() {
    for (text, fits) in [
        ("ws://a/${X}", true),
        ("wss://${HOST}/", true),
        ("WSS://${HOST}.example:8443?x=${X}#${Y}", true),
        ("wss://jim:hush@${HOST}/", true),
        ("wss://[::1]:80/${X}", true),
        ("wss://a", true),
        ("a/${X}", false),
        ("${X}", false),
        ("${SCHEME}://a/", false),
        ("http://a/${X}", false),
        ("ws:///${X}", false),
        ("ws://a:${PORT}/", false),
        ("ws://a:0/", false),
        ("ws://${USER}@a/", false),
        ("ws://${USER}:x@a/", false),
        ("ws://a/ b", false),
        ("ws://a/${X", false),
        ("ws://[${X}]/", false),
    ] {
        assert_eq!(UriTemplate::parse(text).is_some(), fits, "{text}");
        if let Some(template) = UriTemplate::parse(text) {
            assert_eq!(template.to_string(), text);
        }
    }
}

/// The text, a value for `${X}`, and the result.
type Filling = (&'static str, &'static [u8], Result<&'static str, &'static str>);

const NO_HOST: &str =
    "is no host: of ${…} in the uri's host may come letters, digits, '-' and '.', or one [IPv6 address]";

#[test]
fn a_value_stays_in_its_place() {
    let rows: &[Filling] = &[
        ("ws://a/c/${X}", b"1.2-3_~", Ok("ws://a/c/1.2-3_~")),
        (
            "ws://a/c/${X}?y=${X}&z",
            b"a/b?c#d&e=f g%\r\n\xfc\"",
            Ok(
                "ws://a/c/a%2Fb%3Fc%23d%26e%3Df%20g%25%0D%0A%FC%22?y=a%2Fb%3Fc%23d%26e%3Df%20g%25%0D%0A%FC%22&z",
            ),
        ),
        ("ws://a/c/${X}/d", b"", Ok("ws://a/c//d")),
        ("ws://a/c/${X}/d", b"..", Err("'..' for a value")),
        ("ws://a/c/.${X}", b".", Err("'..' for a value")),
        ("ws://a/c/%2e${X}?x", b".", Err("'..' for a value")),
        ("ws://a/c/${X}?x", b".", Err("'.' for a value")),
        ("ws://a/c/${X}", b"../..", Ok("ws://a/c/..%2F..")),
        ("ws://a/../${X}", b"x", Ok("ws://a/../x")),
        ("ws://a/b?c=${X}", b"..", Ok("ws://a/b?c=..")),
        ("wss://u:p@${X}:8443/c", b"b1.example", Ok("wss://u:p@b1.example:8443/c")),
        ("wss://${X}.example/c", b"b1", Ok("wss://b1.example/c")),
        ("wss://${X}/c", b"B1.EXAMPLE.", Ok("wss://b1.example/c")),
        ("wss://${X}/c", b"[::1]", Ok("wss://[::1]/c")),
        ("wss://${X}/c", b"2130706433", Ok("wss://127.0.0.1/c")),
        ("wss://${X}/c", b"[::ffff:127.0.0.1]", Ok("wss://127.0.0.1/c")),
        ("wss://${X}/c", b"", Err(NO_HOST)),
        ("wss://${X}/c", b"b1.example:80", Err(NO_HOST)),
        ("wss://${X}/c", b"b1.example@evil.example", Err(NO_HOST)),
        ("wss://${X}/c", b"evil.example/", Err(NO_HOST)),
        ("wss://${X}/c", b"evil.example#", Err(NO_HOST)),
        ("wss://${X}/c", b"b_1.example", Err(NO_HOST)),
        ("wss://${X}/c", "bücher.example".as_bytes(), Err(NO_HOST)),
        ("wss://${X}/c", b"b1.example\r\n", Err(NO_HOST)),
        ("wss://${X}.example/c", b"[::1]", Err(NO_HOST)),
        (
            "wss://${X}/c",
            b"evil.test",
            Err("the host 'evil.test' of the uri is not in uri_hosts (*.example, 127.0.0.0/8, ::1/128)"),
        ),
        ("wss://${X}/c", b"10.0.0.1", Err("the host '10.0.0.1' of the uri is not in uri_hosts")),
    ];
    for (text, value, result) in rows {
        let template = UriTemplate::parse(text).unwrap();
        let hosts = Hosts::parse("*.example, 127.0.0.0/8, ::1").unwrap();
        let hosts = template.has_expressions_in_host().then_some(&hosts);
        let filled = template.fill(hosts, &mut |_| value.to_vec());
        match (filled, result) {
            (Ok(uri), Ok(expected)) => assert_eq!(uri.0, *expected),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{text}: {error}"),
            (filled, _) => panic!("{text} with {value:?}: {filled:?}"),
        }
    }
}

#[test]
fn a_literal_host_is_looked_up_in_the_list_too() {
    let template = UriTemplate::parse("ws://evil.test/${X}").unwrap();
    let hosts = Hosts::parse("*.example").unwrap();
    let error = template.fill(Some(&hosts), &mut |_| Vec::new()).unwrap_err();
    assert!(error.to_string().contains("the host 'evil.test'"), "{error}");
}
