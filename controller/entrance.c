/* See entrance.h. */
#include "entrance.h"

#include <stdlib.h>
#include <string.h>

#include "auth/endpoint.h"
#include "base/alloc.h"
#include "base/log.h"

/* In the place of a policy; those have a '/'. */
#define METRICS "metrics"

struct entrance {
	struct event_base *base;
	const struct store *store;
	const struct model *model;
	char *path;		   /* owned */
	struct endpoint *endpoint; /* NULL = not yet */
	struct event *retry;
	bool has_failed;
	struct model_users users; /* of the last answer */
};

static bool find_users(void *ctx, const char *policy, struct endpoint_users *ret_users)
{
	struct entrance *entrance = ctx;
	struct model_users *users = &entrance->users;
	bool is_found =
		strcmp(policy, METRICS) == 0
			? model_find_monitors(entrance->model, &users->namespace, &users->secret)
			: model_find_users(entrance->model, policy, users);

	if (!is_found) {
		return false;
	}
	const struct secret *secret =
		store_secret(entrance->store, users->namespace, users->secret);
	if (secret == NULL || !obj_has(secret->users)) {
		return false;
	}
	*ret_users = (struct endpoint_users){.text = obj_str(secret, secret->users),
		.version = obj_str(secret, secret->users_version),
		.name = users->name};
	return true;
}

static void try_to_open(struct entrance *entrance)
{
	static const struct timeval wait = {.tv_sec = ENTRANCE_RETRY_SECONDS};
	struct err err = {0};

	entrance->endpoint =
		endpoint_open(entrance->base, entrance->path, find_users, entrance, &err);
	if (entrance->endpoint != NULL) {
		return;
	}
	if (!entrance->has_failed) {
		log_line(LOG_WARN, "HAProxy can't ask for users, whose routes answer 503", "error",
			err.text, NULL);
	}
	entrance->has_failed = true;
	evtimer_add(entrance->retry, &wait);
}

static void on_retry(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	try_to_open(ctx);
}

struct entrance *entrance_open(struct event_base *base, const char *runtime_socket,
	const struct store *store, const struct model *model)
{
	struct entrance *entrance = xcalloc(1, sizeof(*entrance));
	const char *slash = strrchr(runtime_socket, '/');
	int len = slash ? (int)(slash + 1 - runtime_socket) : 0;

	entrance->base = base;
	entrance->store = store;
	entrance->model = model;
	entrance->path = xasprintf("%.*s" ENDPOINT_SOCKET, len, runtime_socket);
	entrance->retry = evtimer_new(base, on_retry, entrance);
	try_to_open(entrance);
	return entrance;
}

void entrance_close(struct entrance *entrance)
{
	if (entrance != NULL) {
		endpoint_close(entrance->endpoint);
		event_free(entrance->retry);
		free(entrance->path);
		free(entrance);
	}
}

void entrance_ask_metrics(struct entrance *entrance, const char *authorization,
	endpoint_answer_fn on_answer, void *ctx)
{
	enum model_guard guard = model_guards_metrics(entrance->model);
	struct endpoint_users users;

	if (guard == MODEL_GUARD_NONE) {
		on_answer(ctx, ENDPOINT_YES);
	} else if (guard == MODEL_GUARD_UNKNOWN || entrance->endpoint == NULL) {
		on_answer(ctx, ENDPOINT_UNKNOWN);
	} else if (!find_users(entrance, METRICS, &users)) {
		on_answer(ctx, ENDPOINT_NO);
	} else {
		endpoint_ask(entrance->endpoint,
			&(struct endpoint_question){METRICS, authorization, on_answer, ctx});
	}
}
