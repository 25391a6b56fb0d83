/*
 * Diagnostics: what is wrong with an object, as data. They belong to the model, are rebuilt with
 * it, and are shown on the object: log line, metric, Kubernetes Event, and the answer to who asks.
 */
#ifndef HG_MODEL_DIAG_H
#define HG_MODEL_DIAG_H

#include <stddef.h>

#include "model/model.h"
#include "option/read.h"

enum diag_reason {
#define DIAG(id, reason, is_of_object) DIAG_##id,
#include "model/diag.def"
	DIAG_REASON_COUNT
};

extern const char *const diag_reason_names[DIAG_REASON_COUNT];

/* The object itself is wrong, whatever else is in the cluster. */
extern const bool diag_is_of_object[DIAG_REASON_COUNT];

struct diag {
	enum diag_reason reason;
	char *field; /* "spec.rules[0].http.paths[1].path" */
	char *text;  /* what is wrong and the remedy, in one line; may hold any bytes of the object
		      */
};

/* An Ingress whose diagnostics changed in the last updates. */
typedef void (*diag_fn)(void *ctx, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags);

/*
 * Calls `report` once for each Ingress whose diagnostics are not those of the last call (n_diags =
 * 0 when they went away or the Ingress did), sorted by namespace and name. Arguments are borrowed
 * for the call.
 */
void model_report_diags(struct model *model, diag_fn report, void *ctx);

/* What is wrong with one Ingress now, in spec order: *ret_n new diags, to be freed with
 * model_free_diags(). None for one that is not ours. */
struct diag *model_ingress_diags(
	const struct model *model, const char *namespace, const char *name, size_t *ret_n) MUST_USE;
void model_free_diags(struct diag *diags, size_t n);

/* How many of each reason the last reports named, all Ingresses together. */
void model_count_diags(const struct model *model, size_t ret_counts[DIAG_REASON_COUNT]);

/* How many annotations of each verdict our Ingresses and the Services that they name have. */
void model_count_annotations(const struct model *model, size_t ret_counts[OPTION_VERDICT_COUNT]);

#endif
