/*
 * The parts that must be C: the module's registration, and fields of structures that the bindings do not know. The
 * registration's data lives in writable memory, because the loader writes the module's own pointer into it.
 */
#ifndef CHAN_WEBSOCKET_SHIM_H
#define CHAN_WEBSOCKET_SHIM_H

struct ast_bridge;
struct ast_bridge_channel;
struct ast_bridge_technology;
struct ast_channel;
struct ast_channel_blob;
struct ast_channel_snapshot;
struct ast_json;
struct ast_module;
struct ast_party_connected_line;
struct ast_sorcery_wizard;
struct ast_str;

/* Called by Asterisk's loader with its list of modules locked; implemented in src/asterisk/module.rs. */
int cw_module_load(void);
int cw_module_reload(void);
int cw_module_unload(void);

/* What the loader calls this module, for reference counts; NULL before it is registered. */
struct ast_module *cw_module_self(void);

/* A sorcery wizard's name, which lives as long as the wizard. Of its fields only this one is looked at. */
const char *cw_wizard_name(const struct ast_sorcery_wizard *wizard);

/* The bridge's technology, or NULL while it is being made. The bridge is locked, or its technology is being chosen. */
const struct ast_bridge_technology *cw_bridge_technology(const struct ast_bridge *bridge);

/* The two channels of a bridge that has exactly two; else 0. As above. */
int cw_bridge_pair(const struct ast_bridge *bridge, struct ast_bridge_channel **one, struct ast_bridge_channel **other);

/* The Asterisk channel, which stays as long as it is in the bridge. The bridge is locked, or as above. */
struct ast_channel *cw_bridge_channel_chan(const struct ast_bridge_channel *bridge_channel);

/* Whether frames that are written to the bridge reach this channel: it has joined, is not suspended and not leaving. The
 * bridge and the bridge channel are locked. */
int cw_bridge_channel_is_present(const struct ast_bridge_channel *bridge_channel);

/* Whether no frame waits for this channel's thread and it handles none. The bridge channel is locked. */
int cw_bridge_channel_is_idle(const struct ast_bridge_channel *bridge_channel);

/* Whether no frame waits for this channel's thread and it writes none to the channel; one that it has taken and not yet
 * begun to write does not count. The bridge channel is locked. */
int cw_bridge_channel_is_quiet(const struct ast_bridge_channel *bridge_channel);

/* Whether the bridge drops what the channel says. The bridge channel is locked. */
int cw_bridge_channel_is_muted(const struct ast_bridge_channel *bridge_channel);

/* Whether frames wait in the channel that are read before the driver's. The channel is locked. */
int cw_channel_has_queued_frames(struct ast_channel *channel);

/* Our technology's one note about a channel, false when it has joined. The bridge is locked. */
int cw_bridge_channel_note(const struct ast_bridge_channel *bridge_channel);
void cw_bridge_channel_set_note(struct ast_bridge_channel *bridge_channel, int note);

/* Makes the note false for all channels but this one. The bridge is locked. */
void cw_bridge_clear_notes(struct ast_bridge *bridge, const struct ast_bridge_channel *except);

/* Whether an operator keeps the technology from being chosen. It is registered. */
int cw_bridge_technology_is_suspended(const struct ast_bridge_technology *technology);

/* The stream of the channel that a frame of this stream of the bridge goes to; -1: none. The bridge channel is locked. */
int cw_bridge_channel_stream(const struct ast_bridge_channel *bridge_channel, int stream_num);
/* A bridge's unique id, which lives as long as the bridge. */
const char *cw_bridge_id(const struct ast_bridge *bridge);

/* Who is at the other end, NULL where that is not known; valid while the channel is locked. */
const char *cw_connected_name(const struct ast_party_connected_line *connected);
const char *cw_connected_number(const struct ast_party_connected_line *connected);

/* What a message about a channel holds; both live as long as the message. */
struct ast_channel_snapshot *cw_blob_snapshot(const struct ast_channel_blob *blob);
struct ast_json *cw_blob_json(const struct ast_channel_blob *blob);

/* A text of the core's, which lives as long as it. */
const char *cw_str_text(const struct ast_str *text);

/* What a text with ${...} comes to on a channel that the caller has not locked: a C string for cw_free, NULL if memory is
 * out. In C, because inline functions make the string that grows. */
char *cw_substitute(struct ast_channel *channel, const char *text);
void cw_free(char *text);

#endif
