/* See standing.h. */
#include "standing.h"

#include "base/json.h"
#include "base/metrics.h"
#include "model/diag.h"
#include "version.h"

/* Members of an object, those that are not 0. */
static void write_count(struct buf *json, const char *name, size_t count, bool *is_first)
{
	if (count > 0) {
		buf_printf(json, "%s\"%s\":%zu", *is_first ? "" : ",", name, count);
		*is_first = false;
	}
}

static void write_routes(struct buf *json, const struct model *model)
{
	struct model_counts counts;
	bool is_first = true;

	model_count(model, &counts);
	buf_append_str(json, ",\"maps\":{");
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		write_count(json, model_map_files[map], counts.n_entries[map], &is_first);
	}
	buf_printf(json,
		"},\"ingresses\":%zu,\"backends\":%zu,\"servers\":%zu,\"certificates\":%zu",
		counts.n_ingresses, counts.n_backends, counts.n_servers, counts.n_certificates);
}

static void write_problems(struct buf *json, const struct model *model)
{
	size_t counts[DIAG_REASON_COUNT];
	bool is_first = true;

	model_count_diags(model, counts);
	buf_append_str(json, ",\"problems\":{");
	for (int i = 0; i < DIAG_REASON_COUNT; i++) {
		write_count(json, diag_reason_names[i], counts[i], &is_first);
	}
	buf_append_char(json, '}');
}

static void write_objects(struct buf *json, const struct store *store)
{
	bool is_first = true;

	buf_append_str(json, ",\"objects\":{");
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		write_count(json, kube_kinds[kind].name, store_count(store, (enum kube_kind)kind),
			&is_first);
	}
	buf_append_char(json, '}');
}

void standing_write(struct buf *json, const struct store *store, const struct reconcile *reconcile)
{
	buf_append_str(json, "{\"version\":");
	json_append_text(json, HEADGATE_VERSION, JSON_TEXT_WHOLE);
	buf_append_char(json, ',');
	reconcile_write(reconcile, json);
	write_routes(json, reconcile_model(reconcile));
	write_problems(json, reconcile_model(reconcile));
	write_objects(json, store);
	buf_printf(json, ",\"is_leader\":%s,\"status_waiting\":%.0f,\"events_waiting\":%.0f}",
		metrics_get(METRIC_LEADER, NULL) > 0 ? "true" : "false",
		metrics_get(METRIC_STATUS_WAITING, NULL), metrics_get(METRIC_EVENTS_WAITING, NULL));
}
