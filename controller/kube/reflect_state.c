/*
 * See reflect_state.h. Called by kube/reflector.c; must not know how requests are made, what kinds
 * there are, or what time it is beyond `now_ms`.
 */
#include "kube/reflect_state.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static bool is_valid(const char *text, size_t max_len)
{
	return text != NULL && *text != '\0' && strnlen(text, max_len + 1) <= max_len;
}

static void replace(char **text, const char *with)
{
	char *copy = with ? xstrdup(with) : NULL;

	free(*text);
	*text = copy;
}

/* xorshift64 */
static uint64_t next_random(struct reflect_state *state)
{
	state->random ^= state->random << 13;
	state->random ^= state->random >> 7;
	state->random ^= state->random << 17;
	return state->random;
}

void reflect_state_init(struct reflect_state *state, uint64_t seed)
{
	*state = (struct reflect_state){.step = REFLECT_LIST, .random = seed | 1};
	backoff_init(
		&state->backoff, BACKOFF_KUBE_FIRST_MS, BACKOFF_KUBE_MAX_MS, BACKOFF_KUBE_RESET_MS);
	backoff_seed(&state->backoff, next_random(state));
}

void reflect_state_fini(struct reflect_state *state)
{
	free(state->version);
	free(state->list_version);
	free(state->continue_token);
	*state = (struct reflect_state){0};
}

bool reflect_state_is_first_page(const struct reflect_state *state)
{
	return state->step == REFLECT_LIST && state->continue_token == NULL;
}

void reflect_query_add(struct buf *query, const char *key, const char *value)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					 "0123456789-._~";

	buf_printf(query, "%s%s=", query->len > 0 ? "&" : "", key);
	for (const unsigned char *c = (const unsigned char *)value; *c != '\0'; c++) {
		if (strchr(unreserved, *c) != NULL) {
			buf_append_char(query, (char)*c);
		} else {
			buf_printf(query, "%%%02X", *c);
		}
	}
}

static void add_number(struct buf *query, const char *key, unsigned number)
{
	buf_printf(query, "%s%s=%u", query->len > 0 ? "&" : "", key, number);
}

static void add_list_query(const struct reflect_state *state, struct buf *query)
{
	add_number(query, "limit", LIST_PAGE_SIZE);
	if (state->continue_token != NULL) {
		/* The token holds the resourceVersion; giving one too is an error. */
		reflect_query_add(query, "continue", state->continue_token);
	} else if (state->version != NULL && !state->must_list_newest) {
		/* Never go back in time, whichever server answers. */
		reflect_query_add(query, "resourceVersion", state->version);
		reflect_query_add(query, "resourceVersionMatch", "NotOlderThan");
	}
}

void reflect_state_query(struct reflect_state *state, uint64_t now_ms, struct buf *query)
{
	state->started_ms = now_ms;
	state->has_news = false;
	state->asked = state->step;
	if (state->step == REFLECT_LIST) {
		add_list_query(state, query);
		return;
	}
	unsigned range = WATCH_MAX_SECONDS - WATCH_MIN_SECONDS;
	unsigned seconds = WATCH_MIN_SECONDS + (unsigned)(next_random(state) % range);

	add_number(query, "watch", 1);
	reflect_query_add(query, "allowWatchBookmarks", "true");
	reflect_query_add(query, "resourceVersion", state->version);
	add_number(query, "timeoutSeconds", seconds);
}

bool reflect_state_page(struct reflect_state *state, const char *version,
	const char *continue_token, bool *ret_is_last)
{
	bool is_last = continue_token == NULL || *continue_token == '\0';

	if (!is_valid(version, VERSION_MAX_LEN) ||
		(!is_last && !is_valid(continue_token, CONTINUE_MAX_LEN))) {
		return false;
	}
	if (state->list_version == NULL) {
		/* Of page 1: should later pages be newer, the watch only repeats what they had. */
		replace(&state->list_version, version);
	}
	replace(&state->continue_token, is_last ? NULL : continue_token);
	if (is_last) {
		free(state->version);
		state->version = state->list_version;
		state->list_version = NULL;
		state->must_list_newest = false;
		state->has_listed = true;
		state->n_refused = 0;
		state->step = REFLECT_WATCH;
	}
	*ret_is_last = is_last;
	return true;
}

void reflect_state_seen(struct reflect_state *state, const char *version)
{
	if (!is_valid(version, VERSION_MAX_LEN) || strcmp(version, state->version) == 0) {
		return;
	}
	replace(&state->version, version);
	state->has_news = true;
}

/* The next request is page 1 of a list. */
static void restart_list(struct reflect_state *state)
{
	replace(&state->list_version, NULL);
	replace(&state->continue_token, NULL);
	state->step = REFLECT_LIST;
}

static uint32_t wait_after_failure(
	struct reflect_state *state, const struct reflect_outcome *outcome, uint64_t now_ms)
{
	long seconds = outcome->retry_after_seconds;
	uint32_t told_ms = 0;

	/* What grew was the wait for a server that wasn't there. */
	if (outcome->status != 0 && state->was_unanswered) {
		backoff_reset(&state->backoff);
	}
	state->was_unanswered = outcome->status == 0;
	uint32_t wait_ms = backoff_fail(&state->backoff, now_ms);

	if (seconds > RETRY_AFTER_MAX_SECONDS) {
		seconds = RETRY_AFTER_MAX_SECONDS;
	}
	if (seconds > 0) {
		told_ms = (uint32_t)seconds * 1000 + RETRY_AFTER_MARGIN_MS;
	}
	return wait_ms > told_ms ? wait_ms : told_ms;
}

/* An answer that says there is something wrong with the request itself, or with the server's view
 * of it. */
static bool is_refusal(long status)
{
	return status >= 400 && status != 401 && status != 403 && status != 429 && status != 503;
}

static void decide_list(struct reflect_state *state, const struct reflect_outcome *outcome)
{
	bool is_unknown =
		is_refusal(outcome->status) && (outcome->status < 500 || outcome->status == 504);

	if (outcome->end == REFLECT_GONE || is_unknown) {
		state->must_list_newest |= state->continue_token == NULL;
		restart_list(state);
	}
}

static void decide_watch(struct reflect_state *state, const struct reflect_outcome *outcome)
{
	if (outcome->end == REFLECT_GONE) {
		restart_list(state);
		return;
	}
	state->n_refused = is_refusal(outcome->status) ? state->n_refused + 1 : 0;
	if (state->n_refused >= WATCH_MAX_REFUSED) {
		state->n_refused = 0;
		restart_list(state);
	}
}

/* True = all is well and there is nothing to wait for. */
static bool went_well(
	struct reflect_state *state, const struct reflect_outcome *outcome, uint64_t now_ms)
{
	if (outcome->end != REFLECT_OK) {
		return false;
	}
	state->has_retried_denied = false;
	return state->asked == REFLECT_LIST || state->has_news ||
	       now_ms - state->started_ms >= WATCH_SHORT_MS;
}

uint32_t reflect_state_end(
	struct reflect_state *state, const struct reflect_outcome *outcome, uint64_t now_ms)
{
	if (went_well(state, outcome, now_ms)) {
		state->n_refused = 0;
		return 0;
	}
	if (outcome->status == 401 && !state->has_retried_denied) {
		state->has_retried_denied = true;
		return 0;
	}
	if (state->asked == REFLECT_LIST) {
		decide_list(state, outcome);
	} else {
		decide_watch(state, outcome);
	}
	return wait_after_failure(state, outcome, now_ms);
}
