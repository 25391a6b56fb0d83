/*
 * See client.h. Owns the requests, the pools of connections that they run on, and the credentials;
 * called by reflector.c and run.c. Must not know what the answers mean.
 *
 * Requests are started from an event of their own, never from within kube_client_get(): libcurl
 * forbids adding a transfer from its callbacks, and a caller needn't think of being called back
 * before it has the request in hand.
 */
#include "kube/client.h"

#include <assert.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/credentials.h"
#include "kube/curl_loop.h"
#include "version.h"

/* A silent peer is found dead after KEEPALIVE_IDLE + COUNT * INTERVAL seconds, an unacknowledged
 * one after as many. */
#define KEEPALIVE_IDLE_SECONDS	   15
#define KEEPALIVE_INTERVAL_SECONDS 5
#define KEEPALIVE_COUNT		   3
#define UNACKNOWLEDGED_MS	   30000

/* The body of an error answer is read so that the connection stays usable, up to here; likewise all
 * headers. */
#define IGNORED_MAX_SIZE (64u * 1024)
#define HEADERS_MAX_SIZE (64u * 1024)

/* With libcurl 7.88 and its default of 16 KiB, a list on a connection that watches share sometimes
 * stood still until idle_seconds, with nothing left to read in the socket: starts against a real
 * API server hung after 2 to 11 good ones, and not once in 200 with a buffer above the 32 KiB that
 * it reads from a connection at once. Why is not proven; the likely cause is that it keeps back
 * what exceeds the buffer of a transfer that it isn't serving just then. */
#define RECEIVE_BUFFER_SIZE (64u * 1024)

#define WARN_INTERVAL_MS 60000

/* One generation of connections. The client has one current pool; older ones end with their last
 * request. */
struct pool {
	TAILQ_ENTRY(pool) next;
	struct kube_client *client;
	struct curl_loop *loop;
	unsigned n_requests;
	bool is_connected; /* a request was answered, and none has failed since */
};

struct kube_client {
	struct event_base *base; /* borrowed */
	struct kube_config *config;
	struct credentials *credentials;
	char *base_url;		       /* server, with the host that its certificate is for */
	struct curl_slist *connect_to; /* where that host really is; NULL = there */
	struct event *work;	       /* requests wait to be started or buried */
	struct turn_queue list_turns;
	struct comeback comeback;
	struct log_limit warn_limit;
	TAILQ_HEAD(pool_list, pool) pools; /* the newest one is the first */
	TAILQ_HEAD(request_list, kube_request) requests;
};

struct kube_request {
	TAILQ_ENTRY(kube_request) next;
	struct kube_client *client;
	struct pool *pool; /* NULL = not started */
	CURL *easy;
	struct curl_slist *headers; /* holds the token: wiped */
	char *path_and_query;
	struct event *idle_timer; /* NULL = no limit */
	unsigned idle_seconds;
	uint64_t heard_ms; /* last sign of life */
	size_t ignored_size;
	size_t headers_size;
	bool is_counted;   /* in the metric */
	bool is_cancelled; /* its functions must not be called any more */
	bool was_stopped;  /* by on_data */
	kube_answer_fn on_answer;
	kube_data_fn on_data;
	kube_done_fn on_done;
	kube_reply_fn on_reply; /* NULL = of kube_client_get() */
	void *ctx;
	const char *accept; /* NULL = JSON */
	enum kube_method method;
	char *content_type;
	char *body;	   /* NULL = none */
	struct buf answer; /* for on_reply */
	char error[CURL_ERROR_SIZE];
};

static bool set_address(struct kube_client *client, struct err *err);
static void on_work(evutil_socket_t fd, short events, void *ctx);
static void on_transfer_done(void *ctx, CURL *easy, CURLcode code);
static void on_idle(evutil_socket_t fd, short events, void *ctx);
static struct kube_request *enqueue(struct kube_client *client, struct kube_request *request);
static void free_request(struct kube_request *request);
static bool open_pool(struct kube_client *client);
static void close_pool(struct pool *pool);

struct kube_client *kube_client_new(
	struct event_base *base, struct kube_config *config, struct err *err)
{
	struct kube_client *client = xcalloc(1, sizeof(*client));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	client->base = base;
	client->config = config;
	TAILQ_INIT(&client->pools);
	TAILQ_INIT(&client->requests);
	turn_queue_init(&client->list_turns);
	client->credentials = credentials_new(config, err);
	client->work = evtimer_new(base, on_work, client);
	if (client->credentials == NULL || !set_address(client, err)) {
		kube_client_free(client);
		return NULL;
	}
	if (!comeback_init(&client->comeback, base) || client->work == NULL || !open_pool(client)) {
		(void)err_set(err, ERR_RETRY, "libcurl or libevent can't be set up");
		kube_client_free(client);
		return NULL;
	}
	return client;
}

void kube_client_free(struct kube_client *client)
{
	if (client == NULL) {
		return;
	}
	while (!TAILQ_EMPTY(&client->requests)) {
		free_request(TAILQ_FIRST(&client->requests));
	}
	while (!TAILQ_EMPTY(&client->pools)) {
		close_pool(TAILQ_FIRST(&client->pools));
	}
	if (client->work != NULL) {
		event_free(client->work);
	}
	comeback_fini(&client->comeback);
	curl_slist_free_all(client->connect_to);
	credentials_free(client->credentials);
	kube_config_free(client->config);
	free(client->base_url);
	free(client);
	curl_global_cleanup();
}

struct kube_request *kube_client_get(struct kube_client *client, const struct kube_get *get)
{
	struct kube_request *request = xcalloc(1, sizeof(*request));

	request->path_and_query = xstrdup(get->path_and_query);
	request->accept = get->accept;
	request->idle_seconds = get->idle_seconds;
	request->on_answer = get->on_answer;
	request->on_data = get->on_data;
	request->on_done = get->on_done;
	request->ctx = get->ctx;
	return enqueue(client, request);
}

struct kube_request *kube_client_call(struct kube_client *client, const struct kube_call *call)
{
	struct kube_request *request = xcalloc(1, sizeof(*request));

	request->path_and_query = xstrdup(call->path_and_query);
	request->idle_seconds = call->idle_seconds;
	request->on_reply = call->on_reply;
	request->ctx = call->ctx;
	request->method = call->method;
	if (call->body != NULL) {
		request->content_type = xstrdup(call->content_type);
		request->body = xstrdup(call->body);
	}
	buf_init(&request->answer, KUBE_CALL_KEPT_MAX_SIZE);
	return enqueue(client, request);
}

void kube_request_cancel(struct kube_request *request)
{
	request->is_cancelled = true;
	if (request->pool != NULL && curl_loop_is_inside(request->pool->loop)) {
		/* libcurl is on the stack and must not lose a transfer now. */
		event_active(request->client->work, EV_TIMEOUT, 0);
		return;
	}
	free_request(request);
}

struct turn_queue *kube_client_list_turns(struct kube_client *client)
{
	return &client->list_turns;
}

struct comeback *kube_client_comeback(struct kube_client *client)
{
	return &client->comeback;
}

static struct kube_request *enqueue(struct kube_client *client, struct kube_request *request)
{
	request->client = client;
	TAILQ_INSERT_TAIL(&client->requests, request, next);
	event_active(client->work, EV_TIMEOUT, 0);
	return request;
}

/* With tls-server-name, the URL carries that name and libcurl is told where to connect instead. */
static bool set_address(struct kube_client *client, struct err *err)
{
	const char *name = client->config->tls_server_name;
	CURLU *url = curl_url();
	char *host = NULL;
	char *text = NULL;
	bool is_ok = url != NULL &&
		     curl_url_set(url, CURLUPART_URL, client->config->server, 0) == CURLUE_OK &&
		     curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;

	if (is_ok && name != NULL) {
		char *target = xasprintf("::%s:", host);
		client->connect_to = curl_slist_append(NULL, target);
		free(target);
		is_ok = client->connect_to != NULL &&
			curl_url_set(url, CURLUPART_HOST, name, 0) == CURLUE_OK &&
			curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
	}
	if (is_ok) {
		client->base_url = xstrdup(text ? text : client->config->server);
		size_t len = strlen(client->base_url);
		if (len > 0 && client->base_url[len - 1] == '/') {
			client->base_url[len - 1] = '\0'; /* libcurl writes a path "/" */
		}
	} else {
		(void)err_set(err, ERR_INPUT, "%s: server or tls-server-name is not a host",
			client->config->source);
	}
	curl_free(host);
	curl_free(text);
	curl_url_cleanup(url);
	return is_ok;
}

static bool open_pool(struct kube_client *client)
{
	struct pool *pool = xcalloc(1, sizeof(*pool));

	pool->client = client;
	pool->loop = curl_loop_new(client->base, on_transfer_done, pool);
	if (pool->loop == NULL) {
		free(pool);
		return false;
	}
	TAILQ_INSERT_HEAD(&client->pools, pool, next);
	return true;
}

static void close_pool(struct pool *pool)
{
	assert(pool->n_requests == 0);
	TAILQ_REMOVE(&pool->client->pools, pool, next);
	curl_loop_free(pool->loop);
	free(pool);
}

/* Requests from now on use new connections; those on the way keep theirs. */
static void renew_pool(struct kube_client *client, const struct pool *suspect)
{
	if (suspect == TAILQ_FIRST(&client->pools) && open_pool(client)) {
		event_active(client->work, EV_TIMEOUT, 0); /* buries the old one when it is empty */
	}
}

static void free_request(struct kube_request *request)
{
	TAILQ_REMOVE(&request->client->requests, request, next);
	if (request->pool != NULL) {
		curl_loop_remove(request->pool->loop, request->easy);
		request->pool->n_requests--;
	}
	curl_easy_cleanup(request->easy);
	for (struct curl_slist *header = request->headers; header != NULL; header = header->next) {
		OPENSSL_cleanse(header->data, strlen(header->data));
	}
	curl_slist_free_all(request->headers);
	if (request->idle_timer != NULL) {
		event_free(request->idle_timer);
	}
	buf_fini(&request->answer);
	free(request->content_type);
	free(request->body);
	free(request->path_and_query);
	free(request);
}

static void count_request(struct kube_request *request, long status)
{
	if (!request->is_counted) {
		request->is_counted = true;
		metrics_add(METRIC_REST_REQUESTS, status ? log_num(status) : "<error>", 1);
	}
}

static void finish(struct kube_request *request, const struct kube_result *result)
{
	count_request(request, result->status);
	if (!request->is_cancelled) {
		request->is_cancelled = true; /* this is the last call */
		if (request->on_reply != NULL) {
			request->on_reply(request->ctx, result, buf_str(&request->answer));
		} else {
			request->on_done(request->ctx, result);
		}
	}
	free_request(request);
}

static void finish_failed(struct kube_request *request, const char *why)
{
	finish(request, &(struct kube_result){.error = why});
}

static void restart_idle_timer(struct kube_request *request, uint64_t wait_ms)
{
	struct timeval wait = {
		.tv_sec = (time_t)(wait_ms / 1000),
		.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000),
	};
	evtimer_add(request->idle_timer, &wait);
}

/* The timer isn't moved with each byte: it looks, when it fires, how long the silence has been. */
static void on_idle(evutil_socket_t fd, short events, void *ctx)
{
	struct kube_request *request = ctx;
	uint64_t limit_ms = (uint64_t)request->idle_seconds * 1000;
	uint64_t silent_ms = clock_now_ms() - request->heard_ms;
	char why[64];

	(void)fd;
	(void)events;
	if (silent_ms < limit_ms) {
		restart_idle_timer(request, limit_ms - silent_ms);
		return;
	}
	renew_pool(request->client, request->pool);
	snprintf(why, sizeof(why), "nothing received for %u seconds", request->idle_seconds);
	finish_failed(request, why);
}

static bool add_header(struct kube_request *request, const char *header)
{
	struct curl_slist *longer = curl_slist_append(request->headers, header);

	if (longer == NULL) {
		return false;
	}
	request->headers = longer;
	return true;
}

/* Without a word from us libcurl takes a body for a form, and may ask before it sends it. */
static bool add_content_type(struct kube_request *request)
{
	if (request->body == NULL) {
		return true;
	}
	CLEANUP(free_ptr) char *header = xasprintf("Content-Type: %s", request->content_type);

	return add_header(request, header) && add_header(request, "Expect:");
}

static bool add_headers(struct kube_request *request)
{
	const char *token = credentials_token(request->client->credentials);

	CLEANUP(free_ptr)
	char *accept =
		xasprintf("Accept: %s", request->accept ? request->accept : "application/json");
	if (!add_header(request, accept) || !add_content_type(request)) {
		return false;
	}
	if (token == NULL) {
		return true;
	}
	char *header = xasprintf("Authorization: Bearer %s", token);
	bool is_ok = add_header(request, header);
	OPENSSL_cleanse(header, strlen(header));
	free(header);
	return is_ok;
}

/* libcurl 7.88 can set keepalive times but neither the number of probes nor the limit on
 * unacknowledged data. */
static int on_socket_created(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_SECONDS},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_SECONDS},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT},
		{IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS},
	};

	(void)ctx;
	(void)purpose;
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		/* A kernel that lacks one of them still serves; idle_seconds remains. */
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			sizeof(options[i].value));
	}
	return CURL_SOCKOPT_OK;
}

/* The answer to a call: its beginning is kept. */
static size_t keep_answer(struct kube_request *request, const char *data, size_t len)
{
	size_t room = KUBE_CALL_KEPT_MAX_SIZE - request->answer.len;

	buf_append(&request->answer, data, len < room ? len : room);
	request->ignored_size += len;
	return request->ignored_size > KUBE_CALL_READ_MAX_SIZE ? 0 : len;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct kube_request *request = ctx;
	size_t len = size * n;
	long status = 0;

	request->heard_ms = clock_now_ms();
	if (request->is_cancelled) {
		return 0;
	}
	if (request->on_reply != NULL) {
		return keep_answer(request, data, len);
	}
	curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200) {
		request->ignored_size += len;
		return request->ignored_size > IGNORED_MAX_SIZE ? 0 : len;
	}
	if (!request->on_data(request->ctx, data, len)) {
		request->was_stopped = true;
		return 0;
	}
	/* on_data may have cancelled. */
	return request->is_cancelled ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t n, void *ctx)
{
	struct kube_request *request = ctx;
	size_t len = size * n;
	long status = 0;

	request->heard_ms = clock_now_ms();
	request->headers_size += len;
	if (request->headers_size > HEADERS_MAX_SIZE) {
		return 0;
	}
	if (len == 2 && memcmp(data, "\r\n", 2) == 0) {
		curl_easy_getinfo(request->easy, CURLINFO_RESPONSE_CODE, &status);
		if (status >= 200) {
			count_request(request, status);
			request->pool->is_connected = true;
		}
		if (status == 200 && request->on_answer != NULL && !request->is_cancelled) {
			request->on_answer(request->ctx);
		}
	}
	return len;
}

static bool set_url(struct kube_request *request)
{
	struct kube_client *client = request->client;
	char *url = xasprintf("%s%s", client->base_url, request->path_and_query);
	bool is_ok = curl_easy_setopt(request->easy, CURLOPT_URL, url) == CURLE_OK;

	free(url);
	if (client->connect_to != NULL) {
		curl_easy_setopt(request->easy, CURLOPT_CONNECT_TO, client->connect_to);
	}
	return is_ok;
}

/* What is the same for every request. None of these fails but for lack of memory. */
static void set_options(struct kube_request *request)
{
	CURL *easy = request->easy;
	bool is_http = strncasecmp(request->client->base_url, "http:", 5) == 0;
	bool is_connected = TAILQ_FIRST(&request->client->pools)->is_connected;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->error);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, is_http ? "http" : "https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* A resolver thread that hangs must not hold up the end of its request. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Wait for TLS to tell whether the connection can be shared; without TLS it can't. Where
	 * there is a connection, nothing is waited for: libcurl shares it, and a request that waits
	 * in vain would wait until the idle limit. */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, is_http || is_connected ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)KUBE_CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "headgate/" HEADGATE_VERSION);
	curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket_created);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, request);
}

static void set_method(struct kube_request *request)
{
	static const char *const names[] = {
		[KUBE_GET] = NULL,
		[KUBE_POST] = "POST",
		[KUBE_PUT] = "PUT",
		[KUBE_PATCH] = "PATCH",
	};

	if (names[request->method] != NULL) {
		curl_easy_setopt(request->easy, CURLOPT_CUSTOMREQUEST, names[request->method]);
	}
	if (request->body != NULL) {
		/* Borrowed by libcurl: the request outlives the transfer. */
		curl_easy_setopt(request->easy, CURLOPT_POSTFIELDS, request->body);
		curl_easy_setopt(request->easy, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)strlen(request->body));
	}
}

static bool prepare(struct kube_request *request)
{
	request->easy = curl_easy_init();
	if (request->easy == NULL) {
		return false;
	}
	set_options(request);
	set_method(request);
	return set_url(request) && add_headers(request) &&
	       curl_easy_setopt(request->easy, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK &&
	       credentials_apply_tls(request->client->credentials, request->easy);
}

static void refresh_credentials(struct kube_client *client)
{
	struct err err = {0};
	bool needs_new_connection = false;
	unsigned n_skipped;

	if (!credentials_refresh(client->credentials, &needs_new_connection, &err) &&
		log_limit_pass(&client->warn_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		log_line(LOG_WARN,
			"credentials can't be read again, the last good ones stay in use", "error",
			err.text, NULL);
	}
	if (needs_new_connection) {
		log_line(LOG_INFO, "credentials changed, connecting anew", "source",
			client->config->source, NULL);
		renew_pool(client, TAILQ_FIRST(&client->pools));
	}
}

static void start_request(struct kube_request *request)
{
	struct kube_client *client = request->client;

	refresh_credentials(client);
	struct pool *pool = TAILQ_FIRST(&client->pools);
	if (request->idle_seconds > 0) {
		request->idle_timer = evtimer_new(client->base, on_idle, request);
	}
	if (!prepare(request) || !curl_loop_add(pool->loop, request->easy)) {
		finish_failed(request, "libcurl can't take the request");
		return;
	}
	request->pool = pool;
	pool->n_requests++;
	request->heard_ms = clock_now_ms();
	if (request->idle_timer != NULL) {
		restart_idle_timer(request, (uint64_t)request->idle_seconds * 1000);
	}
}

/* The first request that is to be started or buried. The list may change with each that is treated.
 */
static struct kube_request *next_work(struct kube_client *client)
{
	struct kube_request *request = TAILQ_FIRST(&client->requests);

	while (request != NULL && request->pool != NULL && !request->is_cancelled) {
		request = TAILQ_NEXT(request, next);
	}
	return request;
}

static void on_work(evutil_socket_t fd, short events, void *ctx)
{
	struct kube_client *client = ctx;
	struct kube_request *request;

	(void)fd;
	(void)events;
	while ((request = next_work(client)) != NULL) {
		if (request->is_cancelled) {
			free_request(request);
		} else {
			start_request(request);
		}
	}
	struct pool *pool = TAILQ_FIRST(&client->pools);
	for (pool = TAILQ_NEXT(pool, next); pool != NULL;) {
		struct pool *next = TAILQ_NEXT(pool, next);
		if (pool->n_requests == 0) {
			close_pool(pool);
		}
		pool = next;
	}
}

/* Something that newer files may cure. */
static bool is_credential_fault(CURLcode code, long status)
{
	return status == 401 || code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CONNECT_ERROR || code == CURLE_SSL_CERTPROBLEM ||
	       code == CURLE_SSL_CACERT_BADFILE || code == CURLE_RECV_ERROR;
}

static void on_transfer_done(void *ctx, CURL *easy, CURLcode code)
{
	struct pool *pool = ctx;
	struct kube_client *client = pool->client;
	struct kube_request *request = NULL;
	struct kube_result result = {0};
	curl_off_t retry_after = 0;

	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &result.status);
	curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	result.retry_after_seconds = (long)retry_after;
	bool is_success = result.status >= 200 && result.status < 300;
	if (code != CURLE_OK && (is_success || result.status < 200)) {
		/* Headers alone, or half a body, are no answer; of an error answer the status says
		 * enough. */
		result.status = 0;
		result.retry_after_seconds = 0;
		result.error = request->was_stopped ? "stopped"
			       : request->error[0]  ? request->error
						    : curl_easy_strerror(code);
	}
	if (code != CURLE_OK && !request->was_stopped) {
		pool->is_connected = false;
	}
	if (is_credential_fault(code, result.status)) {
		credentials_distrust(client->credentials);
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		renew_pool(client, pool);
	}
	finish(request, &result);
	if (pool->n_requests == 0) {
		event_active(client->work, EV_TIMEOUT, 0);
	}
}
