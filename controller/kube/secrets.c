/* See secrets.h. */
#include "kube/secrets.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/table.h"
#include "kube/decode.h"
#include "kube/secret.h"

#define IDLE_SECONDS   30
#define RETRY_FIRST_MS 800
#define RETRY_MAX_MS   30000

/* For so long others wait for a Secret that has come to be needed. */
#define WAIT_SECONDS 5

/* The API server keeps at most 1.5 MiB of an object; base64 needs no escapes in JSON. */
#define MAX_ANSWER (4u * 1024 * 1024)

/* A Secret that is needed. */
struct need {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	struct need *next;
	bool is_queued; /* to be fetched */
	bool has_news;	/* from the watch, since the request under way began */
	bool is_any;	/* SECRETS_NEED_ANY, with: */
	bool is_awaited;
	bool must_repeat; /* it changed while a request for it was under way */
	bool is_listed;	  /* in the list of metadata that is under way */
	bool is_denied;	  /* by the last answer, with 403: stands behind those that aren't */
	char *version;	  /* resourceVersion of what was fetched; owned; NULL = none */
};

struct secrets {
	struct kube_client *client;
	struct store *store;
	struct table needs; /* struct need, by namespace and name */
	struct need *first; /* to be fetched; the first one is under way when there is a request */
	struct need **last;
	size_t n_denied;
	struct kube_request *request;
	struct buf answer;
	struct event *timer; /* starts the next request */
	struct backoff backoff;
	bool is_started;
	size_t n_awaited;
	struct event *patience; /* ends the wait */
	bool has_settled;	/* once, since the start, nothing was awaited */
};

struct key {
	const char *namespace;
	const char *name;
};

static void on_timer(evutil_socket_t fd, short events, void *ctx);
static void on_patience(evutil_socket_t fd, short events, void *ctx);

static uint32_t hash_key(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

static bool need_has_key(const void *item, const void *key_ptr)
{
	const struct need *need = item;
	const struct key *key = key_ptr;

	return strcmp(need->name, key->name) == 0 && strcmp(need->namespace, key->namespace) == 0;
}

static struct need *find(const struct secrets *secrets, const char *namespace, const char *name)
{
	struct key key = {namespace, name};

	return table_find(&secrets->needs, hash_key(namespace, name), &key, need_has_key);
}

/* Holds keys. */
static void open_answer(struct secrets *secrets)
{
	buf_init(&secrets->answer, MAX_ANSWER);
	secrets->answer.is_secret = true;
}

struct secrets *secrets_new(
	struct event_base *base, struct kube_client *client, struct store *store)
{
	struct secrets *secrets = xcalloc(1, sizeof(*secrets));

	secrets->client = client;
	secrets->store = store;
	secrets->last = &secrets->first;
	open_answer(secrets);
	secrets->timer = evtimer_new(base, on_timer, secrets);
	secrets->patience = evtimer_new(base, on_patience, secrets);
	assert(secrets->timer != NULL && secrets->patience != NULL);
	backoff_init(&secrets->backoff, RETRY_FIRST_MS, RETRY_MAX_MS, BACKOFF_KUBE_RESET_MS);
	return secrets;
}

static void clear_answer(struct secrets *secrets)
{
	buf_fini(&secrets->answer);
	open_answer(secrets);
}

static void free_need(struct need *need)
{
	free(need->version);
	free(need->namespace);
	free(need);
}

void secrets_free(struct secrets *secrets)
{
	struct need *need;

	if (secrets == NULL) {
		return;
	}
	if (secrets->request != NULL) {
		kube_request_cancel(secrets->request);
	}
	clear_answer(secrets);
	TABLE_FOREACH (&secrets->needs, need) {
		free_need(need);
	}
	table_fini(&secrets->needs);
	event_free(secrets->timer);
	event_free(secrets->patience);
	free(secrets);
}

/* ---- fetching ---- */

static void unqueue(struct secrets *secrets, struct need *need)
{
	struct need **link = &secrets->first;

	if (!need->is_queued) {
		return;
	}
	if (secrets->first == need && secrets->request != NULL) {
		kube_request_cancel(secrets->request);
		secrets->request = NULL;
		clear_answer(secrets);
	}
	while (*link != need) {
		link = &(*link)->next;
	}
	*link = need->next;
	if (secrets->last == &need->next) {
		secrets->last = link;
	}
	need->is_queued = false;
	need->next = NULL;
}

static void fetch_soon(struct secrets *secrets, uint32_t wait_ms)
{
	struct timeval wait = {wait_ms / 1000, (wait_ms % 1000) * 1000};

	if (secrets->first != NULL && secrets->request == NULL &&
		!evtimer_pending(secrets->timer, NULL)) {
		evtimer_add(secrets->timer, &wait);
	}
}

/* Where in the queue a Secret belongs: what one of them is denied says nothing about the others. */
static struct need **place_of(struct secrets *secrets, const struct need *need)
{
	struct need **link = &secrets->first;

	if (secrets->n_denied == 0 || need->is_denied) {
		return secrets->last;
	}
	if (secrets->request != NULL) {
		link = &(*link)->next;
	}
	while (*link != NULL && !(*link)->is_denied) {
		link = &(*link)->next;
	}
	return link;
}

static void queue(struct secrets *secrets, struct need *need)
{
	if (need->is_queued || !secrets->is_started) {
		return;
	}
	struct need **link = place_of(secrets, need);
	need->is_queued = true;
	need->next = *link;
	*link = need;
	if (need->next == NULL) {
		secrets->last = &need->next;
	} else if (secrets->first == need) {
		evtimer_del(secrets->timer); /* the wait was for one that is denied */
	}
	fetch_soon(secrets, 0);
}

static void note_denied(struct secrets *secrets, struct need *need, bool is_denied)
{
	secrets->n_denied += (size_t)is_denied - (size_t)need->is_denied;
	need->is_denied = is_denied;
}

/* ---- waiting ---- */

static void await(struct secrets *secrets, struct need *need)
{
	const struct timeval wait = {.tv_sec = WAIT_SECONDS};

	if (need->is_awaited) {
		return;
	}
	need->is_awaited = true;
	if (secrets->n_awaited++ == 0) {
		evtimer_add(secrets->patience, &wait);
	}
}

static void stop_waiting(struct secrets *secrets, struct need *need)
{
	if (!need->is_awaited) {
		return;
	}
	need->is_awaited = false;
	if (--secrets->n_awaited == 0) {
		secrets->has_settled = secrets->has_settled || secrets->is_started;
		evtimer_del(secrets->patience);
		store_wake(secrets->store);
	}
}

static void on_patience(evutil_socket_t fd, short events, void *ctx)
{
	struct secrets *secrets = ctx;
	struct need *need;

	(void)fd;
	(void)events;
	TABLE_FOREACH (&secrets->needs, need) {
		/* What HAProxy has had since before the start is better than guesses. */
		if (secrets->has_settled) {
			stop_waiting(secrets, need);
		}
	}
}

bool secrets_are_waiting(void *ctx)
{
	const struct secrets *secrets = ctx;

	return secrets->n_awaited > 0;
}

/* ---- answers ---- */

static char *read_version(struct json_object *json)
{
	struct json_object *metadata = NULL;
	struct json_object *version = NULL;

	if (json_object_object_get_ex(json, "metadata", &metadata) &&
		json_object_object_get_ex(metadata, "resourceVersion", &version) &&
		json_object_is_type(version, json_type_string)) {
		return xstrdup(json_object_get_string(version));
	}
	return NULL;
}

static void put_answer(struct secrets *secrets, struct need *need)
{
	struct json_object *json = json_tokener_parse(buf_str(&secrets->answer));
	struct err err = {0};
	struct object *object = json ? object_decode(KUBE_SECRET, json, NULL, &err) : NULL;

	free(need->version);
	need->version = json ? read_version(json) : NULL;
	json_object_put(json);
	if (object == NULL || strcmp(object_name(object), need->name) != 0 ||
		strcmp(object_namespace(object), need->namespace) != 0) {
		log_line(LOG_WARN, "Secret can't be read", "namespace", need->namespace, "name",
			need->name, "error", err.text, NULL);
		object_free(object);
		return;
	}
	struct object *judged = secret_judge((const struct secret *)object, time(NULL));
	if (judged != NULL) {
		object_free(object);
		object = judged;
	}
	store_put(secrets->store, object);
}

static bool on_data(void *ctx, const char *data, size_t len)
{
	struct secrets *secrets = ctx;

	buf_append(&secrets->answer, data, len);
	return buf_is_ok(&secrets->answer);
}

/* Is there anything that isn't denied? */
static bool let_others_go_first(struct secrets *secrets, struct need *need)
{
	unqueue(secrets, need);
	note_denied(secrets, need, true);
	*secrets->last = need;
	secrets->last = &need->next;
	need->is_queued = true;
	return !secrets->first->is_denied;
}

static void on_done(void *ctx, const struct kube_result *result)
{
	struct secrets *secrets = ctx;
	struct need *need = secrets->first;
	bool is_answer = result->status == 200 || result->status == 404;
	uint32_t wait_ms = 0;

	secrets->request = NULL;
	if (!need->has_news && result->status == 200) {
		put_answer(secrets, need);
	}
	if (!need->has_news && result->status == 404 && need->is_any) {
		free(need->version);
		need->version = NULL;
		store_remove(secrets->store, KUBE_SECRET, need->namespace, need->name);
	}
	bool is_over = is_answer || need->has_news || !buf_is_ok(&secrets->answer);
	if (is_over || secrets->has_settled) {
		stop_waiting(secrets, need);
	}
	if (is_over) {
		backoff_reset(&secrets->backoff);
		unqueue(secrets, need);
		note_denied(secrets, need, false);
		if (need->must_repeat) {
			queue(secrets, need);
		}
	} else {
		wait_ms = backoff_fail(&secrets->backoff, clock_now_ms());
		log_line(LOG_WARN, "can't fetch a Secret", "namespace", need->namespace, "name",
			need->name, "status", log_num(result->status), "error",
			result->error
				? result->error
				: (result->status == 403 ? "add the verb get for secrets to the "
							   "controller's ClusterRole"
							 : ""),
			"retry_ms", log_num(wait_ms), NULL);
	}
	clear_answer(secrets);
	if (!is_over && result->status == 403) {
		wait_ms = let_others_go_first(secrets, need) ? 0 : wait_ms;
	}
	fetch_soon(secrets, wait_ms);
}

static void on_timer(evutil_socket_t fd, short events, void *ctx)
{
	struct secrets *secrets = ctx;
	struct need *need = secrets->first;

	(void)fd;
	(void)events;
	if (need == NULL || secrets->request != NULL) {
		return;
	}
	/* Names come from Ingresses: what could not be a part of a path has not come this far. */
	CLEANUP(free_ptr)
	char *path = xasprintf("/api/v1/namespaces/%s/secrets/%s", need->namespace, need->name);
	need->has_news = false;
	need->must_repeat = false;
	secrets->request = kube_client_get(secrets->client, &(struct kube_get){
								    .path_and_query = path,
								    .idle_seconds = IDLE_SECONDS,
								    .on_data = on_data,
								    .on_done = on_done,
								    .ctx = secrets,
							    });
}

/* ---- needs ---- */

void secrets_need(
	struct secrets *secrets, const char *namespace, const char *name, enum secrets_need wanted)
{
	struct need *need = find(secrets, namespace, name);
	struct key key = {namespace, name};
	bool is_needed = wanted != SECRETS_NEED_NONE;
	bool is_any = wanted == SECRETS_NEED_ANY;

	if (!is_needed && need != NULL) {
		unqueue(secrets, need);
		note_denied(secrets, need, false);
		stop_waiting(secrets, need);
		table_remove(&secrets->needs, hash_key(namespace, name), &key, need_has_key);
		free_need(need);
		fetch_soon(secrets, 0);
		return;
	}
	if (!is_needed || (need != NULL && need->is_any == is_any)) {
		return;
	}
	bool is_new = need == NULL;
	if (is_new) {
		need = xcalloc(1, sizeof(*need));
		need->namespace = xstrpair(namespace, name, &need->name);
		table_insert(&secrets->needs, hash_key(namespace, name), need);
	}
	need->is_any = is_any;
	if (is_any) {
		await(secrets, need);
	} else {
		stop_waiting(secrets, need);
	}
	if (is_any || is_new) {
		queue(secrets, need);
	}
}

void secrets_start(struct secrets *secrets)
{
	struct need *need;

	secrets->is_started = true;
	TABLE_FOREACH (&secrets->needs, need) {
		if (need->is_any) {
			queue(secrets, need);
		}
	}
	secrets->has_settled = secrets->n_awaited == 0;
}

/* ---- metadata ---- */

/* The list of certificates has those of its type. */
static bool is_of_list(const struct secrets *secrets, const struct need *need)
{
	const struct secret *secret = store_secret(secrets->store, need->namespace, need->name);

	return secret != NULL && strcmp(obj_str(secret, secret->type), SECRET_TYPE_TLS) == 0;
}

static void end_list(struct secrets *secrets)
{
	struct need *need;

	TABLE_FOREACH (&secrets->needs, need) {
		/* Gone, or of another namespace's list, or that of certificates: asking decides. */
		if (need->is_any && !need->is_listed && need->version != NULL &&
			!is_of_list(secrets, need)) {
			queue(secrets, need);
		}
	}
}

static void begin_list(struct secrets *secrets)
{
	struct need *need;

	TABLE_FOREACH (&secrets->needs, need) {
		need->is_listed = false;
	}
}

void secrets_on_news(void *ctx, enum reflector_news news, const char *namespace, const char *name,
	const char *version)
{
	struct secrets *secrets = ctx;
	struct need *need = NULL;

	if (news == REFLECTOR_BEGIN) {
		begin_list(secrets);
		return;
	}
	if (news == REFLECTOR_END) {
		end_list(secrets);
		return;
	}
	need = find(secrets, namespace, name);
	if (need == NULL || !need->is_any) {
		return;
	}
	need->is_listed = news == REFLECTOR_LISTED;
	if (need->version != NULL && strcmp(need->version, version) == 0 &&
		news != REFLECTOR_GONE) {
		return;
	}
	/* What is under way may have been answered before. */
	if (need->is_queued && need == secrets->first && secrets->request != NULL) {
		need->must_repeat = true;
	} else {
		queue(secrets, need);
	}
}

bool secrets_wants(void *ctx, const char *namespace, const char *name)
{
	struct secrets *secrets = ctx;
	struct need *need = find(secrets, namespace, name);

	if (need != NULL) {
		need->has_news = true;
	}
	return need != NULL;
}
