//! Builds the C shim, and the bindings to the Asterisk whose headers are found. Without the feature `module` it does
//! nothing.

// A build script reports errors by panicking.
#![allow(clippy::panic)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "module")]
    module::build();
}

#[cfg(feature = "module")]
mod build_name;

#[cfg(feature = "module")]
mod module {
    use std::env;
    use std::path::{Path, PathBuf};

    use super::build_name;

    pub(crate) fn build() {
        println!("cargo::rerun-if-changed=include");
        println!("cargo::rerun-if-env-changed=ASTERISK_INCLUDE_DIR");
        let headers = header_dir();
        println!("cargo::rerun-if-changed={}", headers.join("asterisk.h").display());
        bindings(&headers);
        shim(&headers);
        // Rust's thread-local destructors would pin the library and let it be unmapped later, while its code runs. With
        // nodelete it is never unmapped, so `module unload` and `module load` are safe any number of times.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        // Debuggers find the symbols of a build by its id, which not every linker writes by default.
        println!("cargo::rustc-cdylib-link-arg=-Wl,--build-id=sha1");
        // Asterisk itself resolves the ast_* symbols; the link only needs the library's name.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,chan_websocket.so");
        name_build();
    }

    /// `ASTERISK_INCLUDE_DIR`, or the machine's headers, or those fetched into asterisk-headers/.
    fn header_dir() -> PathBuf {
        if let Some(dir) = env::var_os("ASTERISK_INCLUDE_DIR") {
            let dir = PathBuf::from(dir);
            assert!(
                dir.join("asterisk.h").is_file(),
                "ASTERISK_INCLUDE_DIR is {}, but there is no asterisk.h in it",
                dir.display()
            );
            return dir;
        }
        let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
        let places = [
            PathBuf::from("/usr/include"),
            PathBuf::from("/usr/local/include"),
            manifest.join("asterisk-headers/include"),
        ];
        places.iter().find(|dir| dir.join("asterisk.h").is_file()).cloned().unwrap_or_else(|| {
            panic!(
                "no Asterisk headers: install asterisk-dev, set ASTERISK_INCLUDE_DIR, or run `make headers` (looked in {places:?})"
            )
        })
    }

    fn bindings(headers: &Path) {
        let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
        let mut builder = bindgen::Builder::default()
            .header("include/wrapper.h")
            .clang_arg(format!("-I{}", headers.display()))
            .clang_arg("-Iinclude")
            .clang_arg("-fblocks")
            .clang_arg("-D_GNU_SOURCE")
            .layout_tests(true)
            .derive_debug(false)
            .default_enum_style(bindgen::EnumVariation::ModuleConsts)
            .prepend_enum_name(false)
            .generate_comments(false)
            .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
        for name in FUNCTIONS {
            builder = builder.allowlist_function(name);
        }
        for name in TYPES {
            builder = builder.allowlist_type(name);
        }
        for name in VARS {
            builder = builder.allowlist_var(name);
        }
        for name in OPAQUE {
            builder = builder.opaque_type(name);
        }
        // Not even its size is the same in all versions, so only the shim uses its fields.
        builder = builder.opaque_type("ast_bridge").blocklist_type("ast_bridge(__bindgen_ty_.*)?").raw_line(
            "#[repr(C)]\n#[derive(Copy, Clone)]\npub struct ast_bridge {\n    _unused: [u8; 0],\n}",
        );
        let bindings = builder.generate().unwrap_or_else(|error| panic!("bindgen: {error}"));
        bindings.write_to_file(&out).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
    }

    fn shim(headers: &Path) {
        cc::Build::new()
            .file("include/shim.c")
            .include("include")
            .include(headers)
            .define("_GNU_SOURCE", None)
            .flag("-std=gnu11")
            .flag("-Wno-old-style-declaration")
            .flag("-Wno-ignored-qualifiers")
            .cargo_metadata(false)
            .compile("cw_shim");
        let out = env::var("OUT_DIR").unwrap_or_default();
        // Nothing refers to the shim's constructor: without whole-archive the linker drops it silently.
        println!("cargo::rustc-link-search=native={out}");
        println!("cargo::rustc-link-lib=static:+whole-archive=cw_shim");
    }

    fn name_build() {
        let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
        for file in build_name::watched(&root) {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
        println!("cargo::rustc-env=CHAN_WEBSOCKET_BUILD={}", build_name::of(&root, &version));
    }

    const FUNCTIONS: &[&str] = &[
        // module
        "ast_module_.*ref",
        "__ast_module_(ref|unref)",
        "cw_free",
        "cw_module_self",
        "cw_substitute",
        "cw_bridge_.*",
        "cw_channel_has_queued_frames",
        "cw_(wizard_name|connected_name|connected_number|blob_snapshot|blob_json|str_text)",
        "ast_get_version",
        "ast_get_build_opts",
        // log
        "ast_log",
        "ast_log_callid",
        "ast_debug_get_by_module",
        "__ast_verbose",
        // reference counting and locks
        "__ao2_ref",
        "__ao2_lock",
        "__ao2_trylock",
        "__ao2_unlock",
        "__ao2_callback",
        // channel
        "ast_channel_register",
        "ast_channel_unregister",
        "__ast_channel_alloc",
        "ast_channel_tech_set",
        "ast_channel_tech_pvt",
        "ast_channel_tech_pvt_set",
        "ast_channel_tech",
        "ast_channel_name",
        "ast_channel_uniqueid",
        "ast_channel_flags",
        "ast_channel_nativeformats_set",
        "ast_channel_set_readformat",
        "ast_channel_set_writeformat",
        "ast_channel_set_rawreadformat",
        "ast_channel_set_rawwriteformat",
        "ast_channel_set_fd",
        "ast_channel_fdno",
        "ast_channel_hangupcause_set",
        "ast_channel_hangupcause",
        "ast_channel_tech_hangupcause",
        "ast_channel_tech_hangupcause_set",
        "ast_channel_varshead",
        "ast_channel_callid",
        "ast_channel_release",
        "ast_channel_state",
        "ast_check_hangup",
        "ast_state2str",
        "ast_channel_bridge_peer",
        "ast_check_realtime",
        "ast_moh_start",
        "ast_moh_stop",
        "ast_channel_(rawwriteformat|rawreadformat|readtrans|fin|fin_set|has_hook_requiring_audio|generator|audiohooks|framehooks|fout|fout_set|connected|hold_state|topic|get_bridge)",
        "ast_framehook_list_contains_no_active_of_type",
        "__ast_bridge_technology_register",
        "ast_bridge_technology_unregister",
        "ast_queue_control",
        "ast_queue_frame",
        "ast_queue_hangup_with_cause",
        "pbx_builtin_setvar_helper",
        // formats
        "__ast_format_cache_get",
        "ast_format_cap_get_format",
        "__ast_format_cap_alloc",
        "__ast_format_cap_append",
        "ast_format_cap_append_by_type",
        "ast_format_get_(name|type|sample_rate|default_ms|minimum_ms|minimum_bytes)",
        "ast_format_cmp",
        "ast_codec_samples_count",
        "ast_format_cap_count",
        "ast_format_cache_get_slin_by_rate",
        "ast_translat(or_build_path|or_free_path|e|e_path_steps)",
        "ast_frame_free",
        // HTTP and streams
        "ast_http_uri_link",
        "ast_http_uri_unlink",
        "ast_http_error",
        "ast_http_body_discard",
        "ast_iostream_(close|get_fd|get_ssl|nonblock|read|write|set_exclusive_input|set_timeout_inactivity)",
        // configuration
        "ast_config_load2",
        "ast_realtime_is_mapping_defined",
        "ast_variable_retrieve",
        "ast_config_destroy",
        "ast_category_browse",
        "ast_variable_browse",
        "ast_variables_destroy",
        "ast_sorcery_retrieve_by_(id|fields)",
        "ast_sorcery_object_get_id",
        "ast_sorcery_retrieve_by_module_name",
        "ast_sorcery_objectset_create2",
        "ast_sorcery_get_wizard_mapping",
        "ast_sorcery_get_wizard_mapping_count",
        // access control and addresses
        "ast_append_acl",
        "ast_apply_acl",
        "ast_free_acl_list",
        "ast_sockaddr_stringify_fmt",
        "ast_acl_list_is_empty",
        "ast_named_acl_change_type",
        "ast_security_topic",
        "__stasis_subscribe_pool",
        "stasis_(message_type|subscription_accept_message_type|subscription_set_filter|unsubscribe_and_join)",
        "stasis_(unsubscribe|publish|message_data|message_timestamp|message_type_create)",
        "stasis_subscription_(change_type|final_message)",
        "ast_(channel_snapshot_type|bridge_snapshot_type|channel_blob_create|channel_snapshot_to_json)",
        // bridges and the dialplan
        "ast_bridge_(topic|peers_nolock|transfer_blind)",
        "ast_exists_extension",
        // strings, JSON
        "ast_uuid_generate_str",
        "ast_json_channel_vars",
        "ast_json_dump_string_format",
        "ast_json_free",
        "ast_json_unref",
        "ast_json_load_string",
        "ast_json_(ref|timeval|object_create|object_get|object_set|string_create|string_get)",
        "ast_cause2str",
        // CLI
        "__ast_cli_register_multiple",
        "ast_cli_unregister_multiple",
        "ast_cli",
        "__ast_strdup",
        "__ast_free",
        "__ast_str_helper2",
        // AMI, ARI
        "ast_manager_register2",
        "ast_manager_unregister",
        "astman_(append|get_header|send_error|send_listack|send_list_complete_start|send_list_complete_end)",
        "__ast_manager_event_multichan",
        "ast_(manager|webmanager)_check_enabled",
        "ast_multi_object_blob_single_channel_publish",
        "ast_multi_user_event_type",
        "ast_manager_build_channel_state_string",
        "ast_manager_event_blob_create",
    ];

    const TYPES: &[&str] = &[
        "ast_channel_tech",
        "ast_bridge_technology",
        "ast_frame",
        "ast_frame_type",
        "ast_http_uri",
        "ast_tcptls_session_instance",
        "ast_variable",
        "ast_cli_entry",
        "ast_cli_args",
        "ast_control_frame_type",
        "ast_http_method",
        "ast_module_load_result",
        "ast_channel_state",
        "ast_format_cmp_res",
        "ast_media_type",
        "ast_acl_sense",
        "ast_assigned_ids",
        "prometheus_callback",
        "search_flags",
        "ast_sorcery_retrieve_flags",
        "ast_transfer_result",
        "stasis_message_vtable",
        "stasis_message_type_result",
        "stasis_subscription_message_filter",
    ];

    const VARS: &[&str] = &[
        "ast_null_frame",
        "ast_config_AST_CONFIG_DIR",
        "ast_config_AST_CONFIG_FILE",
        "option_debug",
        "ast_options",
        "AST_CAUSE_.*",
        "AST_FLAG_.*",
        "AST_EXTENDED_FDS",
        "AST_FRIENDLY_OFFSET",
        "AST_UUID_STR_LEN",
        "AST_SOCKADDR_STR_.*",
        "EVENT_FLAG_.*",
    ];

    /// Types that are only handled by pointer. tests/versions.rs checks those whose fields are known here.
    const OPAQUE: &[&str] = &[
        "ast_acl_list",
        "varshead",
        "ast_tcptls_session_args",
        "ast_sockaddr",
        "ast_json_error",
        "ast_sorcery_wizard",
        "message",
        "ast_str",
        "ast_trans_pvt",
        "ast_generator",
        "ast_bridge_channel.*",
        "ast_channel_blob",
        "ast_channel_snapshot",
        "ast_party_connected_line",
        "ast_manager_event_blob",
        "stasis_message_sanitizer",
        "transfer_channel_data",
    ];
}
