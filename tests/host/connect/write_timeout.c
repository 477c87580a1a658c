/*
 * A module that adds the field write_timeout to websocket_client objects, as in Asterisk 23.6: 100 unless configured.
 */
#define AST_MODULE "test_write_timeout"
#define AST_MODULE_SELF_SYM test_write_timeout_self

#include <asterisk.h>

#include <asterisk/config_options.h>
#include <asterisk/lock.h>
#include <asterisk/module.h>
#include <asterisk/sorcery.h>
#include <asterisk/strings.h>
#include <asterisk/utils.h>

#define OBJECTS 64

AST_MUTEX_DEFINE_STATIC(lock);
static struct { char id[80]; char value[16]; } values[OBJECTS];

static int set(const struct aco_option *option, struct ast_variable *var, void *object)
{
	const char *id = ast_sorcery_object_get_id(object);
	int i;

	(void) option;
	ast_mutex_lock(&lock);
	for (i = 0; i < OBJECTS - 1 && values[i].id[0] && strcmp(values[i].id, id); i++) {
	}
	ast_copy_string(values[i].id, id, sizeof(values[i].id));
	ast_copy_string(values[i].value, var->value, sizeof(values[i].value));
	ast_mutex_unlock(&lock);
	return 0;
}

static int get(const void *object, const intptr_t *args, char **value)
{
	const char *id = ast_sorcery_object_get_id(object);
	int i;

	(void) args;
	ast_mutex_lock(&lock);
	for (i = 0; i < OBJECTS - 1 && strcmp(values[i].id, id); i++) {
	}
	*value = ast_strdup(values[i].value);
	ast_mutex_unlock(&lock);
	return *value ? 0 : -1;
}

static enum ast_module_load_result load(void)
{
	struct ast_sorcery *sorcery = ast_sorcery_retrieve_by_module_name("res_websocket_client");

	if (!sorcery) {
		return AST_MODULE_LOAD_DECLINE;
	}
	ast_sorcery_object_field_register_custom_nodoc(sorcery, "websocket_client", "write_timeout", "100", set, get, NULL, 0, 0);
	ast_sorcery_unref(sorcery);
	return AST_MODULE_LOAD_SUCCESS;
}

/* No sum of build options: the test builds it with the headers that it finds. */
static struct ast_module_info info = {
	.name = AST_MODULE,
	.description = "write_timeout of websocket_client, for a test",
	.key = ASTERISK_GPL_KEY,
	.load = load,
	.support_level = AST_MODULE_SUPPORT_EXTENDED,
};

struct ast_module *test_write_timeout_self(void)
{
	return info.self;
}

static void __attribute__((constructor)) register_module(void)
{
	ast_module_register(&info);
}

static void __attribute__((destructor)) unregister_module(void)
{
	ast_module_unregister(&info);
}
