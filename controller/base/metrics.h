/*
 * The metrics of the process, in Prometheus' text format (version 0.0.4). The set is closed:
 * base/metrics.def. Counters for tests and operators alike; global on purpose, as every module
 * counts and none reads.
 */
#ifndef HG_BASE_METRICS_H
#define HG_BASE_METRICS_H

#include "base/buf.h"

enum metric {
#define METRIC(id, type, name, label, help) METRIC_##id,
#include "base/metrics.def"
	METRIC_COUNT
};

/* `label_value` is NULL for metrics without a label. Label values come from closed sets of ours,
 * never from tenants. */
void metrics_add(enum metric metric, const char *label_value, double amount);
void metrics_set(enum metric metric, const char *label_value, double value);
double metrics_get(enum metric metric, const char *label_value);

/* Histograms only. */
void metrics_observe(enum metric metric, double seconds);

void metrics_write(struct buf *buf);

/* Frees everything and starts at zero: for the end of the process and for tests. */
void metrics_reset(void);

#endif
