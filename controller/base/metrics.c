/* See metrics.h. Each metric is a short list of values, one a label value: the sets are small, so a
 * list is enough. */
#include "base/metrics.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum metric_type { COUNTER, GAUGE, HISTOGRAM };

static const struct {
	enum metric_type type;
	const char *name;
	const char *label;
	const char *help;
} infos[METRIC_COUNT] = {
#define METRIC(id, type, name, label, help) {type, name, label, help},
#include "base/metrics.def"
};

static const double bounds[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
	0.1, 0.25, 0.5, 1, 2.5, 5, 10};

struct sample {
	struct sample *next;
	char *label_value; /* NULL = no label */
	double value;	   /* histograms: the sum */
	uint64_t *buckets; /* histograms: ARRAY_LEN(bounds) + 1 counts, not cumulated */
};

static struct sample *samples[METRIC_COUNT];

static struct sample *find(enum metric metric, const char *label_value)
{
	for (struct sample *sample = samples[metric]; sample != NULL; sample = sample->next) {
		if (label_value == NULL || strcmp(sample->label_value, label_value) == 0) {
			return sample;
		}
	}
	return NULL;
}

static struct sample *find_or_add(enum metric metric, const char *label_value)
{
	struct sample *sample = find(metric, label_value);

	assert((label_value == NULL) == (infos[metric].label[0] == '\0'));
	if (sample == NULL) {
		sample = xcalloc(1, sizeof(*sample));
		sample->label_value = label_value ? xstrdup(label_value) : NULL;
		sample->next = samples[metric];
		samples[metric] = sample;
	}
	return sample;
}

void metrics_add(enum metric metric, const char *label_value, double amount)
{
	assert(infos[metric].type != HISTOGRAM);
	find_or_add(metric, label_value)->value += amount;
}

void metrics_set(enum metric metric, const char *label_value, double value)
{
	assert(infos[metric].type == GAUGE);
	find_or_add(metric, label_value)->value = value;
}

double metrics_get(enum metric metric, const char *label_value)
{
	const struct sample *sample = find(metric, label_value);

	return sample ? sample->value : 0;
}

void metrics_observe(enum metric metric, double seconds)
{
	struct sample *sample = find_or_add(metric, NULL);
	size_t bucket = 0;

	assert(infos[metric].type == HISTOGRAM);
	if (sample->buckets == NULL) {
		sample->buckets = xcalloc(ARRAY_LEN(bounds) + 1, sizeof(*sample->buckets));
	}
	while (bucket < ARRAY_LEN(bounds) && seconds > bounds[bucket]) {
		bucket++;
	}
	sample->buckets[bucket]++;
	sample->value += seconds;
}

static void write_histogram(struct buf *buf, const char *name, const struct sample *sample)
{
	uint64_t total = 0;

	for (size_t i = 0; i <= ARRAY_LEN(bounds); i++) {
		total += sample && sample->buckets ? sample->buckets[i] : 0;
		if (i < ARRAY_LEN(bounds)) {
			buf_printf(buf, "%s_bucket{le=\"%g\"} %llu\n", name, bounds[i],
				(unsigned long long)total);
		} else {
			buf_printf(buf, "%s_bucket{le=\"+Inf\"} %llu\n", name,
				(unsigned long long)total);
		}
	}
	buf_printf(buf, "%s_sum %.9g\n", name, sample ? sample->value : 0.0);
	buf_printf(buf, "%s_count %llu\n", name, (unsigned long long)total);
}

static void write_values(struct buf *buf, enum metric metric)
{
	if (samples[metric] == NULL && infos[metric].label[0] == '\0') {
		buf_printf(buf, "%s 0\n", infos[metric].name);
	}
	for (const struct sample *sample = samples[metric]; sample != NULL; sample = sample->next) {
		if (sample->label_value == NULL) {
			buf_printf(buf, "%s %.17g\n", infos[metric].name, sample->value);
		} else {
			buf_printf(buf, "%s{%s=\"%s\"} %.17g\n", infos[metric].name,
				infos[metric].label, sample->label_value, sample->value);
		}
	}
}

void metrics_write(struct buf *buf)
{
	static const char *const type_names[] = {"counter", "gauge", "histogram"};

	for (int i = 0; i < METRIC_COUNT; i++) {
		buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", infos[i].name, infos[i].help,
			infos[i].name, type_names[infos[i].type]);
		if (infos[i].type == HISTOGRAM) {
			write_histogram(buf, infos[i].name, samples[i]);
		} else {
			write_values(buf, (enum metric)i);
		}
	}
}

void metrics_reset(void)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		struct sample *next;
		for (struct sample *sample = samples[i]; sample != NULL; sample = next) {
			next = sample->next;
			free(sample->label_value);
			free(sample->buckets);
			free(sample);
		}
		samples[i] = NULL;
	}
}
