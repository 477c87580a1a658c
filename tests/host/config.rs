//! chan_websocket.conf, and what a reload does.

use super::harness::{Context, Format, Suite};

pub fn tests(suite: &mut Suite) {
    suite.same("config/formats", formats).private();
    suite.same("config/reload", reload).private();
    suite.differs("config/bad_value", "23", bad_value).private();
    suite.same("config/unknown_option", unknown_option).private();
}

/// Files, and the format of a call that does not choose one.
const FORMATS: [(&str, &str, Format); 6] = [
    ("empty", "", Format::PlainText),
    ("json", "[global]\ntype = global\ncontrol_message_format = json\n", Format::Json),
    ("json_without_type", "[global]\ncontrol_message_format = json\n", Format::Json),
    ("capitals", "[global]\ncontrol_message_format = JSON\n", Format::Json),
    ("plain_text", "[global]\ntype = global\ncontrol_message_format = plain-text\n", Format::PlainText),
    ("another_section", "[other]\ncontrol_message_format = json\n", Format::PlainText),
];

fn format_of_a_call(t: &Context, options: &str) -> Format {
    t.incoming(&format!("c(ulaw){options}")).connect().expect_media_start().format()
}

fn formats(t: &Context) {
    t.allow_log("chan_websocket.conf");
    for (name, text, format) in FORMATS {
        t.asterisk.unload_driver();
        t.asterisk.write_config("chan_websocket.conf", text);
        t.asterisk.driver("load");
        assert_eq!(format_of_a_call(t, ""), format, "{name}");
        // A call may choose its own format.
        assert_eq!(format_of_a_call(t, "f(json)"), Format::Json);
        assert_eq!(format_of_a_call(t, "f(plain-text)"), Format::PlainText);
        assert_eq!(format_of_a_call(t, "f(JSON)"), Format::Json);
    }
}

/// A reload affects new calls.
fn reload(t: &Context) {
    let (_call, app) = t.incoming_app("c(ulaw)");
    t.asterisk
        .write_config("chan_websocket.conf", "[global]\ntype = global\ncontrol_message_format = json\n");
    assert_eq!(format_of_a_call(t, ""), Format::PlainText);
    t.asterisk.driver("reload");
    assert_eq!(format_of_a_call(t, ""), Format::Json);
    app.command("GET_STATUS");
    assert_eq!(app.expect_event("STATUS").format(), Format::PlainText);
    // Reloading an unchanged file changes nothing.
    t.asterisk.driver("reload");
    assert_eq!(format_of_a_call(t, ""), Format::Json);
    t.asterisk.write_config(
        "chan_websocket.conf",
        "[global]\ntype = global\ncontrol_message_format = plain-text\n",
    );
    t.asterisk.driver("reload");
    assert_eq!(format_of_a_call(t, ""), Format::PlainText);
}

/// A bad value is refused with a message that helps to correct it, and the last good value stays.
fn bad_value(t: &Context) {
    t.asterisk.log.allow("control_message_format");
    t.asterisk.log.allow("control_mesage_format");
    t.asterisk.log.allow("chan_websocket.conf");
    t.asterisk
        .write_config("chan_websocket.conf", "[global]\ntype = global\ncontrol_message_format = json\n");
    t.asterisk.driver("reload");
    t.asterisk.write_config("chan_websocket.conf", "[global]\ntype = global\ncontrol_message_format = xml\n");
    t.asterisk.driver("reload");
    let option = t.either("control_mesage_format", "control_message_format");
    t.wait_log(&["ERROR", "chan_websocket.conf", option, "xml", "plain-text", "json"]);
    assert_eq!(format_of_a_call(t, ""), Format::Json);

    // At start there is no last good value: the default is used, and calls can be made.
    let mark = t.asterisk.log.len();
    t.asterisk.unload_driver();
    t.asterisk.driver("load");
    t.asterisk.log.wait_since(mark, &["ERROR", "chan_websocket.conf", option, "xml"]);
    assert_eq!(format_of_a_call(t, ""), Format::PlainText);
}

/// A section with an unknown option is refused as a whole, with an error; the module loads.
fn unknown_option(t: &Context) {
    t.asterisk.log.allow("no_such_option");
    t.asterisk.log.allow("chan_websocket.conf");
    t.asterisk.log.allow("global");
    t.asterisk.unload_driver();
    let text = "[global]\ntype = global\ncontrol_message_format = json\nno_such_option = yes\n";
    t.asterisk.write_config("chan_websocket.conf", text);
    t.asterisk.driver("load");
    t.wait_log(&["ERROR", "no_such_option"]);
    assert_eq!(format_of_a_call(t, ""), Format::PlainText);
}
