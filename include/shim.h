/*
 * The part that must be C: the module's registration. Its data lives in writable memory, for the loader writes the
 * module's own pointer into it.
 */
#ifndef CHAN_WEBSOCKET_SHIM_H
#define CHAN_WEBSOCKET_SHIM_H

struct ast_module;

/* Called by Asterisk's loader with its list of modules locked; implemented in src/host/module.rs. */
int cw_module_load(void);
int cw_module_reload(void);
int cw_module_unload(void);

/* What the loader calls this module, for reference counts; NULL before it is registered. */
struct ast_module *cw_module_self(void);

#endif
