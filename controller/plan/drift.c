/* See drift.h. */
#include "plan/drift.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hash.h"

const char *const drift_kind_names[DRIFT_KIND_COUNT] = {
#define DRIFT(id, name) name,
#include "plan/drift.def"
};

/* First characters of what is remembered as touched. */
#define TOUCHED_BACKEND	    'b'
#define TOUCHED_CERTIFICATE 'c'
#define TOUCHED_MAP	    '0' /* and the number of the map */

static const char *const admin_names[] = {
	[APPLIED_READY] = "ready", [APPLIED_DRAIN] = "drain", [APPLIED_MAINT] = "maint"};

void drift_look_init(struct drift_look *look, struct applied *applied, const struct model *model,
	drift_fn report, void *ctx)
{
	*look = (struct drift_look){
		.applied = applied, .model = model, .report = report, .ctx = ctx};
}

void drift_look_fini(struct drift_look *look)
{
	drift_forget_touched(look);
	model_delta_fini(&look->repair);
	free(look->foreign);
}

/* ---- what passes touch ---- */

struct touched_key {
	char kind;
	const char *name;
};

static bool touched_has_key(const void *item, const void *key)
{
	const char *text = item;
	const struct touched_key *wanted = key;

	return text[0] == wanted->kind && strcmp(text + 1, wanted->name) == 0;
}

static uint32_t touched_hash(char kind, const char *name)
{
	return hash_more(hash_str(name), &kind, 1);
}

static bool is_touched(const struct drift_look *look, char kind, const char *name)
{
	struct touched_key key = {kind, name};

	return look->is_blind ||
	       (look->touched.n_items > 0 && table_find(&look->touched, touched_hash(kind, name),
						     &key, touched_has_key) != NULL);
}

static void touch(struct drift_look *look, char kind, const char *name)
{
	size_t size = strlen(name) + 1;

	if (is_touched(look, kind, name)) {
		return;
	}
	char *text = arena_alloc(&look->arena, 1 + size);
	text[0] = kind;
	memcpy(text + 1, name, size);
	table_insert(&look->touched, touched_hash(kind, name), text);
}

static char touched_map(enum model_map map)
{
	return (char)(TOUCHED_MAP + (int)map);
}

void drift_touch(struct drift_look *look, const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_ops && !look->is_blind; i++) {
		const struct plan_op *op = &plan->ops[i];

		if (op->certificate != NULL) {
			touch(look, TOUCHED_CERTIFICATE, op->certificate);
		} else if (op->key != NULL) {
			touch(look, touched_map(op->map), op->key);
		} else if (op->backend != NULL) {
			touch(look, TOUCHED_BACKEND, op->backend);
		}
		look->is_blind = look->touched.n_items >= DRIFT_MAX_TOUCHED;
	}
}

void drift_forget_touched(struct drift_look *look)
{
	table_fini(&look->touched);
	arena_fini(&look->arena);
	look->touched = (struct table){0};
	look->arena = (struct arena){0};
	look->is_blind = false;
}

/* ---- verdicts ---- */

static void report(struct drift_look *look, enum drift_kind kind, const char *object,
	const char *expected, const char *found)
{
	look->report(look->ctx, &(struct drift){kind, object, expected, found});
}

/* Room for one more at the end of an array that doubles. */
static void *grow(void *items, size_t n, size_t size)
{
	return (n & (n - 1)) == 0 ? xreallocarray(items, n ? 2 * n : 1, size) : items;
}

static void repair_entry(struct drift_look *look, enum model_map map, const char *key)
{
	struct model_delta *delta = &look->repair;

	delta->entries = grow(delta->entries, delta->n_entries, sizeof(*delta->entries));
	delta->entries[delta->n_entries++] =
		(struct model_delta_entry){.map = map, .key = xstrdup(key)};
}

static void repair_backend(struct drift_look *look, const char *backend)
{
	struct model_delta *delta = &look->repair;

	if (delta->n_backends > 0 && strcmp(delta->backends[delta->n_backends - 1], backend) == 0) {
		return;
	}
	delta->backends = grow(delta->backends, delta->n_backends, sizeof(char *));
	delta->backends[delta->n_backends++] = xstrdup(backend);
}

static void repair_certificate(struct drift_look *look, const char *name)
{
	struct model_delta *delta = &look->repair;

	delta->certificates = grow(delta->certificates, delta->n_certificates, sizeof(char *));
	delta->certificates[delta->n_certificates++] = xstrdup(name);
}

/* ---- maps ---- */

void drift_begin_map(struct drift_look *look, enum model_map map)
{
	applied_begin_look(look->applied, map);
}

static void report_entry(struct drift_look *look, enum model_map map, const char *key,
	const char *expected, const char *found)
{
	CLEANUP(free_ptr) char *object = xasprintf("%s %s", model_map_files[map], key);
	enum drift_kind kind = expected == NULL ? DRIFT_ENTRY_FOREIGN
			       : found == NULL	? DRIFT_ENTRY_MISSING
						: DRIFT_ENTRY_VALUE;

	report(look, kind, object, expected, found);
	repair_entry(look, map, key);
}

void drift_see_entry(
	struct drift_look *look, enum model_map map, const char *key, const char *value)
{
	const char *expected = applied_see_entry(look->applied, map, key);

	if ((expected != NULL && strcmp(expected, value) == 0) ||
		is_touched(look, touched_map(map), key)) {
		return;
	}
	look->n_different++;
	if (look->is_verdict) {
		report_entry(look, map, key, expected, value);
		applied_set_entry(look->applied, map, key, value);
	}
}

/* Keys that were not seen and should have been; the caller frees them and the array. */
static char **unseen_keys(const struct drift_look *look, enum model_map map, size_t *ret_n)
{
	const struct applied_entry *entry;
	char **keys = NULL;
	size_t n = 0;

	TABLE_FOREACH (&look->applied->entries[map], entry) {
		if (!applied_is_seen(look->applied, map, entry) &&
			!is_touched(look, touched_map(map), applied_entry_key(entry))) {
			keys = grow(keys, n, sizeof(*keys));
			keys[n++] = xstrdup(applied_entry_key(entry));
		}
	}
	*ret_n = n;
	return keys;
}

void drift_end_map(struct drift_look *look, enum model_map map)
{
	size_t n;

	if (!applied_has_unseen(look->applied, map)) {
		return;
	}
	char **keys = unseen_keys(look, map, &n);
	look->n_different += n;
	for (size_t i = 0; i < n; i++) {
		if (look->is_verdict) {
			report_entry(look, map, keys[i],
				applied_find_entry(look->applied, map, keys[i]), NULL);
			applied_remove_entry(look->applied, map, keys[i]);
		}
		free(keys[i]);
	}
	free(keys);
}

/* ---- backends ---- */

/* "10.0.0.1:80 ready"; the caller frees it. NULL for no server. */
static char *describe(const struct applied_server *server)
{
	return server ? xasprintf("%s %s", server->address, admin_names[server->admin]) : NULL;
}

/* Either one may be NULL, but not both. */
static void report_server(struct drift_look *look, enum drift_kind kind, const char *backend,
	const struct applied_server *expected, const struct applied_server *found)
{
	const struct applied_server *either = expected != NULL ? expected : found;
	assert(either != NULL);
	CLEANUP(free_ptr) char *object = xasprintf("%s/%s", backend, either->name);
	CLEANUP(free_ptr) char *should = describe(expected);
	CLEANUP(free_ptr) char *is = describe(found);

	report(look, kind, object, should, is);
	repair_backend(look, backend);
}

/* What is in a foreign backend is as foreign: said once, for the backend. */
static struct applied_backend *take_foreign_backend(struct drift_look *look, const char *name)
{
	look->n_different++;
	if (!look->is_verdict) {
		return NULL;
	}
	report(look, DRIFT_BACKEND_FOREIGN, name, NULL, name);
	repair_backend(look, name);
	free(look->foreign);
	look->foreign = xstrdup(name);
	return applied_add_backend(look->applied, name);
}

/* Taken as it is, to be taken away with its backend. */
static void take_foreign_server(struct drift_look *look, struct applied_backend *backend,
	const struct applied_server *found)
{
	applied_set_server(look->applied, backend, found->name, found->address,
		(enum applied_admin)found->admin);
	applied_find_server(backend, found->name)->is_seen = true;
}

static void see_other_server(struct drift_look *look, struct applied_backend *backend,
	const struct applied_server *expected, const struct applied_server *found)
{
	enum drift_kind kind = expected == NULL ? DRIFT_SERVER_FOREIGN
			       : strcmp(expected->address, found->address) != 0
				       ? DRIFT_SERVER_ADDRESS
				       : DRIFT_SERVER_STATE;

	look->n_different++;
	if (look->is_verdict) {
		report_server(look, kind, backend->name, expected, found);
		applied_set_server(look->applied, backend, found->name, found->address,
			(enum applied_admin)found->admin);
	}
}

void drift_see_server(struct drift_look *look, const char *name, const struct applied_server *found)
{
	struct applied_backend *backend = applied_find_backend(look->applied, name);
	bool is_judged = !is_touched(look, TOUCHED_BACKEND, name);

	if (backend == NULL && is_judged) {
		backend = take_foreign_backend(look, name);
	}
	if (backend == NULL) {
		return;
	}
	if (look->foreign != NULL && strcmp(look->foreign, name) == 0 && is_judged) {
		take_foreign_server(look, backend, found);
		return;
	}
	struct applied_server *expected = applied_find_server(backend, found->name);
	bool is_same = expected != NULL && strcmp(expected->address, found->address) == 0 &&
		       expected->admin == found->admin;
	if (!is_same && is_judged) {
		see_other_server(look, backend, expected, found);
		expected = applied_find_server(backend, found->name);
	}
	if (expected != NULL) {
		expected->is_seen = true;
	}
}

static void end_servers(struct drift_look *look, struct applied_backend *backend, bool is_judged)
{
	for (uint32_t i = backend->n_servers; i > 0; i--) {
		struct applied_server *server = &backend->servers[i - 1];
		bool is_missing = !server->is_seen && is_judged;

		server->is_seen = false;
		look->n_different += is_missing;
		if (is_missing && look->is_verdict) {
			report_server(look, DRIFT_SERVER_MISSING, backend->name, server, NULL);
			CLEANUP(free_ptr) char *name = xstrdup(server->name);
			applied_remove_server(look->applied, backend, name);
		}
	}
}

void drift_end_backend(struct drift_look *look, const char *name, bool is_there)
{
	struct applied_backend *backend = applied_find_backend(look->applied, name);
	bool is_judged = !is_touched(look, TOUCHED_BACKEND, name);

	if (is_there && backend != NULL) {
		end_servers(look, backend, is_judged);
	} else if (is_there && is_judged) {
		(void)take_foreign_backend(look, name);
	} else if (backend != NULL && is_judged) {
		look->n_different++;
		if (look->is_verdict) {
			report(look, DRIFT_BACKEND_MISSING, name, name, NULL);
			repair_backend(look, name);
			applied_remove_backend(look->applied, name);
		}
	}
	free(look->foreign);
	look->foreign = NULL;
}

bool drift_is_foreign(const struct drift_look *look, const char *backend)
{
	return applied_find_backend(look->applied, backend) == NULL &&
	       !is_touched(look, TOUCHED_BACKEND, backend);
}

/* ---- certificates ---- */

void drift_begin_certificates(struct drift_look *look)
{
	struct applied_certificate *certificate;

	TABLE_FOREACH (&look->applied->certificates, certificate) {
		certificate->is_listed = false;
		certificate->is_there = false;
	}
}

static bool is_default(const char *name)
{
	return strcmp(name, MODEL_CERTIFICATE_DEFAULT) == 0;
}

/* Says so, if it is the time, and has it repaired. */
static bool judge_certificate(struct drift_look *look, enum drift_kind kind, const char *name,
	const char *expected, const char *found)
{
	look->n_different++;
	if (look->is_verdict) {
		report(look, kind, name, expected, found);
		repair_certificate(look, name);
	}
	return look->is_verdict;
}

void drift_see_listed(struct drift_look *look, const char *name, const char *hosts)
{
	struct applied_certificate *have = applied_find_certificate(look->applied, name);
	const char *expected = have != NULL ? have->hosts : NULL;
	bool is_again = have != NULL && have->is_listed;

	if (have != NULL) {
		have->is_listed = true;
	}
	/* Of a certificate that is listed twice, the first line counts. */
	if (is_default(name) || is_again || is_touched(look, TOUCHED_CERTIFICATE, name) ||
		(expected != NULL && strcmp(expected, hosts) == 0)) {
		return;
	}
	enum drift_kind kind = expected != NULL ? DRIFT_CERT_HOSTS : DRIFT_CERT_FOREIGN;
	if (judge_certificate(look, kind, name, expected, hosts)) {
		applied_set_certificate(look->applied, name, hosts, NULL);
		applied_find_certificate(look->applied, name)->is_listed = true;
	}
}

void drift_see_certificate(struct drift_look *look, const char *name)
{
	struct applied_certificate *have = applied_find_certificate(look->applied, name);

	if (have == NULL && !is_default(name) && !is_touched(look, TOUCHED_CERTIFICATE, name) &&
		judge_certificate(look, DRIFT_CERT_FOREIGN, name, NULL, "in memory, not listed")) {
		applied_set_certificate(look->applied, name, NULL, NULL);
		have = applied_find_certificate(look->applied, name);
	}
	if (have != NULL) {
		have->is_there = true;
	}
}

void drift_see_default(struct drift_look *look, const char *fingerprint)
{
	const struct applied_certificate *have =
		applied_find_certificate(look->applied, MODEL_CERTIFICATE_DEFAULT);
	const char *expected = have != NULL ? have->fingerprint : NULL;

	if (expected == NULL || strcmp(expected, fingerprint) == 0 ||
		is_touched(look, TOUCHED_CERTIFICATE, MODEL_CERTIFICATE_DEFAULT)) {
		return;
	}
	/* Where nobody wants a certain one, whatever is there is right. */
	if (model_find_certificate(look->model, MODEL_CERTIFICATE_DEFAULT) == NULL ||
		judge_certificate(look, DRIFT_CERT_DEFAULT, MODEL_CERTIFICATE_DEFAULT, expected,
			fingerprint)) {
		applied_set_certificate(look->applied, MODEL_CERTIFICATE_DEFAULT,
			APPLIED_DEFAULT_HOSTS, fingerprint);
	}
}

static bool is_certificate_missing(
	const struct drift_look *look, const struct applied_certificate *have)
{
	bool is_served = model_certificate_kind(have->name) == MODEL_CERTIFICATE_SERVED;

	return !is_default(have->name) &&
	       !(is_served && have->hosts != NULL ? have->is_listed : have->is_there) &&
	       !is_touched(look, TOUCHED_CERTIFICATE, have->name);
}

/* It may still be in memory, without being shown to anybody. */
static void lose_certificate(struct drift_look *look, const struct applied_certificate *have)
{
	CLEANUP(free_ptr) char *name = xstrdup(have->name);
	bool is_there = have->is_there;

	(void)judge_certificate(look, DRIFT_CERT_MISSING, name,
		have->hosts != NULL ? have->hosts : "in memory, not listed",
		is_there ? "in memory, not listed" : NULL);
	if (is_there) {
		applied_set_certificate(look->applied, name, NULL, NULL);
	} else {
		applied_remove_certificate(look->applied, name);
	}
}

void drift_end_certificates(struct drift_look *look)
{
	struct applied_certificate **missing = NULL;
	struct applied_certificate *have;
	size_t n = 0;

	TABLE_FOREACH (&look->applied->certificates, have) {
		if (is_certificate_missing(look, have)) {
			missing = grow(missing, n, sizeof(*missing));
			missing[n++] = have;
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (look->is_verdict) {
			lose_certificate(look, missing[i]);
		} else {
			look->n_different++;
		}
	}
	free(missing);
}
