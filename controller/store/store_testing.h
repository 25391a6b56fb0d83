/*
 * For tests of the store and of what is made from it: objects from JSON, with ' in the place of "
 * so that they read well in C. Include after cmocka.h.
 */
#ifndef HG_STORE_STORE_TESTING_H
#define HG_STORE_STORE_TESTING_H

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/decode.h"
#include "store/store.h"

/* A new object; one that is not accepted ends the test. */
static inline struct object *testing_object(enum kube_kind kind, const char *json_text)
{
	char *text = xstrdup(json_text);
	struct err err = {0};

	for (char *c = strchr(text, '\''); c != NULL; c = strchr(c, '\'')) {
		*c = '"';
	}
	struct json_object *json = json_tokener_parse(text);
	if (json == NULL) {
		fail_msg("not JSON: %s", text);
	}
	struct object *object = object_decode(kind, json, NULL, &err);
	if (object == NULL) {
		fail_msg("%s: %s", err.text, text);
	}
	json_object_put(json);
	free(text);
	return object;
}

/* Puts an object; the arguments are those of printf. */
static inline bool PRINTF_LIKE(3, 4)
	testing_put(struct store *store, enum kube_kind kind, const char *format, ...)
{
	struct buf text = BUF_INIT(0);
	va_list args;

	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	bool is_new = store_put(store, testing_object(kind, buf_str(&text)));
	buf_fini(&text);
	return is_new;
}

static inline bool testing_put_service(
	struct store *store, const char *namespace, const char *name, const char *ports)
{
	return testing_put(store, KUBE_SERVICE,
		"{'metadata':{'namespace':'%s','name':'%s'},'spec':{'ports':[%s]}}", namespace,
		name, ports);
}

#endif
