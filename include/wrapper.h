/*
 * What bindgen reads: the headers of the Asterisk that the module is built for. Only what build.rs lists becomes a
 * binding.
 */
#define AST_MODULE "chan_websocket"
#define AST_MODULE_SELF_SYM cw_module_self

#include <asterisk.h>

#include <asterisk/acl.h>
#include <asterisk/app.h>
#include <asterisk/ast_version.h>
#include <asterisk/astobj2.h>
#include <asterisk/bridge.h>
#include <asterisk/bridge_technology.h>
#include <asterisk/causes.h>
#include <asterisk/channel.h>
#include <asterisk/cli.h>
#include <asterisk/codec.h>
#include <asterisk/config.h>
#include <asterisk/format.h>
#include <asterisk/format_cache.h>
#include <asterisk/format_cap.h>
#include <asterisk/frame.h>
#include <asterisk/framehook.h>
#include <asterisk/http.h>
#include <asterisk/iostream.h>
#include <asterisk/json.h>
#include <asterisk/logger.h>
#include <asterisk/manager.h>
#include <asterisk/module.h>
#include <asterisk/musiconhold.h>
#include <asterisk/netsock2.h>
#include <asterisk/options.h>
#include <asterisk/paths.h>
#include <asterisk/pbx.h>
#include <asterisk/res_prometheus.h>
#include <asterisk/security_events.h>
#include <asterisk/sorcery.h>
#include <asterisk/stasis.h>
#include <asterisk/stasis_bridges.h>
#include <asterisk/stasis_channels.h>
#include <asterisk/strings.h>
#include <asterisk/tcptls.h>
#include <asterisk/translate.h>
#include <asterisk/utils.h>
#include <asterisk/uuid.h>

#include "shim.h"
