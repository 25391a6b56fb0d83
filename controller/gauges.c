/* See gauges.h. */
#include "gauges.h"

#include "base/metrics.h"
#include "model/diag.h"
#include "plan/drift.h"
#include "plan/plan.h"
#include "version.h"

void gauges_begin(void)
{
	metrics_set(METRIC_BUILD_INFO, HEADGATE_VERSION, 1);
	for (int i = 0; i < DRIFT_KIND_COUNT; i++) {
		metrics_add(METRIC_AUDIT_DRIFT, drift_kind_names[i], 0);
	}
	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		metrics_add(METRIC_RELOADS, plan_reason_names[i], 0);
	}
}

void gauges_refresh(const struct store *store, const struct model *model)
{
	size_t diag_counts[DIAG_REASON_COUNT];
	size_t annotation_counts[OPTION_VERDICT_COUNT];
	struct model_counts counts;

	model_count(model, &counts);
	metrics_set(METRIC_BACKENDS, NULL, (double)counts.n_backends);
	metrics_set(METRIC_SERVERS, NULL, (double)counts.n_servers);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		metrics_set(METRIC_ROUTES, model_map_files[map], (double)counts.n_entries[map]);
	}
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		metrics_set(METRIC_OBJECTS, kube_kinds[kind].name,
			(double)store_count(store, (enum kube_kind)kind));
	}
	model_count_diags(model, diag_counts);
	for (int i = 0; i < DIAG_REASON_COUNT; i++) {
		metrics_set(METRIC_DIAGNOSTICS, diag_reason_names[i], (double)diag_counts[i]);
	}
	model_count_annotations(model, annotation_counts);
	for (int i = 0; i < OPTION_VERDICT_COUNT; i++) {
		metrics_set(
			METRIC_ANNOTATIONS, option_verdict_names[i], (double)annotation_counts[i]);
	}
}
