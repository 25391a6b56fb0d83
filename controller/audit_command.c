/* See audit_command.h. */
#include "audit_command.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin_ask.h"
#include "base/attr.h"
#include "base/buf.h"
#include "command_flags.h"

#define MAX_ANSWER	 ((size_t)1 << 20)
#define STATUS_OK	 200
#define WAIT_MS		 100
#define MAX_WAITS	 6000 /* ten minutes */
#define NANOSECONDS_A_MS 1000000L

void audit_print_help(void)
{
	command_flags_print_help(stdout, "audit",
		"Usage: headgate audit [OPTION]...\n"
		"Have the controller that runs on this machine compare what HAProxy has with what "
		"it confirmed,\n"
		"and repair what differs; print what was found.\n",
		"Exit status: 0 nothing differs, 1 something did and is being repaired, 2 it could "
		"not be done.\n");
}

/* NULL: said on stderr why. The caller puts the answer. */
static struct json_object *ask(const char *bind, bool is_start)
{
	struct buf answer = BUF_INIT(MAX_ANSWER);
	struct json_object *json = NULL;
	long status = admin_ask(&(struct admin_question){bind, "/audit", is_start}, &answer);

	if (status != 0 && status != STATUS_OK) {
		fprintf(stderr, "headgate: /audit: HTTP status %ld: %s", status, buf_str(&answer));
	} else if (status != 0 && (json = json_tokener_parse(buf_str(&answer))) == NULL) {
		fputs("headgate: /audit: the answer is not JSON\n", stderr);
	}
	buf_fini(&answer);
	return json;
}

static const char *text_of(struct json_object *json, const char *name)
{
	const char *text = json_object_get_string(json_object_object_get(json, name));

	return text != NULL ? text : "";
}

static int64_t number_of(struct json_object *json, const char *name)
{
	return json_object_get_int64(json_object_object_get(json, name));
}

/* Keys and values have no control bytes: they are of the allow-list, or were refused. */
static void print_found(struct json_object *result)
{
	struct json_object *found = json_object_object_get(result, "found");
	size_t n = found != NULL ? json_object_array_length(found) : 0;
	int64_t n_all = 0;

	json_object_object_foreach(json_object_object_get(result, "drift"), kind, count)
	{
		(void)kind;
		n_all += json_object_get_int64(count);
	}
	if (n > 0) {
		printf("%-20s %-48s %-24s %s\n", "KIND", "OBJECT", "EXPECTED", "FOUND");
	}
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_array_get_idx(found, i);
		const char *expected = text_of(row, "expected");
		const char *is = text_of(row, "found");
		printf("%-20s %-48s %-24s %s\n", text_of(row, "kind"), text_of(row, "object"),
			expected[0] ? expected : "-", is[0] ? is : "-");
	}
	if (n_all > (int64_t)n) {
		printf("and %lld more\n", (long long)(n_all - (int64_t)n));
	}
}

static enum audit_status print_result(struct json_object *result)
{
	const char *word = text_of(result, "result");

	if (strcmp(word, "failed") == 0) {
		fprintf(stderr, "headgate: %s\n", text_of(result, "error"));
		return AUDIT_STATUS_FAILED;
	}
	print_found(result);
	printf("%s: %lld map entries, %lld backends, %lld servers, %lld certificates compared in "
	       "%lld ms\n",
		strcmp(word, "clean") == 0 ? "nothing differs" : "differences are being repaired",
		(long long)number_of(result, "entries"), (long long)number_of(result, "backends"),
		(long long)number_of(result, "servers"),
		(long long)number_of(result, "certificates"),
		(long long)number_of(result, "took_ms"));
	return strcmp(word, "clean") == 0 ? AUDIT_STATUS_CLEAN : AUDIT_STATUS_DRIFT;
}

static enum audit_status wait_for(const char *bind, int64_t number)
{
	const struct timespec wait = {.tv_nsec = WAIT_MS * NANOSECONDS_A_MS};

	for (int i = 0; i < MAX_WAITS; i++) {
		struct json_object *result = ask(bind, false);
		if (result == NULL) {
			return AUDIT_STATUS_FAILED;
		}
		if (number_of(result, "number") >= number) {
			enum audit_status status = print_result(result);
			json_object_put(result);
			return status;
		}
		json_object_put(result);
		nanosleep(&wait, NULL);
	}
	fprintf(stderr, "headgate: no audit has ended within %d minutes: is HAProxy running?\n",
		MAX_WAITS * WAIT_MS / 60000);
	return AUDIT_STATUS_FAILED;
}

enum audit_status audit_command(const char *bind)
{
	enum audit_status status = AUDIT_STATUS_FAILED;
	struct json_object *started = ask(bind, true);

	if (started != NULL) {
		status = wait_for(bind, number_of(started, "number"));
		json_object_put(started);
	}
	return status;
}
