/*
 * Registers the module with Asterisk's loader when the shared object is opened, and takes it back when it is closed.
 *
 * The build option sum stays empty: one binary serves every supported Asterisk, and cw_module_load() checks the
 * version and the options that matter (see src/asterisk/module.rs).
 */
#define AST_MODULE "chan_websocket"
#define AST_MODULE_SELF_SYM cw_module_self

#include <asterisk.h>

#include <stddef.h>

#include <asterisk/bridge.h>
#include <asterisk/channel.h>
#include <asterisk/cli.h>
#include <asterisk/frame.h>
#include <asterisk/http.h>
#include <asterisk/module.h>
#include <asterisk/pbx.h>
#include <asterisk/sorcery.h>
#include <asterisk/stasis.h>
#include <asterisk/stasis_channels.h>
#include <asterisk/strings.h>
#include <asterisk/tcptls.h>

#include "shim.h"

/* The layouts that the bindings rely on; they are the same in every supported Asterisk on a 64-bit machine. */
#define LAYOUT(cond) _Static_assert(cond, "this Asterisk lays " #cond " out differently: not a supported version")
LAYOUT(sizeof(struct ast_module_info) == 160);
LAYOUT(sizeof(struct ast_channel_tech) == 288);
LAYOUT(sizeof(struct ast_frame) == 136);
LAYOUT(sizeof(struct ast_http_uri) == 64);
LAYOUT(sizeof(struct ast_variable) == 72);
LAYOUT(sizeof(struct ast_cli_entry) == 200);
LAYOUT(sizeof(struct ast_cli_args) == 40);
LAYOUT(sizeof(struct ast_assigned_ids) == 16);
LAYOUT(sizeof(struct ast_tcptls_session_instance) == 176);
LAYOUT(offsetof(struct ast_tcptls_session_instance, remote_address) == 8);
LAYOUT(offsetof(struct ast_tcptls_session_instance, stream) == 160);
LAYOUT(sizeof(struct ast_sockaddr) == 136);
LAYOUT(offsetof(struct ast_variable, name) == 0);
LAYOUT(offsetof(struct ast_variable, value) == 8);
LAYOUT(offsetof(struct ast_variable, next) == 16);
LAYOUT(offsetof(struct ast_sorcery_wizard, name) == 0);
LAYOUT(sizeof(struct stasis_message_vtable) == 24);
LAYOUT(sizeof(struct ast_channel_blob) == 16);
LAYOUT(offsetof(struct ast_channel_blob, blob) == 8);
LAYOUT(offsetof(struct ast_bridge, uniqueid) == 200);
LAYOUT(sizeof(struct ast_party_name) == 24);
LAYOUT(offsetof(struct ast_party_id, number) == 24);
LAYOUT(sizeof(struct ast_party_number) == 24);
LAYOUT(offsetof(struct ast_party_connected_line, id) == 0);

_Static_assert(AST_FLAG_DISABLE_DEVSTATE_CACHE == 1 << 21, "see src/asterisk/channel.rs");
_Static_assert(AST_CHAN_TP_INTERNAL == 1 << 2, "see src/asterisk/channel.rs");

static enum ast_module_load_result load(void)
{
	return (enum ast_module_load_result) cw_module_load();
}

static struct ast_module_info module_info = {
	.name = AST_MODULE,
	.description = "Media over WebSocket channel driver (Rust)",
	.key = ASTERISK_GPL_KEY,
	.flags = AST_MODFLAG_LOAD_ORDER,
	.load = load,
	.reload = cw_module_reload,
	.unload = cw_module_unload,
	/* At start behind res_prometheus, which has the default priority; see src/asterisk/prometheus.rs. */
	.load_pri = AST_MODPRI_DEFAULT + 1,
	.requires = "http,res_websocket_client",
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
};

struct ast_module *cw_module_self(void)
{
	return module_info.self;
}

const char *cw_wizard_name(const struct ast_sorcery_wizard *wizard)
{
	return wizard->name;
}

const char *cw_bridge_id(const struct ast_bridge *bridge)
{
	return bridge->uniqueid;
}

const char *cw_connected_name(const struct ast_party_connected_line *connected)
{
	return connected->id.name.valid ? connected->id.name.str : NULL;
}

const char *cw_connected_number(const struct ast_party_connected_line *connected)
{
	return connected->id.number.valid ? connected->id.number.str : NULL;
}

struct ast_channel_snapshot *cw_blob_snapshot(const struct ast_channel_blob *blob)
{
	return blob->snapshot;
}

struct ast_json *cw_blob_json(const struct ast_channel_blob *blob)
{
	return blob->blob;
}

const char *cw_str_text(const struct ast_str *text)
{
	return ast_str_buffer(text);
}

char *cw_substitute(struct ast_channel *channel, const char *text)
{
	struct ast_str *value = ast_str_create(64);
	char *copy;

	if (!value) {
		return NULL;
	}
	ast_str_substitute_variables(&value, 0, channel, text);
	copy = ast_strdup(ast_str_buffer(value));
	ast_free(value);
	return copy;
}

void cw_free(char *text)
{
	ast_free(text);
}

static void __attribute__((constructor)) register_module(void)
{
	ast_module_register(&module_info);
}

static void __attribute__((destructor)) unregister_module(void)
{
	ast_module_unregister(&module_info);
}
