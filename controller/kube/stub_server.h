/*
 * For tests only: a small HTTP server on 127.0.0.1 in the test's own event loop, whose answers the
 * test writes itself. Functions are inline because the library holds no test code.
 */
#ifndef HG_KUBE_STUB_SERVER_H
#define HG_KUBE_STUB_SERVER_H

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "kube/config.h"

#define STUB_MAX_HELD 16

struct stub_server {
	struct event_base *base;
	struct evhttp *http;
	uint16_t port;
	struct evhttp_request *held[STUB_MAX_HELD]; /* not answered to the end */
	size_t n_held;
};

typedef void (*stub_handler_fn)(struct evhttp_request *request, void *ctx);

static inline void stub_server_init(struct stub_server *server, stub_handler_fn handler, void *ctx)
{
	struct sockaddr_in address = {0};
	socklen_t size = sizeof(address);

	server->base = event_base_new();
	server->http = evhttp_new(server->base);
	evhttp_set_gencb(server->http, handler, ctx);
	struct evhttp_bound_socket *bound =
		evhttp_bind_socket_with_handle(server->http, "127.0.0.1", 0);
	assert_non_null(bound);
	assert_int_equal(
		getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size),
		0);
	server->port = ntohs(address.sin_port);
}

static inline void stub_server_fini(struct stub_server *server)
{
	for (size_t i = 0; i < server->n_held; i++) {
		/* One whose connection has gone belongs to nobody else. */
		if (evhttp_request_get_connection(server->held[i]) == NULL) {
			evhttp_request_free(server->held[i]);
		}
	}
	evhttp_free(server->http);
	event_base_free(server->base);
}

/* The handler leaves this request without an end. */
static inline void stub_server_hold(struct stub_server *server, struct evhttp_request *request)
{
	assert_true(server->n_held < STUB_MAX_HELD);
	server->held[server->n_held++] = request;
}

/* How to reach it, with a fixed token. */
static inline struct kube_config *stub_server_config(const struct stub_server *server)
{
	struct kube_config *config = xcalloc(1, sizeof(*config));

	config->server = xasprintf("http://127.0.0.1:%u", server->port);
	config->source = xstrdup("test");
	return config;
}

static inline void stub_on_time_up(evutil_socket_t fd, short events, void *is_up)
{
	(void)fd;
	(void)events;
	*(bool *)is_up = true;
}

/* Turns the loop until *flag is set or the time is up. */
static inline void stub_server_turn(struct stub_server *server, const bool *flag, unsigned ms)
{
	struct timeval limit = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};
	bool is_up = false;
	struct event *timer = evtimer_new(server->base, stub_on_time_up, &is_up);

	evtimer_add(timer, &limit);
	while (!*flag && !is_up) {
		event_base_loop(server->base, EVLOOP_ONCE);
	}
	event_free(timer);
}

/* A test that hangs fails here. */
static inline void stub_server_run_until(struct stub_server *server, const bool *flag)
{
	stub_server_turn(server, flag, 30000);
	assert_true(*flag);
}

/* Gives what must not happen the time to happen. */
static inline void stub_server_run_ms(struct stub_server *server, unsigned ms)
{
	const bool never = false;

	stub_server_turn(server, &never, ms);
}

static inline void stub_reply(
	struct evhttp_request *request, int status, const char *body, const char *retry_after)
{
	struct evbuffer *buffer = evbuffer_new();

	if (retry_after != NULL) {
		evhttp_add_header(
			evhttp_request_get_output_headers(request), "Retry-After", retry_after);
	}
	evbuffer_add(buffer, body, strlen(body));
	evhttp_send_reply(request, status, "x", buffer);
	evbuffer_free(buffer);
}

/* "" = the request has no such header. */
static inline void stub_copy_header(
	struct evhttp_request *request, const char *name, char *to, size_t size)
{
	const char *value = evhttp_find_header(evhttp_request_get_input_headers(request), name);

	snprintf(to, size, "%s", value ? value : "");
}

static inline void stub_send_chunk(struct evhttp_request *request, const char *text)
{
	struct evbuffer *buffer = evbuffer_new();

	evbuffer_add(buffer, text, strlen(text));
	evhttp_send_reply_chunk(request, buffer);
	evbuffer_free(buffer);
}

#endif
