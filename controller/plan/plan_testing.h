/*
 * For tests of plans: a HAProxy that is only a `struct applied`. It carries out the operations of a
 * plan in their order and ends the test when one of them could not be done, or would send requests
 * to something that is not there. Include after cmocka.h.
 */
#ifndef HG_PLAN_PLAN_TESTING_H
#define HG_PLAN_PLAN_TESTING_H

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/variant.h"
#include "plan/plan.h"

struct simulator {
	const struct model *model; /* what the plans are made for */
	struct applied *applied;
	struct applied *published; /* has the backends that are published, without servers */
	struct caps caps;
	char *transaction; /* certificate whose content is being changed; owned; NULL = none */
	/* NULL = never: are there still requests on this server? */
	bool (*is_busy)(void *ctx);
	void *ctx;
	bool has_busy;	  /* an operation of this plan was put off */
	const char *note; /* printed with a failure */
};

static inline void simulator_fail(
	const struct simulator *simulator, const struct plan *plan, size_t i, const char *text)
{
	struct buf ops = BUF_INIT(0);
	struct buf before = BUF_INIT(0);

	plan_dump(plan, &ops);
	applied_dump(simulator->applied, &before);
	fail_msg("%s: operation %zu: %s\n--- plan\n%s--- HAProxy\n%s", simulator->note, i, text,
		buf_str(&ops), buf_str(&before));
}

static inline bool simulator_has_backend(const struct simulator *simulator, const char *name)
{
	return applied_find_backend(simulator->applied, name) != NULL;
}

static inline bool simulator_is_published(const struct simulator *simulator, const char *name)
{
	return applied_find_backend(simulator->published, name) != NULL;
}

/* Can a request that is sent to this value of a map be served? */
static inline bool simulator_can_lead_to(
	const struct simulator *simulator, enum model_map map, const char *route)
{
	size_t len = model_backend_len(route);
	CLEANUP(free_ptr) char *value = xstrndup(route, len);

	if (map != MODEL_MAP_AUTH && map != MODEL_MAP_CANARY && route[len] != '\0' &&
		applied_find_entry(simulator->applied, MODEL_MAP_POLICY, route + len + 1) == NULL) {
		return false;
	}
	return strcmp(value, MODEL_BACKEND_UNAVAILABLE) == 0 ||
	       strcmp(value, MODEL_BACKEND_EXTERNAL) == 0 ||
	       applied_find_entry(simulator->applied, MODEL_MAP_EXTERNAL, value) != NULL ||
	       (simulator_has_backend(simulator, value) &&
		       simulator_is_published(simulator, value));
}

static inline bool simulator_is_led_to(const struct simulator *simulator, const char *backend)
{
	const struct applied_entry *entry;

	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		TABLE_FOREACH (&simulator->applied->entries[map], entry) {
			const char *value = applied_entry_value(entry);
			size_t len = model_backend_len(value);
			if (map != MODEL_MAP_HOSTS && strlen(backend) == len &&
				strncmp(value, backend, len) == 0) {
				return true;
			}
		}
	}
	return false;
}

/* Is the key, "host/path" or "host", one of this virtual host? */
static inline bool simulator_is_under(const char *key, const char *host)
{
	size_t len = strlen(host);

	return strncmp(key, host, len) == 0 && (key[len] == '/' || key[len] == '\0');
}

/* Every route of the virtual host is there as it is wanted. */
static inline bool simulator_is_host_ready(const struct simulator *simulator, const char *host)
{
	static const enum model_map maps[] = {
		MODEL_MAP_EXACT, MODEL_MAP_PREFIX, MODEL_MAP_PASSTHROUGH};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		uint32_t position = 0;
		const char *key;
		const char *value;
		while (model_next_entry(simulator->model, maps[i], &position, &key, &value)) {
			const char *have = applied_find_entry(simulator->applied, maps[i], key);
			if (simulator_is_under(key, host) &&
				(have == NULL || strcmp(have, value) != 0)) {
				return false;
			}
		}
	}
	return true;
}

/* A host that is not wanted any more goes before its paths. */
static inline bool simulator_may_leave(const struct simulator *simulator, const struct plan_op *op)
{
	CLEANUP(free_ptr) char *host = xstrndup(op->key, strcspn(op->key, "/"));

	return op->map == MODEL_MAP_HOSTS || op->map == MODEL_MAP_DEFAULTS ||
	       op->map == MODEL_MAP_TCP ||
	       model_find_entry(simulator->model, MODEL_MAP_HOSTS, host) != NULL ||
	       applied_find_entry(simulator->applied, MODEL_MAP_HOSTS, host) == NULL;
}

static inline bool simulator_is_list(enum model_map map)
{
	return map == MODEL_MAP_NETWORKS || map == MODEL_MAP_ADDRESSES;
}

/* Does a policy that is there name this list? */
static inline bool simulator_is_list_named(const struct simulator *simulator, const char *list)
{
	const struct applied_entry *entry;

	TABLE_FOREACH (&simulator->applied->entries[MODEL_MAP_POLICY], entry) {
		if (strstr(applied_entry_value(entry), list) != NULL) {
			return true;
		}
	}
	return false;
}

/* Is every entry of the lists there that a record names? */
static inline bool simulator_has_lists(const struct simulator *simulator, const char *record)
{
	static const enum model_map maps[] = {MODEL_MAP_NETWORKS, MODEL_MAP_ADDRESSES};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		uint32_t position = 0;
		const char *key;
		const char *list;
		while (model_next_entry(simulator->model, maps[i], &position, &key, &list)) {
			if (strstr(record, list) != NULL &&
				applied_find_entry(simulator->applied, maps[i], key) == NULL) {
				return false;
			}
		}
	}
	return true;
}

/* Does a route that is there name this policy? */
static inline bool simulator_is_policy_named(const struct simulator *simulator, const char *policy)
{
	static const enum model_map maps[] = {
		MODEL_MAP_EXACT, MODEL_MAP_PREFIX, MODEL_MAP_DEFAULTS};
	const struct applied_entry *entry;

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		TABLE_FOREACH (&simulator->applied->entries[maps[i]], entry) {
			const char *value = applied_entry_value(entry);
			value += model_backend_len(value);
			if (*value != '\0' && strcmp(value + 1, policy) == 0) {
				return true;
			}
		}
	}
	return false;
}

/* Policies and lists: there before they are named, and until they aren't any more. */
static inline const char *simulator_judge_policy(
	const struct simulator *simulator, const struct plan_op *op, const char *have)
{
	if (op->map == MODEL_MAP_POLICY) {
		if (op->value == NULL) {
			return simulator_is_policy_named(simulator, op->key)
				       ? "routes have the policy"
				       : NULL;
		}
		return simulator_has_lists(simulator, op->value) ? NULL
								 : "the policy's list isn't whole";
	}
	return op->value == NULL && simulator_is_list_named(simulator, have)
		       ? "a policy names the list"
		       : NULL;
}

/* NULL = done, else why it can't be. */
static inline const char *simulator_do_entry(struct simulator *simulator, const struct plan_op *op)
{
	const char *have = applied_find_entry(simulator->applied, op->map, op->key);

	if ((op->kind == PLAN_OP_MAP_ADD) == (have != NULL)) {
		return have ? "the entry is there" : "the entry is not there";
	}
	if (op->kind == PLAN_OP_MAP_DEL && op->map == MODEL_MAP_EXTERNAL &&
		simulator_is_led_to(simulator, op->key)) {
		return "entries lead to the external Service";
	}
	if (op->map == MODEL_MAP_POLICY || simulator_is_list(op->map)) {
		const char *why = simulator_judge_policy(simulator, op, have);
		if (why != NULL) {
			return why;
		}
	}
	if (op->kind == PLAN_OP_MAP_DEL) {
		if (op->map != MODEL_MAP_EXTERNAL && op->map != MODEL_MAP_POLICY &&
			op->map != MODEL_MAP_AUTH && op->map != MODEL_MAP_CANARY &&
			!simulator_is_list(op->map) && !simulator_may_leave(simulator, op)) {
			return "the path goes before its host";
		}
		applied_remove_entry(simulator->applied, op->map, op->key);
		return NULL;
	}
	if (op->map == MODEL_MAP_HOSTS && !simulator_is_host_ready(simulator, op->key)) {
		return "the host appears before its paths";
	}
	if (op->map != MODEL_MAP_HOSTS && op->map != MODEL_MAP_EXTERNAL &&
		op->map != MODEL_MAP_POLICY && !simulator_is_list(op->map) &&
		op->map != MODEL_MAP_REDIRECT &&
		!simulator_can_lead_to(simulator, op->map, op->value)) {
		return "the entry leads to nothing";
	}
	applied_set_entry(simulator->applied, op->map, op->key, op->value);
	return NULL;
}

static inline const char *simulator_do_new_backend(
	struct simulator *simulator, const struct plan_op *op)
{
	bool is_there = simulator_has_backend(simulator, op->backend);

	if (!simulator->caps.can_add_backend) {
		return "backends can't be made";
	}
	if (op->kind == PLAN_OP_BACKEND_ADD) {
		if (is_there) {
			return "the backend is there";
		}
		applied_add_backend(simulator->applied, op->backend);
		return NULL;
	}
	if (!is_there) {
		return "the backend is not there";
	}
	if (!simulator_is_published(simulator, op->backend)) {
		applied_add_backend(simulator->published, op->backend);
	}
	return NULL;
}

static inline const char *simulator_do_old_backend(struct simulator *simulator, struct plan_op *op)
{
	const struct applied_backend *backend =
		applied_find_backend(simulator->applied, op->backend);

	if (!simulator->caps.can_add_backend) {
		return "backends can't be removed";
	}
	if (backend == NULL) {
		return "the backend is not there";
	}
	if (simulator_is_led_to(simulator, op->backend)) {
		return "entries lead to the backend";
	}
	if (op->kind == PLAN_OP_BACKEND_UNPUBLISH) {
		applied_remove_backend(simulator->published, op->backend);
		return NULL;
	}
	if (simulator_is_published(simulator, op->backend)) {
		return "the backend is published";
	}
	if (backend->n_servers > 0) {
		op->result = PLAN_BUSY;
		return NULL;
	}
	applied_remove_backend(simulator->applied, op->backend);
	return NULL;
}

static inline bool simulator_has_ready_server(const struct applied_backend *backend)
{
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		if (backend->servers[i].admin == APPLIED_READY) {
			return true;
		}
	}
	return false;
}

static inline const char *simulator_do_old_server(struct simulator *simulator, struct plan_op *op,
	struct applied_backend *backend, struct applied_server *server)
{
	/* A pod that is gone, or a Service that nobody is sent to any more. */
	if (model_find_backend(simulator->model, op->backend) == NULL &&
		simulator_is_led_to(simulator, op->backend)) {
		return "entries lead to the backend";
	}
	if (op->kind == PLAN_OP_SERVER_DRAIN) {
		if (server->admin != APPLIED_READY) {
			return "the server is not in use";
		}
		server->admin = APPLIED_DRAIN;
		return simulator_has_ready_server(backend) ? NULL : "nothing is left to serve";
	}
	if (op->kind == PLAN_OP_SERVER_DISABLE) {
		if (server->admin == APPLIED_MAINT) {
			return "the server is in maintenance";
		}
		server->admin = APPLIED_MAINT;
		return NULL;
	}
	if (server->admin != APPLIED_MAINT) {
		return "the server is in use";
	}
	if (simulator->is_busy != NULL && simulator->is_busy(simulator->ctx)) {
		op->result = PLAN_BUSY;
	} else {
		applied_remove_server(simulator->applied, backend, op->server);
	}
	return NULL;
}

static inline bool simulator_is_checked(const char *backend)
{
	struct variant variant;

	return variant_parse(backend, &variant) &&
	       variant.parts[VARIANT_CHECK] != VARIANT_UNCHECKED;
}

/* While checks of a server are on but it is not yet, its is_seen says so. */
static inline const char *simulator_do_server(struct simulator *simulator, struct plan_op *op)
{
	struct applied_backend *backend = applied_find_backend(simulator->applied, op->backend);

	if (backend == NULL) {
		return "the backend is not there";
	}
	struct applied_server *server = applied_find_server(backend, op->server);
	if ((op->kind == PLAN_OP_SERVER_ADD) == (server != NULL)) {
		return server ? "the server is there" : "the server is not there";
	}
	switch (op->kind) {
	case PLAN_OP_SERVER_ADD:
		applied_set_server(
			simulator->applied, backend, op->server, op->address, APPLIED_MAINT);
		return NULL;
	case PLAN_OP_SERVER_ADDRESS:
		applied_set_server(simulator->applied, backend, op->server, op->address,
			(enum applied_admin)server->admin);
		return NULL;
	case PLAN_OP_SERVER_CHECK:
		server->is_seen = true;
		return server->admin == APPLIED_READY ? "the server is in use already" : NULL;
	case PLAN_OP_SERVER_ENABLE:
		if (server->admin == APPLIED_READY) {
			return "the server is in use already";
		}
		if (simulator_is_checked(op->backend) && !server->is_seen) {
			return "checks of the server were not begun";
		}
		server->is_seen = false;
		server->admin = APPLIED_READY;
		return NULL;
	default:
		return simulator_do_old_server(simulator, op, backend, server);
	}
}

/* Is there a certificate in the list with this client name, other than `except`? */
static inline bool simulator_serves(
	const struct simulator *simulator, const char *host, const char *except)
{
	const struct applied_certificate *have;
	size_t len = strlen(host);

	TABLE_FOREACH (&simulator->applied->certificates, have) {
		const char *found = have->hosts ? have->hosts : "";

		if (strcmp(have->name, except) == 0) {
			continue;
		}
		while ((found = strstr(found, host)) != NULL) {
			if ((found == have->hosts || found[-1] == ' ') &&
				(found[len] == '\0' || found[len] == ' ')) {
				return true;
			}
			found += len;
		}
	}
	return false;
}

/* May the certificate leave the list? Not while it is the only one that a wanted name has. */
static inline bool simulator_may_unlist(const struct simulator *simulator, const char *name)
{
	const struct model_certificate *wanted;
	uint32_t position = 0;

	while ((wanted = model_next_certificate(simulator->model, &position)) != NULL) {
		for (size_t i = 0; i < wanted->n_hosts; i++) {
			if (!simulator_serves(simulator, wanted->hosts[i], name)) {
				return false;
			}
		}
	}
	return true;
}

/* A fingerprint says that there is content. */
static inline const char *simulator_do_content(
	struct simulator *simulator, const struct plan_op *op, struct applied_certificate *have)
{
	if (op->kind == PLAN_OP_CERT_SET || op->kind == PLAN_OP_CA_SET ||
		op->kind == PLAN_OP_SHOWN_SET) {
		if (have == NULL || simulator->transaction != NULL || op->pem == NULL) {
			return "no such certificate, another transaction, or no content";
		}
		simulator->transaction = xstrdup(op->certificate);
		return NULL;
	}
	if (simulator->transaction == NULL ||
		strcmp(simulator->transaction, op->certificate) != 0) {
		return "no transaction about it";
	}
	free(simulator->transaction);
	simulator->transaction = NULL;
	bool is_served = op->kind == PLAN_OP_CERT_COMMIT;
	CLEANUP(free_ptr)
	char *hosts = have->hosts ? xstrdup(have->hosts) : is_served ? NULL : xstrdup("");
	applied_set_certificate(simulator->applied, op->certificate, hosts,
		op->fingerprint ? op->fingerprint : "content");
	return NULL;
}

static inline const char *simulator_do_certificate(struct simulator *simulator, struct plan_op *op)
{
	struct applied *applied = simulator->applied;
	struct applied_certificate *have = applied_find_certificate(applied, op->certificate);
	bool is_listed = have != NULL && have->hosts != NULL;

	switch (op->kind) {
	case PLAN_OP_CA_DEL:
	case PLAN_OP_SHOWN_DEL:
		if (have == NULL) {
			return "the certificate is not there";
		}
		/* As haproxy/apply has it, where a server that was to go first is busy. */
		if (applied_uses_certificate(applied, op->certificate)) {
			op->result = PLAN_BUSY;
			return simulator->has_busy ? NULL : "servers have the certificate";
		}
		applied_remove_certificate(applied, op->certificate);
		return NULL;
	case PLAN_OP_CA_NEW:
	case PLAN_OP_SHOWN_NEW:
	case PLAN_OP_CERT_NEW:
		if (have != NULL) {
			return "the certificate is there";
		}
		applied_set_certificate(applied, op->certificate, NULL, NULL);
		return NULL;
	case PLAN_OP_CERT_LIST:
		if (have == NULL || is_listed || have->fingerprint == NULL) {
			return "the certificate is not there, is empty, or is in the list";
		}
		applied_set_certificate(applied, op->certificate, op->hosts, "content");
		return NULL;
	case PLAN_OP_CERT_UNLIST:
		if (!is_listed || strcmp(op->certificate, MODEL_CERTIFICATE_DEFAULT) == 0 ||
			!simulator_may_unlist(simulator, op->certificate)) {
			return "not in the list, the default, or the only one for a name";
		}
		applied_set_certificate(applied, op->certificate, NULL, "content");
		return NULL;
	case PLAN_OP_CERT_DEL:
		if (have == NULL || is_listed) {
			return "the certificate is not there, or in the list";
		}
		applied_remove_certificate(applied, op->certificate);
		return NULL;
	default:
		return simulator_do_content(simulator, op, have);
	}
}

static inline const char *simulator_do(struct simulator *simulator, struct plan_op *op)
{
	op->result = PLAN_DONE;
	if (op->certificate != NULL) {
		return simulator_do_certificate(simulator, op);
	}
	if (op->key != NULL) {
		return simulator_do_entry(simulator, op);
	}
	if (op->server != NULL) {
		return simulator_do_server(simulator, op);
	}
	if (op->kind == PLAN_OP_BACKEND_ADD || op->kind == PLAN_OP_BACKEND_PUBLISH) {
		return simulator_do_new_backend(simulator, op);
	}
	return simulator_do_old_backend(simulator, op);
}

/* Carries out a plan; returns how many operations were put off. */
static inline size_t simulator_run(struct simulator *simulator, struct plan *plan)
{
	size_t n_busy = 0;

	simulator->has_busy = false;
	for (size_t i = 0; i < plan->n_ops; i++) {
		if (i > 0 &&
			plan_ops[plan->ops[i].kind].phase < plan_ops[plan->ops[i - 1].kind].phase) {
			simulator_fail(simulator, plan, i, "not in the order of phases");
		}
		const char *fault = simulator_do(simulator, &plan->ops[i]);
		if (fault != NULL) {
			simulator_fail(simulator, plan, i, fault);
		}
		simulator->has_busy |= plan->ops[i].result == PLAN_BUSY;
		n_busy += plan->ops[i].result == PLAN_BUSY;
	}
	if (simulator->transaction != NULL) {
		simulator_fail(simulator, plan, plan->n_ops, "a transaction is left open");
	}
	return n_busy;
}

/* After a reload: everything as the model wants it. */
static inline void simulator_reload(struct simulator *simulator)
{
	const struct model_backend *backend;
	uint32_t position = 0;

	struct applied *before = simulator->applied;

	applied_free(simulator->published);
	simulator->applied = applied_from_model(simulator->model, before);
	applied_free(before);
	simulator->published = applied_new();
	while ((backend = model_next_backend(simulator->model, &position)) != NULL) {
		applied_add_backend(simulator->published, backend->name);
	}
}

static inline void simulator_init(
	struct simulator *simulator, const struct model *model, bool can_add_backend)
{
	*simulator = (struct simulator){
		.model = model,
		.applied = applied_new(),
		.published = applied_new(),
		.caps = {.has_tls = true, .can_add_backend = can_add_backend},
		.note = "simulator",
	};
	applied_set_certificate(simulator->applied, MODEL_CERTIFICATE_DEFAULT,
		APPLIED_DEFAULT_HOSTS, "self-signed");
}

static inline void simulator_fini(struct simulator *simulator)
{
	applied_free(simulator->applied);
	applied_free(simulator->published);
	free(simulator->transaction);
}

#endif
