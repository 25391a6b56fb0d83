/*
 * Drift: what HAProxy says it has, compared key by key with `applied`, what it has confirmed. A
 * difference that no operation explains should not be: a bug of ours or of HAProxy's, or somebody
 * else's hand. Pure; haproxy/audit asks the questions.
 *
 * The comparison is made twice. The first time differences are only counted; the second time, a
 * while later, they are a verdict: reported, and `applied` is corrected, so that a plan for
 * `repair` brings HAProxy back. So what HAProxy does a moment after it has answered (3.0 and later:
 * a server's new address) is not taken for drift.
 *
 * What a pass has touched since the first question was sent is not judged: its answer may be older
 * or newer than the operation. Deliberate states are no drift, because `applied` has them: servers
 * that drain, servers in maintenance that wait to be deleted, backends left behind where HAProxy
 * can't delete them. Health and weights are not looked at.
 *
 * Not seen: whether a backend is published, and the content of certificates other than the default.
 */
#ifndef HG_PLAN_DRIFT_H
#define HG_PLAN_DRIFT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/table.h"
#include "model/model.h"
#include "plan/applied.h"
#include "plan/plan.h"

enum drift_kind {
#define DRIFT(id, name) DRIFT_##id,
#include "plan/drift.def"
	DRIFT_KIND_COUNT
};

extern const char *const drift_kind_names[DRIFT_KIND_COUNT];

/* One difference; texts are borrowed for the call. */
struct drift {
	enum drift_kind kind;
	const char *object;   /* "hosts.map a.test", a backend, "backend/server", a certificate */
	const char *expected; /* NULL = nothing */
	const char *found;    /* NULL = nothing */
};

typedef void (*drift_fn)(void *ctx, const struct drift *drift);

/* Keys that are remembered as touched; after more than that nothing is judged. */
#define DRIFT_MAX_TOUCHED 100000

struct drift_look {
	struct applied *applied;   /* borrowed; a verdict corrects it */
	const struct model *model; /* borrowed */
	drift_fn report;
	void *ctx;
	bool is_verdict;
	size_t n_different; /* since drift_look_init(), in both modes */
	/* What a verdict has corrected; whoever takes it leaves it empty. */
	struct model_delta repair;

	char *foreign;	      /* the backend that is being looked at, if it is nothing of ours */
	struct table touched; /* texts in the arena */
	struct arena arena;
	bool is_blind; /* too much was touched */
};

void drift_look_init(struct drift_look *look, struct applied *applied, const struct model *model,
	drift_fn report, void *ctx);
void drift_look_fini(struct drift_look *look);

/* A pass is about to carry out this plan. */
void drift_touch(struct drift_look *look, const struct plan *plan);
/* All that was touched has been answered, and no question is open. */
void drift_forget_touched(struct drift_look *look);

/* One map, whole: begin, each of its entries, end. Of a key that is there twice each value counts.
 */
void drift_begin_map(struct drift_look *look, enum model_map map);
void drift_see_entry(
	struct drift_look *look, enum model_map map, const char *key, const char *value);
void drift_end_map(struct drift_look *look, enum model_map map);

/* One backend: its servers, then the end; is_there false = HAProxy has no such backend. */
void drift_see_server(
	struct drift_look *look, const char *backend, const struct applied_server *found);
void drift_end_backend(struct drift_look *look, const char *backend, bool is_there);

/* Is a backend of this name nothing that we know of? */
bool drift_is_foreign(const struct drift_look *look, const char *backend) MUST_USE;

/* All certificates: begin, those in the list, those in memory, the default's fingerprint, end. */
void drift_begin_certificates(struct drift_look *look);
void drift_see_listed(struct drift_look *look, const char *name, const char *hosts);
void drift_see_certificate(struct drift_look *look, const char *name);
void drift_see_default(struct drift_look *look, const char *fingerprint);
void drift_end_certificates(struct drift_look *look);

#endif
