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
#include <asterisk/bridge_channel.h>
#include <asterisk/bridge_technology.h>
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
LAYOUT(sizeof(struct ast_bridge_technology) == 136);
/* ast_bridge grows at its end in some versions; we never make one. */
LAYOUT(offsetof(struct ast_bridge, technology) == 16);
LAYOUT(offsetof(struct ast_bridge, channels) == 48);
LAYOUT(offsetof(struct ast_bridge, num_channels) == 152);
LAYOUT(sizeof(struct ast_bridge_channel) == 336);
LAYOUT(offsetof(struct ast_bridge_channel, state) == 48);
LAYOUT(offsetof(struct ast_bridge_channel, chan) == 56);
LAYOUT(offsetof(struct ast_bridge_channel, tech_pvt) == 88);
/* Between these two stand the bits in_bridge, just_joined, suspended and others. */
LAYOUT(offsetof(struct ast_bridge_channel, thread) == 96);
LAYOUT(offsetof(struct ast_bridge_channel, features) == 112);
LAYOUT(offsetof(struct ast_bridge_channel, entry) == 168);
LAYOUT(offsetof(struct ast_bridge_channel, wr_queue) == 176);
LAYOUT(offsetof(struct ast_bridge_channel, activity) == 216);
LAYOUT(offsetof(struct ast_bridge_channel, stream_map) == 288);

_Static_assert(AST_FLAG_DISABLE_DEVSTATE_CACHE == 1 << 21, "see src/asterisk/channel.rs");
_Static_assert(AST_FLAG_ZOMBIE == 1 << 4, "see src/asterisk/bridge_technology/direct.rs");
_Static_assert((AST_FLAG_IN_DTMF | AST_FLAG_EMULATE_DTMF | AST_FLAG_DEFER_DTMF) == (1 << 12 | 1 << 13 | 1 << 1),
	"see src/asterisk/bridge_technology/player.rs");
_Static_assert(AST_OPT_FLAG_GENERIC_PLC == 1 << 30, "see src/asterisk/bridge_technology/direct.rs");
_Static_assert(DEBUGCHAN_FLAG == 0x80000000, "see src/asterisk/bridge_technology/direct.rs");
_Static_assert(AST_BRIDGE_CAPABILITY_NATIVE == 1 << 2, "see src/asterisk/bridge_technology/technology.rs");
_Static_assert(AST_BRIDGE_CAPABILITY_1TO1MIX == 1 << 3, "see src/asterisk/bridge_technology/technology.rs");
LAYOUT(sizeof(struct stasis_message_vtable) == 24);
LAYOUT(sizeof(struct ast_channel_blob) == 16);
LAYOUT(offsetof(struct ast_channel_blob, blob) == 8);
LAYOUT(offsetof(struct ast_bridge, uniqueid) == 200);
LAYOUT(sizeof(struct ast_party_name) == 24);
LAYOUT(offsetof(struct ast_party_id, number) == 24);
LAYOUT(sizeof(struct ast_party_number) == 24);
LAYOUT(offsetof(struct ast_party_connected_line, id) == 0);
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

const struct ast_bridge_technology *cw_bridge_technology(const struct ast_bridge *bridge)
{
	return bridge->technology;
}

int cw_bridge_pair(const struct ast_bridge *bridge, struct ast_bridge_channel **one, struct ast_bridge_channel **other)
{
	*one = AST_LIST_FIRST(&bridge->channels);
	*other = AST_LIST_LAST(&bridge->channels);
	return bridge->num_channels == 2 && *one && *other && *one != *other;
}

struct ast_channel *cw_bridge_channel_chan(const struct ast_bridge_channel *bridge_channel)
{
	return bridge_channel->chan;
}

int cw_bridge_channel_is_present(const struct ast_bridge_channel *bridge_channel)
{
	return bridge_channel->state == BRIDGE_CHANNEL_STATE_WAIT && bridge_channel->in_bridge
		&& !bridge_channel->just_joined && !bridge_channel->suspended;
}

int cw_bridge_channel_is_idle(const struct ast_bridge_channel *bridge_channel)
{
	return AST_LIST_EMPTY(&bridge_channel->wr_queue)
		&& bridge_channel->activity == BRIDGE_CHANNEL_THREAD_IDLE;
}

int cw_bridge_channel_is_quiet(const struct ast_bridge_channel *bridge_channel)
{
	return AST_LIST_EMPTY(&bridge_channel->wr_queue)
		&& bridge_channel->activity != BRIDGE_CHANNEL_THREAD_SIMPLE;
}

int cw_bridge_channel_is_muted(const struct ast_bridge_channel *bridge_channel)
{
	return bridge_channel->features->mute;
}

int cw_channel_has_queued_frames(struct ast_channel *channel)
{
	return !AST_LIST_EMPTY(ast_channel_readq(channel));
}

/* What the technology's private pointer is when the note is true. */
static char noted;

int cw_bridge_channel_note(const struct ast_bridge_channel *bridge_channel)
{
	return bridge_channel->tech_pvt == &noted;
}

void cw_bridge_channel_set_note(struct ast_bridge_channel *bridge_channel, int note)
{
	bridge_channel->tech_pvt = note ? &noted : NULL;
}

void cw_bridge_clear_notes(struct ast_bridge *bridge, const struct ast_bridge_channel *except)
{
	struct ast_bridge_channel *bridge_channel;

	AST_LIST_TRAVERSE(&bridge->channels, bridge_channel, entry) {
		if (bridge_channel != except) {
			cw_bridge_channel_set_note(bridge_channel, 0);
		}
	}
}

int cw_bridge_technology_is_suspended(const struct ast_bridge_technology *technology)
{
	return technology->suspended;
}

int cw_bridge_channel_stream(const struct ast_bridge_channel *bridge_channel, int stream_num)
{
	if (stream_num < 0 || stream_num >= (int) AST_VECTOR_SIZE(&bridge_channel->stream_map.to_channel)) {
		return -1;
	}
	return AST_VECTOR_GET(&bridge_channel->stream_map.to_channel, stream_num);
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
