/* See leader.h. Called by status.c. Must not know what the holder does. */
#include "status/leader.h"

#include <event2/util.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "status/lease.h"

#define WARN_INTERVAL_MS 60000

struct leader {
	struct leader_options options; /* texts aside: the path has them */
	struct lease lease;
	char *collection; /* path of the namespace's Leases */
	char *path;	  /* of ours */
	struct kube_request *request;
	struct event *ask_event; /* the next question */
	struct event *end_event; /* the end of what we hold, or of the patience with a release */
	bool was_held;		 /* what on_change was told */
	bool is_releasing;
	leader_done_fn done;
	void *done_ctx;
	struct log_limit warn_limit;
};

static void on_reply(void *ctx, const struct kube_result *result, const char *body);

static void arm(struct event *event, uint64_t wait_ms)
{
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(event, &wait);
}

bool leader_is_held(const struct leader *leader)
{
	return !leader->is_releasing && lease_is_held(&leader->lease, clock_now_ms());
}

static void tell(struct leader *leader)
{
	bool is_held = leader_is_held(leader);

	if (is_held != leader->was_held) {
		leader->was_held = is_held;
		metrics_set(METRIC_LEADER, NULL, is_held ? 1 : 0);
		log_line(LOG_INFO,
			is_held ? "holds the Lease: writes status and Events"
				: "holds the Lease no longer: writes nothing",
			"lease", leader->path, "identity", leader->lease.identity, NULL);
		leader->options.on_change(leader->options.ctx, is_held);
	}
	if (is_held) {
		arm(leader->end_event, leader->lease.held_until_ms - clock_now_ms());
	} else {
		event_del(leader->end_event);
	}
}

/* Half of the time that we hold it without an answer: the second try comes in time. */
static unsigned idle_seconds(const struct leader *leader)
{
	unsigned seconds = leader->lease.renew_ms / 2000;

	return seconds > 0 ? seconds : 1;
}

static void ask_server(
	struct leader *leader, enum kube_method method, const char *path, const char *body)
{
	leader->request = kube_client_call(leader->options.client,
		&(struct kube_call){
			.method = method,
			.path_and_query = path,
			.content_type = method == KUBE_PATCH ? "application/merge-patch+json"
							     : "application/json",
			.body = body,
			.idle_seconds = idle_seconds(leader),
			.on_reply = on_reply,
			.ctx = leader,
		});
}

static void on_ask(evutil_socket_t fd, short what, void *ctx)
{
	struct leader *leader = ctx;
	struct buf body = BUF_INIT(0);

	(void)fd;
	(void)what;
	enum lease_ask ask = lease_next(&leader->lease, clock_now_ms());
	tell(leader);
	lease_write(&leader->lease, clock_wall_us(), &body);
	switch (ask) {
	case LEASE_GET:
		ask_server(leader, KUBE_GET, leader->path, NULL);
		break;
	case LEASE_CREATE:
		ask_server(leader, KUBE_POST, leader->collection, buf_str(&body));
		break;
	case LEASE_TAKE:
		ask_server(leader, KUBE_PATCH, leader->path, buf_str(&body));
		break;
	}
	buf_fini(&body);
}

static void warn(struct leader *leader, const struct kube_result *result)
{
	unsigned n_skipped;

	if (log_limit_pass(&leader->warn_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		log_line(LOG_WARN, "can't take part in the election of who writes status", "lease",
			leader->path, "status", log_num(result->status), "error",
			result->error ? result->error
			: result->status == 403
				? "forbidden: let the controller get, create and patch leases "
				  "in this namespace"
				: "",
			NULL);
	}
}

static void end_release(struct leader *leader)
{
	event_del(leader->end_event);
	if (leader->done != NULL) {
		leader_done_fn done = leader->done;
		leader->done = NULL;
		done(leader->done_ctx);
	}
}

static void on_reply(void *ctx, const struct kube_result *result, const char *body)
{
	struct leader *leader = ctx;

	leader->request = NULL;
	if (leader->is_releasing) {
		end_release(leader);
		return;
	}
	uint32_t wait_ms = lease_answer(&leader->lease, result->status, body, clock_now_ms());
	bool is_usual = result->status == 200 || result->status == 201 || result->status == 404 ||
			result->status == 409;
	if (!is_usual) {
		warn(leader, result);
	}
	tell(leader);
	arm(leader->ask_event, wait_ms);
}

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
	struct leader *leader = ctx;

	(void)fd;
	(void)what;
	if (leader->is_releasing) {
		end_release(leader);
	} else {
		tell(leader);
	}
}

struct leader *leader_new(const struct leader_options *options)
{
	struct leader *leader = xcalloc(1, sizeof(*leader));
	uint64_t seed;

	leader->options = *options;
	leader->collection =
		xasprintf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", options->namespace);
	leader->path = xasprintf("%s/%s", leader->collection, options->name);
	evutil_secure_rng_get_bytes(&seed, sizeof(seed));
	lease_init(
		&leader->lease, options->name, options->identity, options->duration_seconds, seed);
	leader->ask_event = evtimer_new(options->base, on_ask, leader);
	leader->end_event = evtimer_new(options->base, on_end, leader);
	metrics_set(METRIC_LEADER, NULL, 0);
	arm(leader->ask_event, 0);
	return leader;
}

void leader_free(struct leader *leader)
{
	if (leader == NULL) {
		return;
	}
	if (leader->request != NULL) {
		kube_request_cancel(leader->request);
	}
	event_free(leader->ask_event);
	event_free(leader->end_event);
	lease_fini(&leader->lease);
	free(leader->collection);
	free(leader->path);
	free(leader);
}

void leader_release(struct leader *leader, leader_done_fn done, void *ctx)
{
	bool was_held = leader_is_held(leader);
	struct buf body = BUF_INIT(0);

	leader->is_releasing = true;
	event_del(leader->ask_event);
	if (leader->request != NULL) {
		/* A renewal under way makes this release a conflict, and the Lease then ends by
		 * itself: no harm, only later. */
		kube_request_cancel(leader->request);
		leader->request = NULL;
	}
	tell(leader);
	if (!was_held) {
		done(ctx);
		return;
	}
	leader->done = done;
	leader->done_ctx = ctx;
	lease_write_release(&leader->lease, clock_wall_us(), &body);
	ask_server(leader, KUBE_PATCH, leader->path, buf_str(&body));
	buf_fini(&body);
	arm(leader->end_event, LEADER_RELEASE_MS);
}
