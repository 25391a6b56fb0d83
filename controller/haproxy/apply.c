/*
 * See apply.h. The order of operations and what a refusal takes with it are in one table, rules[];
 * the rest sends, waits and keeps the books.
 */
#include "haproxy/apply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/encode.h"
#include "haproxy/marks.h"
#include "haproxy/reply.h"

/* What went wrong with a backend, a server or a host. */
enum mark_bits {
	MISSING = 1,	 /* it could not be added */
	BROKEN = 2,	 /* something in PREPARE was refused */
	KEPT = 4,	 /* map entries still lead to it */
	STUCK = 8,	 /* something in RETIRE was refused */
	BUSY = 16,	 /* one of its servers is busy */
	WAITED_FOR = 32, /* a client name whose new certificate could not be made */
};

/* What is sent in one go: a group begins when every answer of the one before is there. */
enum group { PREPARE, SET_ENTRIES, DEL_ENTRIES, RETIRE_SERVERS, RETIRE_BACKENDS, RETIRE_STORES };

/* The order of sending. Hosts appear after their paths and go before them (plan.c has deletions in
 * this order). */
enum step {
	STORE,
	ADD,
	FILL,
	ENABLE,
	CERT,
	LISTS,
	TARGETS,
	PATHS,
	HOSTS,
	DEL_ENTRY,
	DEL_CERT,
	DISABLE,
	DEL,
	UNPUBLISH,
	DEL_BACKEND,
	DEL_STORE,
	STEPS
};

struct rule {
	enum group group;
	enum step step;
	unsigned backend_blocks; /* marks of its backend (map: of the backend that the entry would
				    lead to) that block it */
	unsigned server_blocks;	 /* marks of its server, or its certificate, that block it */
	unsigned backend_marks;	 /* what a failure leaves on its backend (map: on the backend that
				    the entry leads to now) */
	unsigned server_marks;
};

/*
 * A backend is unpublished when its servers have been dealt with: as long as it has one that is not
 * in maintenance, it is published. Inside a group marks come from what could not even be sent, and
 * from answers that were early.
 */
static const struct rule rules[PLAN_OP_COUNT] = {
	/* A server whose certificates are missing is refused by HAProxy itself. */
	[PLAN_OP_CA_NEW] = {PREPARE, STORE, 0, 0, 0, BROKEN},
	[PLAN_OP_CA_SET] = {PREPARE, STORE, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_CA_COMMIT] = {PREPARE, STORE, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_SHOWN_NEW] = {PREPARE, STORE, 0, 0, 0, BROKEN},
	[PLAN_OP_SHOWN_SET] = {PREPARE, STORE, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_SHOWN_COMMIT] = {PREPARE, STORE, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_BACKEND_ADD] = {PREPARE, ADD, 0, 0, MISSING | BROKEN, 0},
	[PLAN_OP_BACKEND_PUBLISH] = {PREPARE, FILL, MISSING, 0, BROKEN, 0},
	[PLAN_OP_SERVER_ADD] = {PREPARE, FILL, MISSING, 0, BROKEN, BROKEN},
	[PLAN_OP_SERVER_ADDRESS] = {PREPARE, FILL, MISSING, BROKEN, BROKEN, BROKEN},
	[PLAN_OP_SERVER_CHECK] = {PREPARE, FILL, MISSING, BROKEN, BROKEN, BROKEN},
	[PLAN_OP_SERVER_ENABLE] = {PREPARE, ENABLE, MISSING, BROKEN, BROKEN, 0},
	/* Their order in the plan is that in which they build on each other. */
	[PLAN_OP_CERT_NEW] = {PREPARE, CERT, 0, 0, 0, BROKEN},
	[PLAN_OP_CERT_SET] = {PREPARE, CERT, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_CERT_COMMIT] = {PREPARE, CERT, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_CERT_LIST] = {PREPARE, CERT, 0, BROKEN, 0, BROKEN},
	[PLAN_OP_MAP_ADD] = {SET_ENTRIES, PATHS, BROKEN, 0, KEPT, 0},
	[PLAN_OP_MAP_SET] = {SET_ENTRIES, PATHS, BROKEN, 0, KEPT, 0},
	[PLAN_OP_MAP_DEL] = {DEL_ENTRIES, DEL_ENTRY, 0, 0, KEPT, 0},
	[PLAN_OP_SERVER_DRAIN] = {RETIRE_SERVERS, DISABLE, BROKEN | KEPT, 0, 0, 0},
	[PLAN_OP_CERT_UNLIST] = {RETIRE_SERVERS, DEL_CERT, 0, 0, 0, STUCK},
	[PLAN_OP_CERT_DEL] = {RETIRE_SERVERS, DEL_CERT, 0, STUCK, 0, 0},
	[PLAN_OP_SERVER_DISABLE] = {RETIRE_SERVERS, DISABLE, BROKEN | KEPT, 0, STUCK, STUCK},
	[PLAN_OP_SERVER_DEL] = {RETIRE_SERVERS, DEL, BROKEN | KEPT, STUCK, STUCK, 0},
	[PLAN_OP_BACKEND_UNPUBLISH] = {RETIRE_BACKENDS, UNPUBLISH, BROKEN | KEPT | STUCK, 0, STUCK,
		0},
	[PLAN_OP_BACKEND_DEL] = {RETIRE_BACKENDS, DEL_BACKEND, BROKEN | KEPT | STUCK, 0, 0, 0},
	[PLAN_OP_CA_DEL] = {RETIRE_STORES, DEL_STORE, 0, 0, 0, 0},
	[PLAN_OP_SHOWN_DEL] = {RETIRE_STORES, DEL_STORE, 0, 0, 0, 0},
};

/* In the place of a backend's name, which always has MODEL_BACKEND_INFIX. */
#define CERTIFICATES "certificates"
#define CLIENTS	     "clients"

struct item {
	struct plan_op *op;
	bool is_placing;
	size_t size; /* bytes of the command while its answer is awaited */
};

struct apply {
	struct cli *cli;
	char *map_dir;
	struct applied *applied;
	apply_done_fn on_done;
	void *ctx;
	struct event *start_event;
	struct item *items; /* operations by step */
	size_t n_items;
	size_t next;   /* first item not looked at */
	size_t oldest; /* no item before this one awaits an answer */
	size_t n_waiting;
	size_t n_placing;    /* is_placing() among them */
	size_t n_committing; /* CERT_COMMIT among them */
	size_t waiting_size;
	struct marks marks; /* names: "backend", "backend/server", "/host", "policy",
			      "certificates/name" or "clients/host" */
	struct buf line;
	struct buf payload;
	struct apply_result result;
	char *first_text;
};

static bool is_commit(enum plan_op_kind kind)
{
	return kind == PLAN_OP_CERT_COMMIT || kind == PLAN_OP_CA_COMMIT ||
	       kind == PLAN_OP_SHOWN_COMMIT;
}

static enum step step_of(const struct plan_op *op);
static void sort_by_step(struct apply *apply, struct plan *plan);
static void on_start(evutil_socket_t fd, short what, void *ctx);
static void go_on(struct apply *apply);
static bool may_look_at_next(const struct apply *apply);
static void look_at_next(struct apply *apply);
static enum plan_result judge(const struct apply *apply, const struct plan_op *op);
static void on_answer(void *ctx, const char *text);
static void settle(
	struct apply *apply, struct plan_op *op, enum plan_result result, const char *text);
static void enter(struct apply *apply, const struct plan_op *op);
static void spread(struct apply *apply, const struct plan_op *op);
static void finish(struct apply *apply);
static void release(struct apply *apply);

struct apply *apply_start(
	const struct apply_target *target, struct plan *plan, apply_done_fn on_done, void *ctx)
{
	struct apply *apply = xcalloc(1, sizeof(*apply));

	apply->cli = target->cli;
	apply->map_dir = xstrdup(target->map_dir);
	apply->applied = target->applied;
	apply->on_done = on_done;
	apply->ctx = ctx;
	buf_init(&apply->line, ENCODE_MAX_LINE + 1);
	buf_init(&apply->payload, ENCODE_MAX_LINE + 1);
	apply->payload.is_secret = true;
	sort_by_step(apply, plan);
	apply->start_event = evtimer_new(cli_base(apply->cli), on_start, apply);
	assert(apply->start_event != NULL);
	event_active(apply->start_event, EV_TIMEOUT, 0);
	return apply;
}

void apply_cancel(struct apply *apply)
{
	if (apply != NULL) {
		cli_forget(apply->cli, apply);
		release(apply);
	}
}

static enum step step_of(const struct plan_op *op)
{
	enum step step = rules[op->kind].step;

	static const enum step steps[MODEL_MAP_COUNT] = {
		[MODEL_MAP_NETWORKS] = LISTS,
		[MODEL_MAP_ADDRESSES] = LISTS,
		[MODEL_MAP_EXTERNAL] = TARGETS,
		[MODEL_MAP_POLICY] = TARGETS,
		[MODEL_MAP_AUTH] = TARGETS,
		[MODEL_MAP_CANARY] = TARGETS,
		[MODEL_MAP_EXACT] = PATHS,
		[MODEL_MAP_PREFIX] = PATHS,
		[MODEL_MAP_DEFAULTS] = PATHS,
		[MODEL_MAP_REDIRECT] = PATHS,
		[MODEL_MAP_PASSTHROUGH] = PATHS,
		[MODEL_MAP_TCP] = PATHS,
		[MODEL_MAP_HOSTS] = HOSTS,
	};

	return step == PATHS ? steps[op->map] : step;
}

static void sort_by_step(struct apply *apply, struct plan *plan)
{
	size_t starts[STEPS + 1] = {0};

	apply->n_items = plan->n_ops;
	apply->items = xcalloc(plan->n_ops, sizeof(*apply->items));
	for (size_t i = 0; i < plan->n_ops; i++) {
		starts[step_of(&plan->ops[i]) + 1]++;
	}
	for (size_t step = 1; step <= STEPS; step++) {
		starts[step] += starts[step - 1];
	}
	for (size_t i = 0; i < plan->n_ops; i++) {
		plan->ops[i].result = PLAN_PENDING;
		apply->items[starts[step_of(&plan->ops[i])]++].op = &plan->ops[i];
	}
}

static void on_start(evutil_socket_t fd, short what, void *ctx)
{
	struct apply *apply = ctx;

	(void)fd;
	(void)what;
	apply->result.is_lost = !cli_is_connected(apply->cli);
	go_on(apply);
}

/* Sends what may be sent now; finishes when nothing is left to send or to wait for. */
static void go_on(struct apply *apply)
{
	while (may_look_at_next(apply)) {
		look_at_next(apply);
	}
	if (apply->n_waiting == 0) {
		finish(apply);
	}
}

static bool may_look_at_next(const struct apply *apply)
{
	if (apply->result.is_lost || apply->next == apply->n_items) {
		return false;
	}
	if (apply->n_waiting == 0) {
		return true;
	}
	enum plan_op_kind next = apply->items[apply->next].op->kind;
	enum plan_op_kind last = apply->items[apply->next - 1].op->kind;
	if (next == PLAN_OP_SERVER_ENABLE && apply->n_placing > 0) {
		return false;
	}
	if (encode_has_content(next) && apply->n_committing > 0) {
		return false;
	}
	if ((next == PLAN_OP_BACKEND_ADD || next == PLAN_OP_BACKEND_DEL) &&
		apply->n_waiting >= APPLY_MAX_BACKENDS) {
		return false;
	}
	return apply->waiting_size < APPLY_WINDOW && rules[next].group == rules[last].group;
}

/*
 * Does it say where a server of an existing backend is? Such a server is enabled only when that is
 * confirmed: HAProxy may have a server of this name that we don't know of, and would enable it
 * where that one is, which may be somebody else's address. A backend that this plan adds is empty
 * for sure.
 */
static bool is_placing(const struct apply *apply, const struct plan_op *op)
{
	return (op->kind == PLAN_OP_SERVER_ADD || op->kind == PLAN_OP_SERVER_ADDRESS) &&
	       applied_find_backend(apply->applied, op->backend) != NULL;
}

/* False = it can't be written. Leaves command and payload in the buffers. */
static bool send_op(struct apply *apply, const struct plan_op *op)
{
	buf_clear(&apply->line);
	buf_clear(&apply->payload);
	if (!encode_op(&apply->line, op, apply->map_dir)) {
		return false;
	}
	if (!encode_has_payload(op->kind)) {
		cli_send(apply->cli, buf_str(&apply->line), on_answer, apply);
		return true;
	}
	if (!encode_payload(&apply->payload, op, apply->map_dir)) {
		return false;
	}
	cli_send_payload(
		apply->cli, buf_str(&apply->line), buf_str(&apply->payload), on_answer, apply);
	return true;
}

static void look_at_next(struct apply *apply)
{
	struct item *item = &apply->items[apply->next++];
	enum plan_result result = judge(apply, item->op);

	if (result != PLAN_PENDING) {
		settle(apply, item->op, result, "");
		return;
	}
	if (!send_op(apply, item->op)) {
		settle(apply, item->op, PLAN_REFUSED,
			"not sent: it has bytes that HAProxy can't be given, or is too long");
		return;
	}
	item->size = apply->line.len + 1 + apply->payload.len;
	apply->waiting_size += item->size;
	apply->n_waiting++;
	buf_clear(&apply->payload);
	apply->n_committing += is_commit(item->op->kind);
	item->is_placing = is_placing(apply, item->op);
	apply->n_placing += item->is_placing;
	apply->result.n_sent++;
}

/* The first client name in `hosts`, which the caller frees; NULL = there is none. Behind the names
 * are those that are excluded. */
static char *take_host(const char **hosts)
{
	size_t len = **hosts == '!' ? 0 : strcspn(*hosts, " ");
	char *host = len > 0 ? xstrndup(*hosts, len) : NULL;

	*hosts += len + ((*hosts)[len] == ' ');
	return host;
}

/* Would a client get no certificate any more, as the one that was to replace this one is missing?
 */
static bool is_certificate_needed(const struct apply *apply, const char *name)
{
	const struct applied_certificate *have = applied_find_certificate(apply->applied, name);
	const char *hosts = have != NULL && have->hosts != NULL ? have->hosts : "";
	bool is_needed = false;
	char *host;

	while (!marks_are_empty(&apply->marks) && (host = take_host(&hosts)) != NULL) {
		is_needed = is_needed || (marks_on(&apply->marks, CLIENTS, host) & WAITED_FOR);
		free(host);
	}
	return is_needed;
}

static enum plan_result judge_certificate(const struct apply *apply, const struct plan_op *op)
{
	const struct rule *rule = &rules[op->kind];

	if (marks_on(&apply->marks, CERTIFICATES, op->certificate) & rule->server_blocks) {
		return PLAN_SKIPPED;
	}
	if (rule->step == DEL_STORE && applied_uses_certificate(apply->applied, op->certificate)) {
		return PLAN_BUSY;
	}
	return op->kind == PLAN_OP_CERT_UNLIST && is_certificate_needed(apply, op->certificate)
		       ? PLAN_SKIPPED
		       : PLAN_PENDING;
}

/* Does something that is still there need this entry, which is to go? */
static bool is_entry_kept(const struct apply *apply, const struct plan_op *op)
{
	switch (op->map) {
	case MODEL_MAP_EXTERNAL:
	case MODEL_MAP_POLICY:
	case MODEL_MAP_AUTH:
	case MODEL_MAP_CANARY:
		return marks_on(&apply->marks, op->key, "") & (BROKEN | KEPT);
	case MODEL_MAP_NETWORKS:
	case MODEL_MAP_ADDRESSES:
		/* Which policy failed is not worth knowing. */
		return apply->result.n_refused + apply->result.n_skipped > 0;
	default:
		return false;
	}
}

/* Marks on what the value of a route names: its backend, and its policy. */
static unsigned marks_on_value(const struct apply *apply, const char *value)
{
	size_t len = model_backend_len(value);

	if (marks_are_empty(&apply->marks)) {
		return 0;
	}
	CLEANUP(free_ptr) char *backend = xstrndup(value, len);
	return marks_on(&apply->marks, backend, "") |
	       (value[len] != '\0' ? marks_on(&apply->marks, value + len + 1, "") : 0);
}

/* PENDING = to be sent. */
static enum plan_result judge(const struct apply *apply, const struct plan_op *op)
{
	const struct rule *rule = &rules[op->kind];

	if (op->certificate != NULL) {
		return judge_certificate(apply, op);
	}
	if (op->key == NULL) {
		unsigned bits = marks_on(&apply->marks, op->backend, "");
		if (bits & rule->backend_blocks) {
			return PLAN_SKIPPED;
		}
		if (op->server != NULL &&
			(marks_on(&apply->marks, op->backend, op->server) & rule->server_blocks)) {
			return PLAN_SKIPPED;
		}
		return op->kind == PLAN_OP_BACKEND_DEL && (bits & BUSY) ? PLAN_BUSY : PLAN_PENDING;
	}
	if (op->value == NULL) {
		return is_entry_kept(apply, op) ? PLAN_SKIPPED : PLAN_PENDING;
	}
	if (op->map == MODEL_MAP_HOSTS) {
		return marks_on(&apply->marks, "", op->value) ? PLAN_SKIPPED : PLAN_PENDING;
	}
	return marks_on_value(apply, op->value) & rule->backend_blocks ? PLAN_SKIPPED
								       : PLAN_PENDING;
}

static enum plan_result classify(struct apply *apply, const struct plan_op *op, const char *text)
{
	const char *name = NULL;

	buf_clear(&apply->line);
	if (op->certificate != NULL &&
		encode_cli_certificate(&apply->line, op->certificate, apply->map_dir)) {
		name = buf_str(&apply->line);
	}
	return reply_classify(op->kind, name, text);
}

/* Or it would be in the way of all that follow, and 2.6 would give it their content. */
static void abort_transaction(struct apply *apply, const struct plan_op *op)
{
	buf_clear(&apply->line);
	buf_append_str(&apply->line,
		op->kind == PLAN_OP_CA_COMMIT ? "abort ssl ca-file " : "abort ssl cert ");
	if (encode_cli_certificate(&apply->line, op->certificate, apply->map_dir)) {
		cli_send(apply->cli, buf_str(&apply->line), NULL, NULL);
	}
}

static void on_answer(void *ctx, const char *text)
{
	struct apply *apply = ctx;

	/* Answers come in the order of sending: this one belongs to the oldest item that has no
	 * result. */
	while (apply->items[apply->oldest].op->result != PLAN_PENDING) {
		apply->oldest++;
	}
	assert(apply->oldest < apply->next && apply->n_waiting > 0);
	struct item *item = &apply->items[apply->oldest];
	apply->n_waiting--;
	apply->n_placing -= item->is_placing;
	apply->n_committing -= is_commit(item->op->kind);
	apply->waiting_size -= item->size;
	if (text == NULL) {
		item->op->result = PLAN_LOST;
		apply->result.is_lost = true;
	} else {
		settle(apply, item->op, classify(apply, item->op, text), text);
	}
	go_on(apply);
}

/* Enters the result of one operation everywhere. */
static void settle(
	struct apply *apply, struct plan_op *op, enum plan_result result, const char *text)
{
	struct apply_result *sum = &apply->result;

	op->result = result;
	if (result == PLAN_DONE) {
		sum->n_done++;
		metrics_add(METRIC_OPERATIONS, plan_ops[op->kind].name, 1);
		enter(apply, op);
		return;
	}
	sum->n_busy += result == PLAN_BUSY;
	sum->n_skipped += result == PLAN_SKIPPED;
	if (result == PLAN_REFUSED) {
		sum->n_refused++;
		metrics_add(METRIC_OPERATION_ERRORS, plan_ops[op->kind].name, 1);
		if (is_commit(op->kind)) {
			abort_transaction(apply, op);
		}
		if (sum->first_refused == NULL) {
			size_t len;
			const char *line = reply_last_line(text, &len);

			apply->first_text = xstrndup(line, len);
			sum->first_refused = op;
			sum->first_text = apply->first_text;
		}
	}
	spread(apply, op);
}

static void enter_certificate(struct applied *applied, const struct plan_op *op)
{
	switch (op->kind) {
	case PLAN_OP_CERT_LIST:
		applied_set_certificate(applied, op->certificate, op->hosts, NULL);
		break;
	case PLAN_OP_CERT_COMMIT:
		if (op->fingerprint != NULL) {
			applied_set_certificate(
				applied, op->certificate, APPLIED_DEFAULT_HOSTS, op->fingerprint);
		}
		break;
	case PLAN_OP_CA_COMMIT:
	case PLAN_OP_SHOWN_COMMIT:
		applied_set_certificate(applied, op->certificate, "", NULL);
		break;
	case PLAN_OP_CA_NEW:
	case PLAN_OP_SHOWN_NEW:
	case PLAN_OP_CERT_NEW:
	case PLAN_OP_CERT_UNLIST:
		applied_set_certificate(applied, op->certificate, NULL, NULL);
		break;
	case PLAN_OP_CA_DEL:
	case PLAN_OP_SHOWN_DEL:
	case PLAN_OP_CERT_DEL:
		applied_remove_certificate(applied, op->certificate);
		break;
	default:
		break;
	}
}

/* What HAProxy has confirmed. */
static void enter(struct apply *apply, const struct plan_op *op)
{
	if (op->certificate != NULL) {
		enter_certificate(apply->applied, op);
		return;
	}
	struct applied *applied = apply->applied;
	struct applied_backend *backend =
		op->backend ? applied_find_backend(applied, op->backend) : NULL;
	const struct applied_server *server =
		backend && op->server ? applied_find_server(backend, op->server) : NULL;

	if (op->server != NULL &&
		(backend == NULL || (server != NULL) == (op->kind == PLAN_OP_SERVER_ADD))) {
		/* A plan names only what `applied` has or what an earlier operation brings: that
		 * one was refused, because HAProxy has more than we believe. */
		assert(apply->result.n_refused > 0);
		return;
	}
	switch (op->kind) {
	case PLAN_OP_BACKEND_ADD:
		applied_add_backend(applied, op->backend);
		break;
	case PLAN_OP_BACKEND_PUBLISH:
	case PLAN_OP_BACKEND_UNPUBLISH:
		if (backend != NULL) {
			backend->is_unpublished = op->kind == PLAN_OP_BACKEND_UNPUBLISH;
		}
		break;
	case PLAN_OP_SERVER_ADD:
		applied_set_server(applied, backend, op->server, op->address, APPLIED_MAINT);
		break;
	case PLAN_OP_SERVER_ADDRESS:
		applied_set_server(applied, backend, op->server, op->address,
			(enum applied_admin)server->admin);
		break;
	case PLAN_OP_SERVER_ENABLE:
		applied_set_server(applied, backend, op->server, server->address, APPLIED_READY);
		break;
	case PLAN_OP_MAP_ADD:
	case PLAN_OP_MAP_SET:
		applied_set_entry(applied, op->map, op->key, op->value);
		break;
	case PLAN_OP_MAP_DEL:
		applied_remove_entry(applied, op->map, op->key);
		break;
	case PLAN_OP_SERVER_DRAIN:
		applied_set_server(applied, backend, op->server, server->address, APPLIED_DRAIN);
		break;
	case PLAN_OP_SERVER_DISABLE:
		applied_set_server(applied, backend, op->server, server->address, APPLIED_MAINT);
		break;
	case PLAN_OP_SERVER_DEL:
		applied_remove_server(applied, backend, op->server);
		break;
	case PLAN_OP_BACKEND_DEL:
		applied_remove_backend(applied, op->backend);
		break;
	default:
		break;
	}
}

static void spread_entry(struct apply *apply, const struct plan_op *op)
{
	const char *value = applied_find_entry(apply->applied, op->map, op->key);

	if (op->map == MODEL_MAP_HOSTS || op->map == MODEL_MAP_NETWORKS ||
		op->map == MODEL_MAP_ADDRESSES) {
		return;
	}
	if (op->map == MODEL_MAP_EXTERNAL || op->map == MODEL_MAP_POLICY) {
		/* Its key stands for a backend, or is what routes name. */
		marks_put(&apply->marks, op->key, "", BROKEN);
		return;
	}
	if (value != NULL) {
		size_t len = model_backend_len(value);
		CLEANUP(free_ptr) char *backend = xstrndup(value, len);

		marks_put(&apply->marks, backend, "", rules[op->kind].backend_marks);
		if (value[len] != '\0') {
			marks_put(
				&apply->marks, value + len + 1, "", rules[op->kind].backend_marks);
		}
	}
	if (op->value != NULL && op->map != MODEL_MAP_DEFAULTS && op->map != MODEL_MAP_AUTH &&
		op->map != MODEL_MAP_CANARY && op->map != MODEL_MAP_TCP) {
		/* Keys are "host/path". */
		CLEANUP(free_ptr) char *host = xstrndup(op->key, strcspn(op->key, "/"));

		marks_put(&apply->marks, "", host, MISSING);
	}
}

/* The operation that would have put it into the list has its client names. */
static void spread_certificate(struct apply *apply, const struct plan_op *op)
{
	const char *hosts = op->hosts != NULL ? op->hosts : "";
	char *host;

	marks_put(&apply->marks, CERTIFICATES, op->certificate, rules[op->kind].server_marks);
	while ((host = take_host(&hosts)) != NULL) {
		marks_put(&apply->marks, CLIENTS, host, WAITED_FOR);
		free(host);
	}
}

/* Remembers what an operation that was not done means for others. */
static void spread(struct apply *apply, const struct plan_op *op)
{
	const struct rule *rule = &rules[op->kind];

	if (op->certificate != NULL) {
		spread_certificate(apply, op);
	} else if (op->key != NULL) {
		spread_entry(apply, op);
	} else if (op->result == PLAN_BUSY) {
		marks_put(&apply->marks, op->backend, "", BUSY);
	} else {
		marks_put(&apply->marks, op->backend, "", rule->backend_marks);
		if (op->server != NULL) {
			marks_put(&apply->marks, op->backend, op->server, rule->server_marks);
		}
	}
}

static void finish(struct apply *apply)
{
	apply->on_done(apply->ctx, &apply->result);
	release(apply);
}

static void release(struct apply *apply)
{
	marks_fini(&apply->marks);
	event_free(apply->start_event);
	buf_fini(&apply->line);
	buf_fini(&apply->payload);
	free(apply->items);
	free(apply->map_dir);
	free(apply->first_text);
	free(apply);
}
