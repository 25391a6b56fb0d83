/* See expiry.h. Called by run.c. */
#include "expiry.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "kube/secret.h"

#define DAY_SECONDS ((int64_t)24 * 60 * 60)

/* Classes of the gauge, the soonest first; a certificate counts in the first that fits. */
static const struct {
	const char *label;
	int64_t within_seconds;
} classes[] = {
	{"expired", 0},
	{"7d", 7 * DAY_SECONDS},
	{"30d", 30 * DAY_SECONDS},
	{"later", INT64_MAX},
};

size_t expiry_look(struct store *store, int64_t now)
{
	struct object **changed = xcalloc(store_count(store, KUBE_SECRET), sizeof(struct object *));
	const struct object *object;
	uint32_t position = 0;
	size_t n = 0;

	while ((object = store_next(store, KUBE_SECRET, &position)) != NULL) {
		struct object *judged = secret_judge_again((const struct secret *)object, now);
		if (judged != NULL) {
			changed[n++] = judged;
		}
	}
	/* The store must not change while it is stepped through. */
	for (size_t i = 0; i < n; i++) {
		store_put(store, changed[i]);
	}
	free(changed);
	return n;
}

static size_t class_of(int64_t left_seconds)
{
	size_t i = 0;

	while (left_seconds > classes[i].within_seconds) {
		i++;
	}
	return i;
}

void expiry_refresh_metrics(const struct store *store, int64_t now)
{
	size_t counts[ARRAY_LEN(classes)] = {0};
	const struct object *object;
	uint32_t position = 0;
	int64_t next = 0;

	while ((object = store_next(store, KUBE_SECRET, &position)) != NULL) {
		const struct secret *secret = (const struct secret *)object;
		if (!obj_has(secret->pem)) {
			continue;
		}
		counts[class_of(secret->not_after - now)]++;
		if (next == 0 || secret->not_after < next) {
			next = secret->not_after;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		metrics_set(METRIC_CERTIFICATES, classes[i].label, (double)counts[i]);
	}
	metrics_set(METRIC_NEXT_EXPIRY, NULL, (double)next);
}
