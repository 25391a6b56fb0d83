/*
 * For unit tests only: something that listens where HAProxy's runtime socket would be and says what
 * a test makes it say. It lives in the event loop of the test, serves one connection at a time and
 * never waits.
 */
#ifndef HG_HAPROXY_FAKE_CLI_H
#define HG_HAPROXY_FAKE_CLI_H

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/attr.h"
#include "base/buf.h"

struct fake;

/* Appends the whole answer to a command, prompt included, to `out`. */
typedef void (*fake_answer_fn)(struct fake *fake, const char *command, struct buf *out);

struct fake {
	struct event_base *base;
	struct evconnlistener *listener;
	struct bufferevent *connection; /* NULL = nobody is there */
	char dir[32];
	char path[64];
	fake_answer_fn answer;
	void *ctx;
	struct buf held; /* said, but not sent yet */
	size_t n_sent;	 /* bytes sent on this connection */
	size_t cut_at;	 /* the stream is sent in two pieces, the first so long; 0 = all at once */
	size_t close_at; /* the connection is closed after so many bytes; SIZE_MAX = never */
	size_t n_commands; /* received on this connection */
	size_t n_reads;	   /* in which they came */
	unsigned n_connections;
};

static inline void fake_hang_up(struct fake *fake)
{
	if (fake->connection != NULL) {
		bufferevent_free(fake->connection);
		fake->connection = NULL;
	}
	buf_clear(&fake->held);
	fake->n_sent = 0;
	fake->n_commands = 0;
	fake->n_reads = 0;
}

/* Sends as much of what is held as the settings allow for now. */
static inline void fake_flush(struct fake *fake)
{
	size_t len = fake->held.len;

	if (fake->n_sent < fake->cut_at && len > fake->cut_at - fake->n_sent) {
		len = fake->cut_at - fake->n_sent;
	}
	if (fake->close_at != SIZE_MAX && len > fake->close_at - fake->n_sent) {
		len = fake->close_at - fake->n_sent;
	}
	if (len > 0) {
		bufferevent_write(fake->connection, fake->held.data, len);
		buf_consume(&fake->held, len);
		fake->n_sent += len;
	}
}

static inline void fake_on_sent(struct bufferevent *connection, void *ctx)
{
	struct fake *fake = ctx;

	(void)connection;
	if (fake->n_sent >= fake->close_at) {
		fake_hang_up(fake);
	} else {
		fake_flush(fake);
	}
}

static inline void fake_on_bytes(struct bufferevent *connection, void *ctx)
{
	struct fake *fake = ctx;
	struct evbuffer *input = bufferevent_get_input(connection);
	char *line;

	fake->n_reads++;
	while (fake->connection == connection &&
		(line = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) != NULL) {
		fake->n_commands++;
		fake->answer(fake, line, &fake->held);
		free(line);
	}
	if (fake->connection == connection) {
		fake_flush(fake);
		if (fake->close_at == 0) {
			fake_hang_up(fake);
		}
	}
}

static inline void fake_on_event(struct bufferevent *connection, short what, void *ctx)
{
	(void)connection;
	(void)what;
	fake_hang_up(ctx);
}

static inline void fake_on_connection(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int len, void *ctx)
{
	struct fake *fake = ctx;

	(void)listener;
	(void)address;
	(void)len;
	fake_hang_up(fake);
	fake->n_connections++;
	fake->connection = bufferevent_socket_new(fake->base, fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(fake->connection, fake_on_bytes, fake_on_sent, fake_on_event, fake);
	bufferevent_enable(fake->connection, EV_READ | EV_WRITE);
}

/* False = no socket. */
static inline bool fake_start(struct fake *fake, struct event_base *base, fake_answer_fn answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*fake = (struct fake){.base = base, .answer = answer, .close_at = SIZE_MAX};
	snprintf(fake->dir, sizeof(fake->dir), "/tmp/headgate-fake.XXXXXX");
	if (mkdtemp(fake->dir) == NULL) {
		return false;
	}
	snprintf(fake->path, sizeof(fake->path), "%s/runtime.sock", fake->dir);
	memcpy(address.sun_path, fake->path, sizeof(fake->path));
	fake->listener = evconnlistener_new_bind(base, fake_on_connection, fake,
		LEV_OPT_CLOSE_ON_FREE, 8, (struct sockaddr *)&address, sizeof(address));
	return fake->listener != NULL;
}

static inline void fake_stop(struct fake *fake)
{
	fake_hang_up(fake);
	if (fake->listener != NULL) {
		evconnlistener_free(fake->listener);
	}
	buf_fini(&fake->held);
	unlink(fake->path);
	rmdir(fake->dir);
}

#endif
