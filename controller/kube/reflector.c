/*
 * See reflector.h. Joins client (requests), stream (documents), decode (objects) and store for one
 * kind, and does what reflect_state decides. Called by run.c. Must not know what the objects are
 * for.
 */
#include "kube/reflector.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/decode.h"
#include "kube/reflect_state.h"
#include "kube/secret.h"
#include "kube/selector.h"
#include "kube/stream.h"

#define WARN_INTERVAL_MS 30000
#define PATH_MAX_SIZE	 (64u * 1024)

#define METADATA	  "PartialObjectMetadata"
#define METADATA_OF(kind) "application/json;as=" kind ";g=meta.k8s.io;v=v1"

struct reflector {
	struct kube_client *client; /* borrowed */
	struct store *store;	    /* borrowed */
	const struct kube_kind_info *info;
	struct reflector_target target; /* its texts are owned */
	struct selector *selector;	/* target.label_selector, to look again; NULL = none */
	reflector_denied_fn denied;
	void *denied_ctx;
	reflector_need_fn need; /* NULL = all */
	void *need_ctx;
	reflector_news_fn news; /* instead of the store; NULL = the store */
	void *news_ctx;

	struct reflect_state state;
	struct turn turn; /* at listing */
	struct comeback_member comeback;
	struct kube_request *request; /* NULL = none under way */
	struct kube_stream *stream;   /* of that request */
	struct event *timer;	      /* starts the next one */

	struct reflect_outcome told; /* by an ERROR event; end is REFLECT_OK without one */
	struct err err;		     /* why the stream could not go on */
	size_t n_pages;		     /* of the list under way */
	size_t n_objects;
	bool has_failed; /* since "watching" was logged last */
	struct log_limit failure_limit;
	struct log_limit refused_limit;
};

static void begin(struct reflector *reflector);
static void on_timer(evutil_socket_t fd, short events, void *ctx);
static void on_list_turn(void *ctx);
static void on_answer(void *ctx);
static bool on_data(void *ctx, const char *data, size_t len);
static void on_done(void *ctx, const struct kube_result *result);
static bool on_document(void *ctx, struct json_object *document);

static void on_wake(void *ctx)
{
	struct reflector *reflector = ctx;

	/* Nobody to wake while the next request is on its way. */
	if (evtimer_pending(reflector->timer, NULL)) {
		event_active(reflector->timer, EV_TIMEOUT, 0);
	}
}

static void on_hold(void *ctx, bool is_held)
{
	store_hold(ctx, is_held);
}

static char *copy_text(const char *text)
{
	return text != NULL && *text != '\0' ? xstrdup(text) : NULL;
}

struct reflector *reflector_new(struct event_base *base, struct kube_client *client,
	struct store *store, const struct reflector_target *target)
{
	struct reflector *reflector = xcalloc(1, sizeof(*reflector));
	uint64_t seed;

	reflector->client = client;
	reflector->store = store;
	reflector->info = &kube_kinds[target->kind];
	reflector->target.kind = target->kind;
	reflector->target.namespace = copy_text(target->namespace);
	reflector->target.field_selector = copy_text(target->field_selector);
	reflector->target.label_selector = copy_text(target->label_selector);
	if (reflector->target.label_selector != NULL) {
		struct err err = {0};
		reflector->selector = selector_parse(reflector->target.label_selector, &err);
		assert(reflector->selector != NULL);
	}
	evutil_secure_rng_get_bytes(&seed, sizeof(seed));
	reflect_state_init(&reflector->state, seed);
	reflector->timer = evtimer_new(base, on_timer, reflector);
	assert(reflector->timer != NULL);
	reflector->comeback.wake = on_wake;
	reflector->comeback.ctx = reflector;
	comeback_on_hold(kube_client_comeback(client), on_hold, store);
	return reflector;
}

void reflector_on_denied(struct reflector *reflector, reflector_denied_fn denied, void *ctx)
{
	reflector->denied = denied;
	reflector->denied_ctx = ctx;
}

void reflector_set_need(struct reflector *reflector, reflector_need_fn need, void *ctx)
{
	reflector->need = need;
	reflector->need_ctx = ctx;
}

void reflector_set_news(struct reflector *reflector, reflector_news_fn news, void *ctx)
{
	reflector->news = news;
	reflector->news_ctx = ctx;
}

void reflector_set_backoff(struct reflector *reflector, uint32_t first_ms, uint32_t max_ms)
{
	reflector->state.backoff.first_ms = first_ms;
	reflector->state.backoff.max_ms = max_ms;
}

void reflector_start(struct reflector *reflector)
{
	assert(reflector->request == NULL && !reflector->turn.is_queued);
	begin(reflector);
}

void reflector_free(struct reflector *reflector)
{
	if (reflector == NULL) {
		return;
	}
	if (reflector->request != NULL) {
		kube_request_cancel(reflector->request);
	}
	turn_release(kube_client_list_turns(reflector->client), &reflector->turn);
	comeback_leave(kube_client_comeback(reflector->client), &reflector->comeback);
	event_free(reflector->timer);
	kube_stream_free(reflector->stream);
	reflect_state_fini(&reflector->state);
	free((char *)reflector->target.namespace);
	free((char *)reflector->target.field_selector);
	free((char *)reflector->target.label_selector);
	selector_free(reflector->selector);
	free(reflector);
}

/* ---- requests ---- */

static void write_path(struct reflector *reflector, struct buf *path)
{
	const struct reflector_target *target = &reflector->target;
	struct buf query = BUF_INIT(PATH_MAX_SIZE);

	if (target->field_selector != NULL) {
		reflect_query_add(&query, "fieldSelector", target->field_selector);
	}
	if (target->label_selector != NULL) {
		reflect_query_add(&query, "labelSelector", target->label_selector);
	}
	reflect_state_query(&reflector->state, clock_now_ms(), &query);
	buf_append_str(path, reflector->info->path);
	if (target->namespace != NULL) {
		buf_printf(path, "/namespaces/%s", target->namespace);
	}
	buf_printf(path, "/%s?%s", reflector->info->resource, buf_str(&query));
	assert(buf_is_ok(&query) && buf_is_ok(path));
	buf_fini(&query);
}

static void note_start(struct reflector *reflector)
{
	if (reflector->state.step == REFLECT_WATCH) {
		metrics_add(METRIC_WATCHES, reflector->info->name, 1);
	} else if (reflect_state_is_first_page(&reflector->state)) {
		if (reflector->news != NULL) {
			reflector->news(reflector->news_ctx, REFLECTOR_BEGIN, "", "", "");
		} else {
			store_begin_list_in(reflector->store, reflector->target.kind,
				reflector->target.namespace);
		}
		reflector->n_pages = 0;
		reflector->n_objects = 0;
	}
}

static const char *accepted(const struct reflector *reflector, bool is_watch)
{
	if (reflector->news == NULL) {
		return NULL;
	}
	return is_watch ? METADATA_OF(METADATA) : METADATA_OF(METADATA "List");
}

static void start_request(struct reflector *reflector)
{
	bool is_watch = reflector->state.step == REFLECT_WATCH;
	struct buf path = BUF_INIT(PATH_MAX_SIZE);

	note_start(reflector);
	write_path(reflector, &path);
	reflector->told = (struct reflect_outcome){.end = REFLECT_OK};
	reflector->err = (struct err){0};
	kube_stream_free(reflector->stream);
	reflector->stream = kube_stream_new(
		is_watch ? KUBE_STREAM_WATCH : KUBE_STREAM_LIST, on_document, reflector);
	reflector->request = kube_client_get(reflector->client,
		&(struct kube_get){
			.path_and_query = buf_str(&path),
			.accept = accepted(reflector, is_watch),
			.idle_seconds = is_watch ? WATCH_IDLE_SECONDS : LIST_IDLE_SECONDS,
			.on_answer = on_answer,
			.on_data = on_data,
			.on_done = on_done,
			.ctx = reflector,
		});
	buf_fini(&path);
}

static void begin(struct reflector *reflector)
{
	if (reflector->state.step == REFLECT_LIST && !reflector->turn.is_queued) {
		turn_take(kube_client_list_turns(reflector->client), &reflector->turn, on_list_turn,
			reflector);
		return;
	}
	start_request(reflector);
}

static void on_list_turn(void *ctx)
{
	start_request(ctx);
}

static void on_timer(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	begin(ctx);
}

/* ---- answers ---- */

static struct json_object *member(struct json_object *json, const char *key)
{
	struct json_object *value = NULL;

	return json_object_object_get_ex(json, key, &value) ? value : NULL;
}

/* NULL = not there or not a text. */
static const char *member_text(struct json_object *json, const char *key)
{
	struct json_object *value = member(json, key);

	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* For the log. */
static const char *or_all(const char *namespace)
{
	return namespace ? namespace : "(all)";
}

static void note_watching(struct reflector *reflector)
{
	log_line(LOG_INFO, "watching", "kind", reflector->info->name, "namespace",
		or_all(reflector->target.namespace), NULL);
	reflector->has_failed = false;
}

static void on_answer(void *ctx)
{
	struct reflector *reflector = ctx;

	if (reflector->state.asked == REFLECT_WATCH) {
		comeback_answered(kube_client_comeback(reflector->client), &reflector->comeback);
	} else {
		comeback_stir(kube_client_comeback(reflector->client), &reflector->comeback);
	}
}

static bool on_data(void *ctx, const char *data, size_t len)
{
	struct reflector *reflector = ctx;

	if (reflector->has_failed && reflector->state.asked == REFLECT_WATCH) {
		note_watching(reflector); /* again */
	}
	return kube_stream_feed(reflector->stream, data, len, &reflector->err);
}

/* A list must not sweep an object away because its newest version can't be read: the old one counts
 * as listed. */
static void keep_last_good(struct reflector *reflector, const char *namespace, const char *name)
{
	const struct object *old =
		store_find(reflector->store, reflector->target.kind, namespace, name);

	if (old != NULL) {
		struct object *copy = xmalloc(old->size);
		memcpy(copy, old, old->size);
		store_put(reflector->store, copy);
	}
}

static void refuse_object(struct reflector *reflector, struct json_object *json, const char *why)
{
	struct json_object *metadata = member(json, "metadata");
	const char *namespace = or_empty(member_text(metadata, "namespace"));
	const char *name = or_empty(member_text(metadata, "name"));
	unsigned n_skipped = 0;

	keep_last_good(reflector, namespace, name);
	if (log_limit_pass(
		    &reflector->refused_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		log_line(LOG_WARN, "object can't be read, its last good version stays in use",
			"kind", reflector->info->name, "namespace", namespace, "name", name,
			"error", why, "not_logged", log_num(n_skipped), NULL);
	}
}

/* The request names a namespace; a server or proxy that sends others must not get them into the
 * store. */
static bool is_foreign(const struct reflector *reflector, struct json_object *json)
{
	const char *namespace = or_empty(member_text(member(json, "metadata"), "namespace"));

	return reflector->target.namespace != NULL &&
	       strcmp(reflector->target.namespace, namespace) != 0;
}

/* Without somebody to ask, everything is needed. */
static bool is_needed(const struct reflector *reflector, struct json_object *json)
{
	struct json_object *metadata = member(json, "metadata");

	return reflector->need == NULL ||
	       reflector->need(reflector->need_ctx, or_empty(member_text(metadata, "namespace")),
		       or_empty(member_text(metadata, "name")));
}

static void tell(struct reflector *reflector, enum reflector_news news, struct json_object *json)
{
	struct json_object *metadata = member(json, "metadata");
	const char *name = member_text(metadata, "name");

	if (name != NULL && !is_foreign(reflector, json)) {
		reflector->news(reflector->news_ctx, news,
			or_empty(member_text(metadata, "namespace")), name,
			or_empty(member_text(metadata, "resourceVersion")));
	}
}

static void remove_object(struct reflector *reflector, struct json_object *json)
{
	struct json_object *metadata = member(json, "metadata");
	const char *name = member_text(metadata, "name");

	if (name != NULL && !is_foreign(reflector, json)) {
		/* Who keeps count of needs hears that there is news. */
		(void)is_needed(reflector, json);
		store_remove(reflector->store, reflector->target.kind,
			or_empty(member_text(metadata, "namespace")), name);
	}
}

/* The same for the label selector, and for what nobody wants to know. */
static bool is_unselected(const struct reflector *reflector, struct json_object *json)
{
	return (reflector->selector != NULL &&
		       !selector_matches(
			       reflector->selector, member(member(json, "metadata"), "labels"))) ||
	       !is_needed(reflector, json);
}

/* A certificate that is outside its valid period says so. */
static struct object *judged(struct object *object)
{
	struct object *other = secret_judge((const struct secret *)object, time(NULL));

	if (other != NULL) {
		object_free(object);
		return other;
	}
	return object;
}

static void put_object(struct reflector *reflector, struct json_object *json)
{
	struct err err = {0};

	if (is_foreign(reflector, json)) {
		return;
	}
	if (is_unselected(reflector, json)) {
		/* It may have been in. */
		remove_object(reflector, json);
		return;
	}
	struct object *object = object_decode(reflector->target.kind, json, NULL, &err);
	if (object == NULL) {
		refuse_object(reflector, json, err.text);
		return;
	}
	if (object->kind == KUBE_SECRET) {
		object = judged(object);
	}
	store_put(reflector->store, object);
}

static void take_object(
	struct reflector *reflector, enum reflector_news news, struct json_object *json)
{
	if (reflector->news != NULL) {
		tell(reflector, news, json);
	} else if (news == REFLECTOR_GONE) {
		remove_object(reflector, json);
	} else {
		put_object(reflector, json);
	}
}

/* An ERROR event carries a Status:
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
static void take_error(struct reflector *reflector, struct json_object *status)
{
	struct json_object *code = member(status, "code");
	struct json_object *seconds = member(member(status, "details"), "retryAfterSeconds");
	const char *message = member_text(status, "message");

	reflector->told.end = REFLECT_FAILED;
	reflector->told.status =
		json_object_is_type(code, json_type_int) ? json_object_get_int(code) : 500;
	if (json_object_is_type(seconds, json_type_int)) {
		reflector->told.retry_after_seconds = json_object_get_int(seconds);
	}
	if (reflector->told.status == 410) {
		reflector->told.end = REFLECT_GONE;
	}
	(void)err_set(&reflector->err, ERR_RETRY, "the server ended the watch: %s",
		message ? message : "no reason given");
}

static bool on_event(struct reflector *reflector, struct json_object *event)
{
	const char *type = or_empty(member_text(event, "type"));
	struct json_object *object = member(event, "object");

	metrics_add(METRIC_WATCH_EVENTS, reflector->info->name, 1);
	if (!json_object_is_type(object, json_type_object)) {
		return err_set(&reflector->err, ERR_PROTO, "a watch event has no object");
	}
	if (strcmp(type, "ERROR") == 0) {
		take_error(reflector, object);
		return false;
	}
	if (strcmp(type, "ADDED") == 0 || strcmp(type, "MODIFIED") == 0) {
		take_object(reflector, REFLECTOR_CHANGED, object);
	} else if (strcmp(type, "DELETED") == 0) {
		take_object(reflector, REFLECTOR_GONE, object);
	} else if (strcmp(type, "BOOKMARK") != 0) {
		return err_set(&reflector->err, ERR_PROTO, "a watch event has an unknown type");
	}
	/* After the object is in the store: a watch that breaks here starts behind it. */
	reflect_state_seen(
		&reflector->state, member_text(member(object, "metadata"), "resourceVersion"));
	return true;
}

static bool on_document(void *ctx, struct json_object *document)
{
	struct reflector *reflector = ctx;

	if (reflector->state.step == REFLECT_WATCH) {
		return on_event(reflector, document);
	}
	reflector->n_objects++;
	take_object(reflector, REFLECTOR_LISTED, document);
	return true;
}

/* ---- what comes of it ---- */

static void note_listed(struct reflector *reflector)
{
	size_t n_removed = 0;

	if (reflector->news != NULL) {
		reflector->news(reflector->news_ctx, REFLECTOR_END, "", "", "");
	} else {
		n_removed = store_end_list_in(
			reflector->store, reflector->target.kind, reflector->target.namespace);
	}

	metrics_add(METRIC_LISTS, reflector->info->name, 1);
	log_line(LOG_INFO, "listed", "kind", reflector->info->name, "namespace",
		or_all(reflector->target.namespace), "objects",
		log_num((int64_t)reflector->n_objects), "pages",
		log_num((int64_t)reflector->n_pages), "removed", log_num((int64_t)n_removed), NULL);
}

/* A 200 that isn't the list of this kind (a proxy's page, a Status) must not count as an empty one.
 */
static bool is_list_of_kind(const struct reflector *reflector, struct json_object *envelope)
{
	const char *kind = or_empty(member_text(envelope, "kind"));
	const char *name = reflector->news ? METADATA : reflector->info->name;
	size_t len = strlen(name);

	return strncmp(kind, name, len) == 0 && strcmp(kind + len, "List") == 0 &&
	       json_object_object_get_ex(envelope, "items", NULL);
}

static bool take_page(struct reflector *reflector)
{
	struct json_object *envelope = kube_stream_envelope(reflector->stream);
	bool is_last = false;

	if (envelope == NULL || !is_list_of_kind(reflector, envelope)) {
		return err_set(&reflector->err, ERR_PROTO, "the answer is not a complete %sList",
			reflector->info->name);
	}
	struct json_object *metadata = member(envelope, "metadata");
	if (!reflect_state_page(&reflector->state, member_text(metadata, "resourceVersion"),
		    member_text(metadata, "continue"), &is_last)) {
		return err_set(&reflector->err, ERR_PROTO,
			"the list has no usable metadata.resourceVersion or metadata.continue");
	}
	reflector->n_pages++;
	if (is_last) {
		note_listed(reflector);
	}
	return true;
}

static bool take_watch_end(struct reflector *reflector)
{
	if (kube_stream_is_inside(reflector->stream)) {
		return err_set(
			&reflector->err, ERR_PROTO, "the watch ended in the middle of an event");
	}
	return true;
}

static struct reflect_outcome judge(struct reflector *reflector, const struct kube_result *result)
{
	struct reflect_outcome outcome = {
		REFLECT_FAILED, result->status, result->retry_after_seconds};

	if (reflector->told.end != REFLECT_OK) {
		return reflector->told;
	}
	if (result->status == 410) {
		outcome.end = REFLECT_GONE;
	} else if (result->status == 200 && reflector->err.kind == ERR_NONE) {
		bool is_watch = reflector->state.step == REFLECT_WATCH;
		bool is_ok = is_watch ? take_watch_end(reflector) : take_page(reflector);
		outcome.end = is_ok ? REFLECT_OK : REFLECT_FAILED;
	}
	return outcome;
}

/* "networking.k8s.io" of "networking.k8s.io/v1"; nothing for the core group. */
static void write_resource(const struct reflector *reflector, struct buf *text)
{
	const char *version = reflector->info->api_version;
	const char *slash = strchr(version, '/');

	buf_append_str(text, reflector->info->resource);
	if (slash != NULL) {
		buf_printf(text, ".%.*s", (int)(slash - version), version);
	}
	if (reflector->target.namespace != NULL) {
		buf_printf(text, " in namespace %s", reflector->target.namespace);
	}
}

/* What happened and what to do about it. */
static void write_reason(const struct reflector *reflector, long status,
	const struct kube_result *result, struct buf *text)
{
	if (reflector->err.kind != ERR_NONE) {
		buf_append_str(text, reflector->err.text);
	} else if (status == 0) {
		buf_printf(text, "%s: check the server's address, its CA and the network",
			or_empty(result->error));
	} else if (status == 401) {
		buf_append_str(text, "401 unauthorized: check the token or the client certificate");
	} else if (status == 403) {
		buf_printf(text, "403 forbidden: add the verb to the controller's %s",
			reflector->target.namespace ? "Role in this namespace" : "ClusterRole");
	} else if (status == 404) {
		buf_printf(text, "404 not found: does the server have %s",
			reflector->info->api_version);
	} else {
		buf_printf(text, "the server answered %ld", status);
	}
}

static void note_failure(struct reflector *reflector, const struct reflect_outcome *outcome,
	const struct kube_result *result, uint32_t wait_ms)
{
	const char *verb = reflector->state.asked == REFLECT_WATCH ? "watch" : "list";
	struct buf text = BUF_INIT(4096);
	unsigned n_skipped = 0;

	buf_printf(&text, "%s ", verb);
	write_resource(reflector, &text);
	buf_append_str(&text, ": ");
	write_reason(reflector, outcome->status, result, &text);
	reflector->has_failed = true;
	if (log_limit_pass(
		    &reflector->failure_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		log_line(LOG_WARN, "can't follow the API server, what is known stays in use",
			"kind", reflector->info->name, "error", buf_str(&text), "retry_ms",
			log_num(wait_ms), "not_logged", log_num(n_skipped), NULL);
	}
	if (reflector->denied != NULL && !reflector->state.has_listed &&
		(outcome->status == 401 || outcome->status == 403)) {
		reflector->denied(
			reflector->denied_ctx, &reflector->target, outcome->status, buf_str(&text));
	}
	buf_fini(&text);
}

static void note_comeback(struct reflector *reflector, const struct reflect_outcome *outcome)
{
	struct comeback *comeback = kube_client_comeback(reflector->client);

	/* 403 is one kind's own trouble, and not over when the others are answered. */
	bool is_outage =
		outcome->end == REFLECT_FAILED && outcome->status != 200 && outcome->status != 403;

	if (outcome->end == REFLECT_GONE || is_outage) {
		comeback_lose(comeback, &reflector->comeback);
	}
	if (outcome->end == REFLECT_GONE) {
		comeback_stir(comeback, &reflector->comeback);
	}
}

static void go_on(struct reflector *reflector, uint32_t wait_ms)
{
	struct timeval wait = {
		.tv_sec = (time_t)(wait_ms / 1000),
		.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000),
	};

	if (wait_ms == 0) {
		begin(reflector);
	} else {
		evtimer_add(reflector->timer, &wait);
	}
}

static void on_done(void *ctx, const struct kube_result *result)
{
	struct reflector *reflector = ctx;

	reflector->request = NULL;
	struct reflect_outcome outcome = judge(reflector, result);
	uint32_t wait_ms = reflect_state_end(&reflector->state, &outcome, clock_now_ms());
	if (outcome.end != REFLECT_OK) {
		note_failure(reflector, &outcome, result, wait_ms);
	}
	note_comeback(reflector, &outcome);
	if (outcome.end != REFLECT_OK || reflector->state.step == REFLECT_WATCH) {
		turn_release(kube_client_list_turns(reflector->client), &reflector->turn);
	}
	if (reflector->state.asked == REFLECT_LIST && reflector->state.step == REFLECT_WATCH) {
		note_watching(reflector);
	}
	go_on(reflector, wait_ms);
}
