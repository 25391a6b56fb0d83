/* Metrics as Prometheus reads them: the text format, version 0.0.4, checked line by line. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/metrics.h"

static int reset(void **state)
{
	(void)state;
	metrics_reset();
	return 0;
}

static char *written(void)
{
	struct buf buf = BUF_INIT(0);

	metrics_write(&buf);
	assert_true(buf_is_ok(&buf));
	return buf_take(&buf);
}

static void assert_line(const char *line)
{
	char *text = written();
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (strstr(text, wanted) == NULL) {
		fail_msg("no line '%s' in\n%s", line, text);
	}
	free(text);
}

static void test_values(void **state)
{
	(void)state;
	metrics_add(METRIC_READBACKS, NULL, 1);
	metrics_add(METRIC_READBACKS, NULL, 2);
	assert_line("headgate_readbacks_total 3");
	assert_true(metrics_get(METRIC_READBACKS, NULL) == 3);
	metrics_set(METRIC_HAPROXY_UP, NULL, 1);
	metrics_set(METRIC_HAPROXY_UP, NULL, 0);
	assert_line("headgate_haproxy_up 0");
	/* Nothing happened yet: without a label there is one value, and it is 0. */
	assert_line("headgate_reload_errors_total 0");
	metrics_add(METRIC_STATE_BYTES, NULL, 9007199254740991.0);
	assert_line("headgate_state_written_bytes_total 9007199254740991");
}

static void test_labels(void **state)
{
	(void)state;
	assert_true(metrics_get(METRIC_LISTS, "Service") == 0);
	metrics_add(METRIC_LISTS, "Service", 1);
	metrics_add(METRIC_LISTS, "Ingress", 5);
	metrics_add(METRIC_LISTS, "Service", 1);
	assert_line("headgate_lists_total{kind=\"Service\"} 2");
	assert_line("headgate_lists_total{kind=\"Ingress\"} 5");
	assert_true(metrics_get(METRIC_LISTS, "Service") == 2);
	assert_true(metrics_get(METRIC_LISTS, "EndpointSlice") == 0);
}

static void test_histogram(void **state)
{
	(void)state;
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"+Inf\"} 0");
	assert_line("headgate_reconcile_time_seconds_count 0");
	metrics_observe(METRIC_RECONCILE_TIME, 0);
	metrics_observe(METRIC_RECONCILE_TIME, 0.0001);
	metrics_observe(METRIC_RECONCILE_TIME, 0.5);
	metrics_observe(METRIC_RECONCILE_TIME, 100);
	/* A bound belongs to its bucket, and buckets are cumulative. */
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"0.0001\"} 2");
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"0.25\"} 2");
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"0.5\"} 3");
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"10\"} 3");
	assert_line("headgate_reconcile_time_seconds_bucket{le=\"+Inf\"} 4");
	assert_line("headgate_reconcile_time_seconds_sum 100.5001");
	assert_line("headgate_reconcile_time_seconds_count 4");
}

static size_t name_len(const char *text)
{
	size_t len = 0;

	while (isalnum((unsigned char)text[len]) || text[len] == '_' || text[len] == ':') {
		len++;
	}
	return len;
}

/* `name value` or `name{label="value"} value`, under a TYPE of the same name. */
static void check_sample(const char *line, const char *type_name)
{
	size_t len = name_len(line);
	const char *rest = line + len;
	char *end;

	assert_true(len > 0);
	assert_int_equal(strncmp(line, type_name, strlen(type_name)), 0);
	if (*rest == '{') {
		const char *value;
		len = name_len(rest + 1);
		value = rest + 1 + len;
		assert_int_equal(strncmp(value, "=\"", 2), 0);
		rest = strstr(value + 2, "\"} ");
		assert_non_null(rest);
		rest += 2;
	}
	assert_int_equal(*rest, ' ');
	strtod(rest + 1, &end);
	assert_true(end != rest + 1);
	assert_int_equal(*end, '\0');
}

static void test_format(void **state)
{
	char type_name[128] = "?";
	char help_name[128] = "?";
	char type[16];
	unsigned n_types = 0;

	(void)state;
	metrics_add(METRIC_RELOADS, "backend-set", 1);
	metrics_set(METRIC_OBJECTS, "Service", 0.1);
	char *text = written();
	assert_int_equal(text[strlen(text) - 1], '\n');
	for (char *save, *line = strtok_r(text, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line, "# HELP %127s ", help_name), 1);
			assert_null(strchr(line, '\\'));
		} else if (line[0] == '#') {
			assert_int_equal(sscanf(line, "# TYPE %127s %15s", type_name, type), 2);
			assert_string_equal(type_name, help_name);
			assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0 ||
				    strcmp(type, "histogram") == 0);
			/* The convention that tools rely on. */
			const char *total = strstr(type_name, "_total");
			assert_int_equal(strcmp(type, "counter") == 0, total != NULL);
			n_types++;
		} else {
			check_sample(line, type_name);
		}
	}
	assert_int_equal(n_types, METRIC_COUNT);
	free(text);
}

static void test_reset(void **state)
{
	(void)state;
	metrics_add(METRIC_LISTS, "Service", 1);
	metrics_observe(METRIC_RECONCILE_TIME, 1);
	metrics_reset();
	assert_true(metrics_get(METRIC_LISTS, "Service") == 0);
	assert_line("headgate_reconcile_time_seconds_count 0");
	metrics_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_values, reset, reset),
		cmocka_unit_test_setup_teardown(test_labels, reset, reset),
		cmocka_unit_test_setup_teardown(test_histogram, reset, reset),
		cmocka_unit_test_setup_teardown(test_format, reset, reset),
		cmocka_unit_test_setup_teardown(test_reset, reset, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
