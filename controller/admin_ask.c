/* See admin_ask.h. A connection a question: they are few, and asked by hand. */
#include "admin_ask.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define REQUEST_SECONDS 10

static size_t on_data(char *data, size_t size, size_t n, void *ctx)
{
	struct buf *answer = ctx;

	buf_append(answer, data, size * n);
	return buf_is_ok(answer) ? size * n : 0;
}

/* The caller frees it. */
static char *make_url(const struct admin_question *question)
{
	static const struct {
		const char *all;
		const char *loopback;
	} rows[] = {{":", "127.0.0.1:"}, {"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t len = strlen(rows[i].all);
		if (strncmp(question->bind, rows[i].all, len) == 0) {
			return xasprintf("http://%s%s%s", rows[i].loopback, question->bind + len,
				question->path);
		}
	}
	return xasprintf("http://%s%s", question->bind, question->path);
}

long admin_ask(const struct admin_question *question, struct buf *answer)
{
	CLEANUP(free_ptr) char *url = make_url(question);
	CURL *curl = curl_easy_init();
	long status = 0;

	if (curl == NULL) {
		fputs("headgate: libcurl can't be used\n", stderr);
		return 0;
	}
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)REQUEST_SECONDS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (question->is_post) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
	}
	CURLcode code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (code != CURLE_OK) {
		fprintf(stderr,
			"headgate: %s: %s: is the controller running, and is this its "
			"--admin-bind?\n",
			url, curl_easy_strerror(code));
		return 0;
	}
	return status;
}
