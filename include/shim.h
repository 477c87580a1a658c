/*
 * The parts that must be C: the module's registration, and fields of structures that the bindings do not know. The
 * registration's data lives in writable memory, for the loader writes the module's own pointer into it.
 */
#ifndef CHAN_WEBSOCKET_SHIM_H
#define CHAN_WEBSOCKET_SHIM_H

struct ast_channel;
struct ast_module;
struct ast_sorcery_wizard;

/* Called by Asterisk's loader with its list of modules locked; implemented in src/asterisk/module.rs. */
int cw_module_load(void);
int cw_module_reload(void);
int cw_module_unload(void);

/* What the loader calls this module, for reference counts; NULL before it is registered. */
struct ast_module *cw_module_self(void);

/* A sorcery wizard's name, which lives as long as the wizard. Of its fields only this one is looked at. */
const char *cw_wizard_name(const struct ast_sorcery_wizard *wizard);

/* What a text with ${...} comes to on a channel that the caller has not locked: a C string for cw_free, NULL if memory is
 * out. In C, for the string that grows is made by inline functions. */
char *cw_substitute(struct ast_channel *channel, const char *text);
void cw_free(char *text);

#endif
