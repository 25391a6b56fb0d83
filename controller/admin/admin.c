/* See admin.h. */
#include "admin/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/process_metrics.h"
#include "base/alloc.h"
#include "base/metrics.h"

#define MAX_HEADERS_SIZE    8192
#define TIMEOUT_SECONDS	    10
#define STATUS_ACCEPTED	    202
#define STATUS_UNAUTHORIZED 401
#define STATUS_FORBIDDEN    403
#define INGRESSES	    "/ingresses/"
#define BACKENDS	    "/backends/"

/* When nothing could be accepted (no file descriptors, no memory), for how long at most it is not
 * tried. */
#define PAUSE_SECONDS 1

/* A request for the metrics that may not be answered yet. */
struct waiting {
	struct waiting *next;
	struct admin *admin;
	/* Ours while it waits; without a connection when its client has gone meanwhile. */
	struct evhttp_request *request;
};

struct admin {
	struct evhttp *http;
	struct evconnlistener *listener; /* http's */
	struct event *retry;
	struct admin_callbacks callbacks;
	struct waiting *waiting;
	size_t n_waiting;
};

static void reply(struct evhttp_request *request, int status, const char *type, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
	/* libevent would send a body after HEAD, too. */
	if (evhttp_request_get_command(request) != EVHTTP_REQ_HEAD) {
		evbuffer_add(body, text, strlen(text));
	}
	evhttp_send_reply(request, status, NULL, body);
	evbuffer_free(body);
}

/* Only an audit can be started; everything else is read. */
static bool refuses_post(struct evhttp_request *request)
{
	bool is_post = evhttp_request_get_command(request) == EVHTTP_REQ_POST;

	if (is_post) {
		reply(request, HTTP_BADMETHOD, "text/plain; charset=utf-8",
			"this can only be read\n");
	}
	return is_post;
}

static void on_healthz(struct evhttp_request *request, void *ctx)
{
	(void)ctx;
	if (refuses_post(request)) {
		return;
	}
	reply(request, HTTP_OK, "text/plain; charset=utf-8", "ok\n");
}

static void on_readyz(struct evhttp_request *request, void *ctx)
{
	const struct admin *admin = ctx;
	const char *missing = admin->callbacks.ready(admin->callbacks.ctx);
	struct buf text = BUF_INIT(0);

	if (refuses_post(request)) {
		return;
	}
	buf_printf(&text, "%s\n", missing ? missing : "ok");
	reply(request, missing ? HTTP_SERVUNAVAIL : HTTP_OK, "text/plain; charset=utf-8",
		buf_str(&text));
	buf_fini(&text);
}

static void take_out(struct waiting *waiting)
{
	struct waiting **link = &waiting->admin->waiting;

	while (*link != waiting) {
		link = &(*link)->next;
	}
	*link = waiting->next;
	waiting->admin->n_waiting--;
}

static void write_metrics(const struct admin *admin, struct evhttp_request *request)
{
	struct buf text = BUF_INIT(0);

	admin->callbacks.refresh(admin->callbacks.ctx);
	metrics_write(&text);
	process_metrics_write(&text);
	reply(request, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text));
	buf_fini(&text);
}

static void on_answer(void *ctx, int status)
{
	struct waiting *waiting = ctx;
	struct evhttp_request *request = waiting->request;
	bool is_no = status == STATUS_UNAUTHORIZED;

	take_out(waiting);
	if (status == HTTP_OK || status == STATUS_ACCEPTED) {
		write_metrics(waiting->admin, request);
	} else {
		if (is_no) {
			evhttp_add_header(evhttp_request_get_output_headers(request),
				"WWW-Authenticate", "Basic realm=\"Metrics\", charset=\"UTF-8\"");
		}
		reply(request, is_no ? STATUS_UNAUTHORIZED : HTTP_SERVUNAVAIL,
			"text/plain; charset=utf-8",
			is_no ? "who reads the metrics has to be a user of the Secret in "
				"prometheus-endpoint-auth-secret\n"
			      : "who may read the metrics is not known just now: try again\n");
	}
	free(waiting);
}

static void on_metrics(struct evhttp_request *request, void *ctx)
{
	struct admin *admin = ctx;
	const char *authorization =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");

	if (refuses_post(request)) {
		return;
	}
	if (admin->n_waiting == ADMIN_MAX_WAITING) {
		reply(request, HTTP_SERVUNAVAIL, "text/plain; charset=utf-8",
			"too many ask for the metrics: try again\n");
		return;
	}
	struct waiting *waiting = xcalloc(1, sizeof(*waiting));
	*waiting = (struct waiting){admin->waiting, admin, request};
	admin->waiting = waiting;
	admin->n_waiting++;
	admin->callbacks.ask(
		admin->callbacks.ctx, authorization ? authorization : "", on_answer, waiting);
}

static void on_status(struct evhttp_request *request, void *ctx)
{
	const struct admin *admin = ctx;
	struct buf json = BUF_INIT(0);

	if (refuses_post(request)) {
		return;
	}
	admin->callbacks.status(admin->callbacks.ctx, &json);
	buf_append_char(&json, '\n');
	reply(request, HTTP_OK, "application/json", buf_str(&json));
	buf_fini(&json);
}

/* The two names of a path behind INGRESSES; names of Kubernetes need no percent-encoding. */
static bool split_names(const char *rest, char **ret_namespace, char **ret_name)
{
	const char *slash = strchr(rest, '/');

	if (slash == NULL || slash == rest || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
		return false;
	}
	*ret_namespace = xstrndup(rest, (size_t)(slash - rest));
	*ret_name = xstrdup(slash + 1);
	return true;
}

/* Takes the content of the buffer. */
static void reply_about(struct evhttp_request *request, bool is_known, struct buf *json)
{
	buf_append_char(json, '\n');
	reply(request, is_known ? HTTP_OK : HTTP_NOTFOUND, "application/json", buf_str(json));
	buf_fini(json);
}

static void on_ingress(struct evhttp_request *request, const struct admin *admin, const char *rest)
{
	CLEANUP(free_ptr) char *namespace = NULL;
	CLEANUP(free_ptr) char *name = NULL;
	struct buf json = BUF_INIT(0);
	bool is_known = false;

	if (split_names(rest, &namespace, &name)) {
		is_known = admin->callbacks.ingress(admin->callbacks.ctx, namespace, name, &json);
	} else {
		buf_append_str(&json, "{\"error\":\"ask for " INGRESSES "NAMESPACE/NAME\"}");
	}
	reply_about(request, is_known, &json);
}

static void on_backend(struct evhttp_request *request, const struct admin *admin, const char *name)
{
	struct buf json = BUF_INIT(0);
	bool is_known = false;

	if (*name != '\0' && strchr(name, '/') == NULL) {
		is_known = admin->callbacks.backend(admin->callbacks.ctx, name, &json);
	} else {
		buf_append_str(&json, "{\"error\":\"ask for " BACKENDS "NAME\"}");
	}
	reply_about(request, is_known, &json);
}

/* Does the other end of the connection have an address of this machine? Then it is either a
 * loopback address or the one that it has connected to. */
static bool is_local(struct evhttp_request *request)
{
	struct evhttp_connection *connection = evhttp_request_get_connection(request);
	evutil_socket_t fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
	struct sockaddr_storage here = {0};
	char text[INET6_ADDRSTRLEN] = "";
	char *peer = NULL;
	uint16_t port;
	socklen_t size = sizeof(here);

	evhttp_connection_get_peer(connection, &peer, &port);
	if (peer == NULL || getsockname(fd, (struct sockaddr *)&here, &size) != 0) {
		return false;
	}
	if (here.ss_family == AF_INET6) {
		evutil_inet_ntop(
			AF_INET6, &((struct sockaddr_in6 *)&here)->sin6_addr, text, sizeof(text));
	} else {
		evutil_inet_ntop(
			AF_INET, &((struct sockaddr_in *)&here)->sin_addr, text, sizeof(text));
	}
	return strcmp(peer, text) == 0 || strncmp(peer, "127.", 4) == 0 || strcmp(peer, "::1") == 0;
}

static void on_audit(struct evhttp_request *request, void *ctx)
{
	const struct admin *admin = ctx;
	bool is_start = evhttp_request_get_command(request) == EVHTTP_REQ_POST;
	struct buf json = BUF_INIT(0);

	if (is_start && !is_local(request)) {
		reply(request, STATUS_FORBIDDEN, "text/plain; charset=utf-8",
			"an audit can be started from this machine only\n");
		return;
	}
	admin->callbacks.audit(admin->callbacks.ctx, is_start, &json);
	buf_append_char(&json, '\n');
	reply(request, HTTP_OK, "application/json", buf_str(&json));
	buf_fini(&json);
}

static void on_other(struct evhttp_request *request, void *ctx)
{
	const struct admin *admin = ctx;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;

	if (refuses_post(request)) {
		return;
	}
	if (path != NULL && strncmp(path, INGRESSES, strlen(INGRESSES)) == 0) {
		on_ingress(request, admin, path + strlen(INGRESSES));
		return;
	}
	if (path != NULL && strncmp(path, BACKENDS, strlen(BACKENDS)) == 0) {
		on_backend(request, admin, path + strlen(BACKENDS));
		return;
	}
	reply(request, HTTP_NOTFOUND, "text/plain; charset=utf-8",
		"not found; there are /healthz, /readyz, /metrics, /status, /audit, " INGRESSES
		"NAMESPACE/NAME and " BACKENDS "NAME\n");
}

/* To ask the kernel again at once would only turn in circles. (`ctx` is libevent's own here.) */
static void on_accept_failed(struct evconnlistener *listener, void *ctx)
{
	(void)ctx;
	evconnlistener_disable(listener);
}

static void on_retry(evutil_socket_t fd, short events, void *ctx)
{
	const struct admin *admin = ctx;

	(void)fd;
	(void)events;
	evconnlistener_enable(admin->listener);
}

/* "ADDRESS:PORT" with the address optional; brackets around IPv6 are taken off. */
static bool split_bind(const char *bind, char **ret_host, uint16_t *ret_port, struct err *err)
{
	const char *colon = strrchr(bind, ':');
	char *end;

	if (colon == NULL) {
		return err_set(err, ERR_INPUT, "'%s' is not of the form ADDRESS:PORT", bind);
	}
	unsigned long port = strtoul(colon + 1, &end, 10);
	if (colon[1] == '\0' || *end != '\0' || port > UINT16_MAX) {
		return err_set(err, ERR_INPUT, "'%s' has no port number behind the last ':'", bind);
	}
	size_t len = (size_t)(colon - bind);
	if (len >= 2 && bind[0] == '[' && bind[len - 1] == ']') {
		*ret_host = xstrndup(bind + 1, len - 2);
	} else {
		*ret_host = xstrndup(bind, len);
	}
	*ret_port = (uint16_t)port;
	return true;
}

/* NULL with errno, or 0 in it when the name has no address. */
static struct evconnlistener *listen_at(struct event_base *base, const char *host, const char *port)
{
	/* Not AI_ADDRCONFIG, as evhttp has it: it takes "any address" away from a machine that has
	 * addresses of the other family only. */
	static const struct addrinfo wanted = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM};
	struct evconnlistener *listener = NULL;
	struct addrinfo *found = NULL;

	if (getaddrinfo(host, port, &wanted, &found) != 0) {
		errno = 0;
		return NULL;
	}
	for (struct addrinfo *one = found; one != NULL && listener == NULL; one = one->ai_next) {
		listener = evconnlistener_new_bind(base, NULL, NULL,
			LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_CLOSE_ON_FREE, -1,
			one->ai_addr, (int)one->ai_addrlen);
	}
	int error = errno;
	freeaddrinfo(found);
	errno = error;
	return listener;
}

/* Without a host, on all addresses of both families; on IPv4's where the kernel has no IPv6. */
static struct evconnlistener *listen_on(struct event_base *base, const char *host, uint16_t port)
{
	char text[sizeof("65535")];

	snprintf(text, sizeof(text), "%u", (unsigned)port);
	if (*host != '\0') {
		return listen_at(base, host, text);
	}
	struct evconnlistener *listener = listen_at(base, "::", text);
	return listener != NULL ? listener : listen_at(base, "0.0.0.0", text);
}

struct admin *admin_open(struct event_base *base, const char *bind,
	const struct admin_callbacks *callbacks, struct err *err)
{
	static const struct timeval interval = {.tv_sec = PAUSE_SECONDS};
	CLEANUP(free_ptr) char *host = NULL;
	uint16_t port = 0;

	if (!split_bind(bind, &host, &port, err)) {
		return NULL;
	}
	struct admin *admin = xcalloc(1, sizeof(*admin));
	admin->callbacks = *callbacks;
	admin->http = evhttp_new(base);
	evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
	evhttp_set_max_headers_size(admin->http, MAX_HEADERS_SIZE);
	evhttp_set_max_body_size(admin->http, 0);
	evhttp_set_timeout(admin->http, TIMEOUT_SECONDS);
	evhttp_set_cb(admin->http, "/healthz", on_healthz, admin);
	evhttp_set_cb(admin->http, "/readyz", on_readyz, admin);
	evhttp_set_cb(admin->http, "/metrics", on_metrics, admin);
	evhttp_set_cb(admin->http, "/status", on_status, admin);
	evhttp_set_cb(admin->http, "/audit", on_audit, admin);
	evhttp_set_gencb(admin->http, on_other, admin);
	admin->retry = event_new(base, -1, EV_PERSIST, on_retry, admin);
	admin->listener = listen_on(base, host, port);
	if (admin->listener == NULL) {
		err_set(err, ERR_INPUT, "can't listen on '%s': %s: choose another address or port",
			bind, errno ? strerror(errno) : "not an address of this machine");
		admin_close(admin);
		return NULL;
	}
	evhttp_bind_listener(admin->http, admin->listener);
	evconnlistener_set_error_cb(admin->listener, on_accept_failed);
	event_add(admin->retry, &interval);
	return admin;
}

void admin_close(struct admin *admin)
{
	if (admin == NULL) {
		return;
	}
	while (admin->waiting != NULL) {
		struct waiting *waiting = admin->waiting;
		take_out(waiting);
		/* What has a connection goes with it. */
		if (evhttp_request_get_connection(waiting->request) == NULL) {
			evhttp_request_free(waiting->request);
		}
		free(waiting);
	}
	event_free(admin->retry);
	evhttp_free(admin->http);
	free(admin);
}
