/*
 * One audit: everything that HAProxy has is read back piece by piece and compared with `applied`
 * (plan/drift), while changes go on.
 *
 * A round is one map, some thousand backends, or all certificates; it is asked for in slices of at
 * most AUDIT_BATCH questions. Its first question is sent when no pass is running, and what a pass
 * touches from then on is not judged. Without a difference the round is done; otherwise what
 * differed is asked for again AUDIT_VERDICT_MS later, and what still differs is drift: reported,
 * `applied` is corrected, and on_repair gets the keys to plan for. Between slices the audit waits,
 * so that it takes at most a fifth of the time of either side.
 *
 * Which connection: maps have one of their own, so that no change waits behind an answer of
 * megabytes; HAProxy keeps its place in a map while entries go and come. It does not do so in other
 * lists (before 3.5 a server, a backend or a certificate that is deleted while somebody lists it is
 * used after it is freed), so these are asked for on the connection that changes things, where
 * commands follow one another: a change waits behind at most AUDIT_BATCH backends, or one list of
 * certificates, or one list of at most AUDIT_MAX_LISTED backends.
 *
 * Foreign backends, which get no requests, are looked for where HAProxy can add backends and has
 * no more than that.
 */
#ifndef HG_HAPROXY_AUDIT_H
#define HG_HAPROXY_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "haproxy/cli.h"
#include "plan/applied.h"
#include "plan/caps.h"
#include "plan/drift.h"

/* Backends that are asked for in one go: about a millisecond of HAProxy's time. */
#define AUDIT_BATCH	 32
#define AUDIT_MAX_LISTED 20000

/* HAProxy changes the address of a server within 35 ms of its answer. */
#define AUDIT_VERDICT_MS 500

struct audit;

/* All borrowed until on_done or audit_cancel(). */
struct audit_target {
	struct cli *cli;	    /* the connection that changes things; connected */
	const char *runtime_socket; /* for one of its own */
	const char *map_dir;	    /* of the map files, as HAProxy knows it */
	struct applied *applied;
	const struct model *model;
	struct caps caps;
	long pid; /* of the worker that `applied` was read back from */
};

struct audit_counts {
	size_t n_entries; /* that HAProxy has, and so on */
	size_t n_backends;
	size_t n_servers;
	size_t n_certificates;
};

struct audit_callbacks {
	/* For each difference of a verdict. */
	drift_fn on_drift;
	/* Keys whose entry in `applied` has been corrected; to be taken (emptied), else freed. */
	void (*on_repair)(void *ctx, struct model_delta *delta);
	/* The end; `err` is NULL, or says why not everything was looked at: ERR_RETRY (connection
	 * lost, another worker), ERR_PROTO (an answer that is not understood). */
	void (*on_done)(void *ctx, const struct audit_counts *counts, const struct err *err);
	void *ctx;
};

/*
 * Begins at once; not in the middle of a pass. Callbacks come from the event loop or from
 * audit_on_rest(), never from here. The object is freed by itself after on_done.
 */
struct audit *audit_start(
	const struct audit_target *target, const struct audit_callbacks *callbacks) MUST_USE;

/* Stops without calling on_done. NULL is fine. Before cli_free(). */
void audit_cancel(struct audit *audit);

/* A pass is about to carry out this plan. */
void audit_on_pass(struct audit *audit, const struct plan *plan);

/* It has ended: every operation has its answer. May end the audit. */
void audit_on_rest(struct audit *audit);

#endif
