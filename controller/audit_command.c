/* See audit_command.h. */
#include "audit_command.h"

#include <curl/curl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/attr.h"
#include "base/buf.h"

#define MAX_ANSWER	 ((size_t)1 << 20)
#define REQUEST_SECONDS	 10
#define WAIT_MS		 100
#define MAX_WAITS	 6000 /* ten minutes */
#define NANOSECONDS_A_MS 1000000L

void audit_print_help(void)
{
	fputs("Usage: headgate audit [--admin-bind=ADDRESS:PORT]\n"
	      "Have the controller that runs on this machine compare what HAProxy has with what "
	      "it confirmed,\n"
	      "and repair what differs; print what was found.\n\n"
	      "  --admin-bind=ADDRESS:PORT        that of the controller (default: :8405); also "
	      "HEADGATE_ADMIN_BIND\n"
	      "                                   in the environment\n"
	      "  --help                           show this text\n\n"
	      "Exit status: 0 nothing differs, 1 something did and is being repaired, 2 it could "
	      "not be done.\n",
		stdout);
}

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct buf *answer = ctx;

	buf_append(answer, data, size * n);
	return buf_is_ok(answer) ? size * n : 0;
}

/* The address to ask, as a URL; the caller frees it. */
static char *make_url(const char *bind)
{
	static const struct {
		const char *all;
		const char *loopback;
	} rows[] = {{":", "127.0.0.1:"}, {"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].all);
		if (strncmp(bind, rows[i].all, len) == 0) {
			return xasprintf("http://%s%s/audit", rows[i].loopback, bind + len);
		}
	}
	return xasprintf("http://%s/audit", bind);
}

/* NULL: said on stderr why. The caller puts the answer. */
static struct json_object *ask(CURL *curl, const char *url, bool is_start)
{
	struct buf answer = BUF_INIT(MAX_ANSWER);
	struct json_object *json = NULL;
	long status = 0;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
	if (is_start) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK) {
		fprintf(stderr,
			"headgate: %s: %s: is the controller running, and is this its "
			"--admin-bind?\n",
			url, curl_easy_strerror(code));
	} else if (status != 200) {
		fprintf(stderr, "headgate: %s: HTTP status %ld: %s", url, status, buf_str(&answer));
	} else if ((json = json_tokener_parse(buf_str(&answer))) == NULL) {
		fprintf(stderr, "headgate: %s: the answer is not JSON\n", url);
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

static enum audit_status wait_for(CURL *curl, const char *url, int64_t number)
{
	const struct timespec wait = {.tv_nsec = WAIT_MS * NANOSECONDS_A_MS};

	for (int i = 0; i < MAX_WAITS; i++) {
		struct json_object *result = ask(curl, url, false);
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
	CLEANUP(free_ptr) char *url = make_url(bind);
	enum audit_status status = AUDIT_STATUS_FAILED;
	CURL *curl = curl_easy_init();

	if (curl == NULL) {
		fputs("headgate: libcurl can't be used\n", stderr);
		return status;
	}
	struct json_object *started = ask(curl, url, true);
	if (started != NULL) {
		status = wait_for(curl, url, number_of(started, "number"));
		json_object_put(started);
	}
	curl_easy_cleanup(curl);
	return status;
}
