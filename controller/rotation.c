/* See rotation.h. Called by run.c. */
#include "rotation.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/metrics.h"
#include "haproxy/encode.h"
#include "haproxy/reply.h"
#include "haproxy/tickets.h"

#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   60000

#define REPLY_DONE "TLS ticket key updated!"

/* Refusals begin like this. Others might repeat the command, which has a key in it. */
#define REPLY_REFUSED "'set ssl tls-key' "

struct rotation {
	struct event_base *base;
	struct state *state;
	unsigned period_seconds;
	struct event *timer;
	struct backoff retry;
	struct cli *cli;  /* NULL = no worker was seen yet */
	long pid;	  /* of the worker */
	bool has_tls;	  /* it wants keys */
	bool is_behind;	  /* it may not have the file's keys */
	bool has_rotated; /* the file has changed since this worker was first seen: the next one may
		     have been started before that */
	unsigned n_awaited; /* answers */
	struct err refusal; /* the first of these answers that was none; ERR_NONE = all is well */
	bool is_failing;    /* said in the log */
};

static void step(struct rotation *rotation);

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	step(ctx);
}

struct rotation *rotation_new(struct event_base *base, struct state *state, unsigned period_seconds)
{
	struct rotation *rotation = xcalloc(1, sizeof(*rotation));

	rotation->base = base;
	rotation->state = state;
	rotation->period_seconds = period_seconds;
	rotation->timer = evtimer_new(base, on_timer, rotation);
	backoff_init(&rotation->retry, RETRY_FIRST_MS, RETRY_MAX_MS, BACKOFF_KUBE_RESET_MS);
	return rotation;
}

void rotation_free(struct rotation *rotation)
{
	if (rotation == NULL) {
		return;
	}
	if (rotation->cli != NULL) {
		cli_forget(rotation->cli, rotation);
	}
	event_free(rotation->timer);
	free(rotation);
}

static void arm(struct rotation *rotation, uint64_t wait_ms)
{
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(rotation->timer, &wait);
}

void rotation_on_worker(
	struct rotation *rotation, struct cli *cli, const struct caps *caps, long pid)
{
	rotation->cli = cli;
	rotation->has_tls = caps->has_tls;
	if (rotation->pid != pid) {
		rotation->pid = pid;
		rotation->is_behind = rotation->is_behind || rotation->has_rotated;
		rotation->has_rotated = false;
	}
	arm(rotation, 0);
}

static void fail(struct rotation *rotation, const struct err *err)
{
	uint32_t wait_ms = backoff_fail(&rotation->retry, clock_now_ms());

	metrics_add(METRIC_TICKET_ROTATIONS, "error", 1);
	if (!rotation->is_failing) {
		log_line(LOG_ERROR, "TLS ticket keys were not rotated: the old ones stay in use",
			"error", err->text, NULL);
	}
	rotation->is_failing = true;
	arm(rotation, wait_ms);
}

static void succeed(struct rotation *rotation)
{
	metrics_add(METRIC_TICKET_ROTATIONS, "success", 1);
	log_line(rotation->is_failing ? LOG_INFO : LOG_DEBUG, "TLS ticket keys were rotated", NULL);
	rotation->is_failing = false;
	rotation->is_behind = false;
	backoff_reset(&rotation->retry);
	arm(rotation, 0);
}

static void refuse(struct rotation *rotation, const char *text)
{
	size_t len;

	if (text == NULL) {
		(void)err_set(&rotation->refusal, ERR_RETRY,
			"the connection to HAProxy was lost: it is told when it is back");
		return;
	}
	const char *line = reply_last_line(text, &len);
	bool can_be_shown = strncmp(line, REPLY_REFUSED, strlen(REPLY_REFUSED)) == 0;
	(void)err_set(&rotation->refusal, ERR_RETRY,
		"HAProxy refuses a key (%.*s): start it with this version's haproxy-cfg",
		can_be_shown ? (int)len : 0, can_be_shown ? line : "");
}

static bool is_done(const char *text)
{
	size_t len;

	if (text == NULL) {
		return false;
	}
	const char *line = reply_last_line(text, &len);
	return len == strlen(REPLY_DONE) && memcmp(line, REPLY_DONE, len) == 0;
}

static void on_reply(void *ctx, const char *text)
{
	struct rotation *rotation = ctx;

	if (!is_done(text) && rotation->refusal.kind == ERR_NONE) {
		refuse(rotation, text);
	}
	if (--rotation->n_awaited > 0) {
		return;
	}
	if (rotation->refusal.kind == ERR_NONE) {
		succeed(rotation);
	} else {
		fail(rotation, &rotation->refusal);
	}
}

static bool encode(
	const struct rotation *rotation, struct buf *buf, const char *key, struct err *err)
{
	buf_clear(buf);
	return encode_cli_ticket_key(buf, state_tickets_file(rotation->state), key) ||
	       err_set(err, ERR_INPUT,
		       "%s has a character that HAProxy can't be told: choose another --state-dir",
		       state_tickets_file(rotation->state));
}

/* All of them are sent before the first answer comes, so there is no half of it on our side. */
static bool tell(struct rotation *rotation, const struct ticket_keys *keys, struct err *err)
{
	struct buf command = {.is_secret = true};
	bool is_ok = true;

	rotation->refusal = (struct err){0};
	for (size_t i = 0; i < TICKETS_N_KEYS && is_ok; i++) {
		is_ok = encode(rotation, &command, keys->keys[i], err);
		if (is_ok) {
			cli_send_secret(rotation->cli, buf_str(&command), on_reply, rotation);
			rotation->n_awaited++;
		}
	}
	buf_fini(&command);
	return is_ok;
}

/* The keys that HAProxy is to be told now; *ret_wait_seconds > 0: none, for so long. */
static bool take_keys(struct rotation *rotation, struct ticket_keys *ret_keys,
	int64_t *ret_wait_seconds, struct err *err)
{
	int64_t written;

	*ret_wait_seconds = 0;
	if (!state_read_tickets(rotation->state, ret_keys, &written, err)) {
		return false;
	}
	if (rotation->is_behind) {
		return true;
	}
	*ret_wait_seconds =
		tickets_wait_seconds(written, (int64_t)time(NULL), rotation->period_seconds);
	if (*ret_wait_seconds > 0) {
		return true;
	}
	if (!state_rotate_tickets(rotation->state, ret_keys, err)) {
		return false;
	}
	rotation->is_behind = true;
	rotation->has_rotated = true;
	return true;
}

/* What is to be done now, and when to look again. */
static void step(struct rotation *rotation)
{
	struct ticket_keys keys = {0};
	struct err err = {0};
	int64_t wait_seconds = 0;

	if (rotation->n_awaited > 0 || !rotation->has_tls) {
		return;
	}
	bool is_ok =
		cli_is_connected(rotation->cli) ||
		err_set(&err, ERR_RETRY, "HAProxy is not connected: it is told when it is back");
	is_ok = is_ok && take_keys(rotation, &keys, &wait_seconds, &err);
	if (is_ok && wait_seconds == 0) {
		is_ok = tell(rotation, &keys, &err);
	}
	tickets_wipe(&keys);
	if (!is_ok) {
		fail(rotation, &err);
	} else if (wait_seconds > 0) {
		arm(rotation, (uint64_t)wait_seconds * 1000);
	}
}
