/*
 * See cli.h.
 *
 * Reentrancy: whatever a callback does, the function that called it looks at `epoch` (changed by
 * every connect and disconnect) before it goes on with the connection, and `n_busy` keeps the
 * object alive until the outermost one has returned.
 */
#include "haproxy/cli.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/frame.h"

#define READ_SIZE (64 * 1024)

/* Reads in one go before other events get their turn. */
#define READS_PER_TURN 16

struct command {
	STAILQ_ENTRY(command) link;
	const char *payload;   /* while it is being queued; NULL = none */
	cli_line_fn on_line;   /* NULL = the answer as one text */
	cli_reply_fn on_reply; /* NULL = nobody wants the answer any more */
	void *ctx;
	bool has_payload;
	bool is_secret;
};

STAILQ_HEAD(command_queue, command);

struct cli {
	struct event_base *base;
	cli_lost_fn on_lost;
	void *ctx;
	int fd;		 /* -1 = not connected */
	int given_up_fd; /* half closed, until HAProxy is through with it; -1 = none */
	struct event *given_up_event;
	struct event *read_event;
	struct event *write_event;
	struct event *deadline_event;
	struct buf out;
	size_t n_written; /* bytes at the front of `out` that are sent */
	struct frame frame;
	struct command_queue waiting; /* in the order sent; the first one's answer is being read */
	struct command_queue losing;  /* taken off a broken connection, to be told so */
	bool is_losing;
	unsigned epoch;
	unsigned n_busy;
	unsigned reads_per_turn;
	bool is_freed;
	char *read_buffer;
};

static int open_socket(const char *path, struct err *err);
static bool explain_connect(const char *path, int error, struct err *err);
static void queue(struct cli *cli, const char *command, const struct command *how);
static void start_writing(struct cli *cli);
static void begin_answer(struct cli *cli);
static void on_prompt(void *ctx, const char *text);
static void on_readable(evutil_socket_t fd, short what, void *ctx);
static void on_writable(evutil_socket_t fd, short what, void *ctx);
static void on_deadline(evutil_socket_t fd, short what, void *ctx);
static bool read_some(struct cli *cli);
static void handle_bytes(struct cli *cli, const char *data, size_t len);
static void handle_event(struct cli *cli, enum frame_event event);
static void empty_out(struct cli *cli);
static void lose(struct cli *cli, const char *text);
static void close_connection(struct cli *cli);
static void give_up(struct cli *cli);
static void on_given_up(evutil_socket_t fd, short what, void *ctx);
static void close_given_up(struct cli *cli);
static void tell_losers(struct cli *cli);
static void drop_queue(struct command_queue *commands);
static void leave(struct cli *cli);
static void release(struct cli *cli);

struct cli *cli_new(struct event_base *base, cli_lost_fn on_lost, void *ctx)
{
	struct cli *cli = xcalloc(1, sizeof(*cli));

	cli->base = base;
	cli->on_lost = on_lost;
	cli->ctx = ctx;
	cli->fd = -1;
	cli->given_up_fd = -1;
	cli->reads_per_turn = READS_PER_TURN;
	cli->read_buffer = xmalloc(READ_SIZE);
	cli->deadline_event = evtimer_new(base, on_deadline, cli);
	assert(cli->deadline_event != NULL);
	buf_init(&cli->out, 2 * CLI_MAX_QUEUE);
	STAILQ_INIT(&cli->waiting);
	STAILQ_INIT(&cli->losing);
	return cli;
}

void cli_free(struct cli *cli)
{
	if (cli == NULL) {
		return;
	}
	close_connection(cli);
	close_given_up(cli);
	drop_queue(&cli->losing);
	cli->is_freed = true;
	if (cli->n_busy == 0) {
		release(cli);
	}
}

bool cli_connect(struct cli *cli, const char *path, struct err *err)
{
	assert(cli->fd < 0 && !cli->is_losing && !cli->is_freed);
	int fd = open_socket(path, err);
	if (fd < 0) {
		return false;
	}
	cli->fd = fd;
	cli->epoch++;
	cli->read_event = event_new(cli->base, fd, EV_READ | EV_PERSIST, on_readable, cli);
	cli->write_event = event_new(cli->base, fd, EV_WRITE, on_writable, cli);
	assert(cli->read_event != NULL && cli->write_event != NULL);
	event_add(cli->read_event, NULL);
	cli_send(cli, "prompt", on_prompt, cli);
	return true;
}

void cli_disconnect(struct cli *cli)
{
	if (cli->fd < 0) {
		return;
	}
	cli->n_busy++;
	close_connection(cli);
	tell_losers(cli);
	leave(cli);
}

bool cli_is_connected(const struct cli *cli)
{
	return cli->fd >= 0;
}

void cli_send(struct cli *cli, const char *command, cli_reply_fn on_reply, void *ctx)
{
	queue(cli, command, &(struct command){.on_reply = on_reply, .ctx = ctx});
}

void cli_send_lines(
	struct cli *cli, const char *command, cli_line_fn on_line, cli_reply_fn on_done, void *ctx)
{
	assert(on_line != NULL);
	queue(cli, command, &(struct command){.on_line = on_line, .on_reply = on_done, .ctx = ctx});
}

static bool is_payload(const char *command, const char *payload)
{
	size_t len = strlen(payload);

	return len > 0 && payload[0] != '\n' && payload[len - 1] == '\n' &&
	       strstr(payload, "\n\n") == NULL && strlen(command) + len <= CLI_MAX_PAYLOAD;
}

void cli_send_payload(
	struct cli *cli, const char *command, const char *payload, cli_reply_fn on_reply, void *ctx)
{
	assert(is_payload(command, payload));
	queue(cli, command,
		&(struct command){
			.payload = payload, .on_reply = on_reply, .ctx = ctx, .has_payload = true});
}

void cli_send_secret(struct cli *cli, const char *command, cli_reply_fn on_reply, void *ctx)
{
	queue(cli, command, &(struct command){.on_reply = on_reply, .ctx = ctx, .is_secret = true});
}

static void forget_in(struct command_queue *commands, const void *ctx)
{
	struct command *next = STAILQ_FIRST(commands);

	for (; next != NULL; next = STAILQ_NEXT(next, link)) {
		if (next->ctx == ctx) {
			next->on_reply = NULL;
		}
	}
}

void cli_forget(struct cli *cli, const void *ctx)
{
	forget_in(&cli->waiting, ctx);
	forget_in(&cli->losing, ctx);
}

void cli_set_reads_per_turn(struct cli *cli, unsigned n_reads)
{
	cli->reads_per_turn = n_reads;
}

struct event_base *cli_base(const struct cli *cli)
{
	return cli->base;
}

static int open_socket(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(address.sun_path)) {
		(void)err_set(err, ERR_INPUT,
			"HAProxy's runtime socket %s: the path must have 1 to %zu bytes: choose a "
			"shorter one",
			path, sizeof(address.sun_path) - 1);
		return -1;
	}
	memcpy(address.sun_path, path, len + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		(void)err_set(err, ERR_RETRY, "HAProxy's runtime socket %s: %m", path);
		return -1;
	}
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		(void)explain_connect(path, errno, err);
		close(fd);
		return -1;
	}
	return fd;
}

static bool explain_connect(const char *path, int error, struct err *err)
{
	if (error == EACCES || error == EPERM) {
		return err_set(err, ERR_DENIED,
			"HAProxy's runtime socket %s: %s: let HAProxy make it for this user (stats "
			"socket ... user/mode)",
			path, strerror(error));
	}
	return err_set(err, ERR_RETRY,
		"HAProxy's runtime socket %s: %s: is HAProxy running, and is this its socket?",
		path, strerror(error));
}

static void restart_deadline(struct cli *cli)
{
	const struct timeval wait = {CLI_DEADLINE_MS / 1000, CLI_DEADLINE_MS % 1000 * 1000L};

	if (cli->given_up_fd >= 0) {
		return; /* nothing has been asked yet */
	}
	/* libevent counts from the beginning of the loop's turn: what we did since then, a long
	 * pass perhaps, is not HAProxy's time. */
	event_base_update_cache_time(cli->base);
	event_add(cli->deadline_event, &wait);
}

static void queue(struct cli *cli, const char *command, const struct command *how)
{
	struct command *queued = xcalloc(1, sizeof(*queued));
	bool is_first = STAILQ_EMPTY(&cli->waiting);

	assert(cli->fd >= 0 && strchr(command, '\n') == NULL);
	*queued = *how;
	queued->payload = NULL;
	STAILQ_INSERT_TAIL(&cli->waiting, queued, link);
	/* Moving what is left to the front only when the sent part is the bigger one keeps this
	 * linear. */
	if (cli->n_written > cli->out.len / 2) {
		buf_consume(&cli->out, cli->n_written);
		cli->n_written = 0;
	}
	cli->out.is_secret = cli->out.is_secret || how->is_secret || how->payload != NULL;
	buf_append_str(&cli->out, command);
	if (how->payload != NULL) {
		buf_append_str(&cli->out, " <<\n");
		buf_append_str(&cli->out, how->payload);
	}
	buf_append_char(&cli->out, '\n');
	assert(buf_is_ok(&cli->out) && cli->out.len - cli->n_written <= CLI_MAX_QUEUE);
	start_writing(cli);
	if (is_first) {
		begin_answer(cli);
		restart_deadline(cli);
	}
}

/* Sets off what has been queued, unless commands of a connection that was given up may still come
 * before it. */
static void start_writing(struct cli *cli)
{
	/* Written in this turn of the loop, after the callback that is running: commands that are
	 * queued together go out together. A full socket is waited for instead. */
	if (cli->given_up_fd < 0 && !event_pending(cli->write_event, EV_WRITE, NULL)) {
		event_active(cli->write_event, EV_WRITE, 0);
	}
}

/* Gets the frame ready for the answer of the first waiting command. */
static void begin_answer(struct cli *cli)
{
	const struct command *first = STAILQ_FIRST(&cli->waiting);

	if (first != NULL && first->on_line != NULL) {
		frame_begin(&cli->frame, true, CLI_MAX_LINE, CLI_MAX_LINES);
	} else {
		frame_begin(&cli->frame, false, CLI_MAX_REPLY, CLI_MAX_REPLY);
	}
}

static void on_prompt(void *ctx, const char *text)
{
	struct cli *cli = ctx;

	if (text != NULL && text[0] != '\0') {
		lose(cli, "it does not know the command `prompt`");
	}
}

static void on_readable(evutil_socket_t fd, short what, void *ctx)
{
	struct cli *cli = ctx;
	unsigned epoch = cli->epoch;

	(void)fd;
	(void)what;
	cli->n_busy++;
	for (unsigned i = 0; i < cli->reads_per_turn && cli->epoch == epoch && !cli->is_freed;
		i++) {
		if (!read_some(cli)) {
			break;
		}
	}
	leave(cli);
}

/* False = there is nothing more to read for now, or the connection is gone. */
static bool read_some(struct cli *cli)
{
	ssize_t n = recv(cli->fd, cli->read_buffer, READ_SIZE, 0);

	if (n > 0) {
		if (!STAILQ_EMPTY(&cli->waiting)) {
			restart_deadline(cli);
		}
		handle_bytes(cli, cli->read_buffer, (size_t)n);
		return n == READ_SIZE;
	}
	if (n == 0 || errno == ECONNRESET) {
		lose(cli, "it closed the connection");
	} else if (errno != EAGAIN && errno != EINTR) {
		char text[128];
		snprintf(text, sizeof(text), "reading failed: %s", strerror(errno));
		lose(cli, text);
	}
	return false;
}

static void handle_bytes(struct cli *cli, const char *data, size_t len)
{
	unsigned epoch = cli->epoch;
	size_t pos = 0;
	enum frame_event event = FRAME_MORE;

	while (pos < len || event != FRAME_MORE) {
		size_t used;

		if (STAILQ_EMPTY(&cli->waiting)) {
			if (pos < len) {
				lose(cli, "it said something without being asked");
			}
			return;
		}
		event = frame_step(&cli->frame, data + pos, len - pos, &used);
		pos += used;
		handle_event(cli, event);
		if (cli->epoch != epoch || cli->is_freed) {
			return;
		}
	}
}

/* Up to 3.0, prompt mode says "+ " for each line of a payload; 3.4 now and then. */
static const char *answer_text(const struct command *command, const struct frame *answer)
{
	const char *text = frame_text(answer);

	while (command->has_payload && strncmp(text, "+ ", 2) == 0) {
		text += 2;
	}
	return text;
}

static void handle_event(struct cli *cli, enum frame_event event)
{
	struct command *first = STAILQ_FIRST(&cli->waiting);

	if (event == FRAME_BAD) {
		lose(cli, "an answer is too long or has a NUL byte in it");
	} else if (event == FRAME_LINE) {
		if (first->on_reply != NULL) {
			first->on_line(first->ctx, frame_text(&cli->frame));
		}
	} else if (event == FRAME_END) {
		/* Off the queue and ready for the next answer before the call: it may send,
		 * disconnect or free. */
		struct frame answer = cli->frame;

		STAILQ_REMOVE_HEAD(&cli->waiting, link);
		cli->frame = (struct frame){0};
		begin_answer(cli);
		if (STAILQ_EMPTY(&cli->waiting)) {
			event_del(cli->deadline_event);
		}
		if (first->on_reply != NULL) {
			first->on_reply(first->ctx, answer_text(first, &answer));
		}
		free(first);
		frame_fini(&answer);
	}
}

/* Nothing is left to send, and nothing of a payload stays. */
static void empty_out(struct cli *cli)
{
	buf_clear(&cli->out);
	cli->out.is_secret = false;
	cli->n_written = 0;
}

static void on_writable(evutil_socket_t fd, short what, void *ctx)
{
	struct cli *cli = ctx;

	(void)fd;
	(void)what;
	ssize_t n = send(cli->fd, cli->out.data + cli->n_written, cli->out.len - cli->n_written,
		MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		/* What HAProxy said before it closed is still to be read; the reader finds the end.
		 */
		return;
	}
	cli->n_written += n > 0 ? (size_t)n : 0;
	if (n > 0 && !STAILQ_EMPTY(&cli->waiting)) {
		restart_deadline(cli);
	}
	if (cli->n_written < cli->out.len) {
		event_add(cli->write_event, NULL);
	} else {
		empty_out(cli);
	}
}

static void on_deadline(evutil_socket_t fd, short what, void *ctx)
{
	struct cli *cli = ctx;

	(void)fd;
	(void)what;
	cli->n_busy++;
	lose(cli, "it did not answer in time");
	leave(cli);
}

/* Only inside n_busy. */
static void lose(struct cli *cli, const char *text)
{
	close_connection(cli);
	tell_losers(cli);
	if (!cli->is_freed && cli->fd < 0) {
		cli->on_lost(cli->ctx, text);
	}
}

/* Back to unconnected; commands that wait are put aside. */
static void close_connection(struct cli *cli)
{
	if (cli->fd < 0) {
		return;
	}
	event_free(cli->read_event);
	event_free(cli->write_event);
	event_del(cli->deadline_event);
	cli->read_event = NULL;
	cli->write_event = NULL;
	if (!STAILQ_EMPTY(&cli->waiting) && cli->given_up_fd < 0) {
		give_up(cli);
	} else {
		close(cli->fd);
	}
	cli->fd = -1;
	cli->epoch++;
	empty_out(cli);
	STAILQ_CONCAT(&cli->losing, &cli->waiting);
}

/*
 * HAProxy may have commands of ours that it has not come to. Were the socket closed, it would still
 * carry some of them out, at a time that nobody knows, while the next connection reads what there
 * is. Half closed, it carries out all of them and closes then: only now the next one is heard.
 * (Tried with 2.6 and 3.4; a last line without line feed is dropped.)
 */
static void give_up(struct cli *cli)
{
	const struct timeval wait = {CLI_GIVEN_UP_MS / 1000, CLI_GIVEN_UP_MS % 1000 * 1000L};

	if (shutdown(cli->fd, SHUT_WR) < 0) {
		close(cli->fd);
		return;
	}
	cli->given_up_fd = cli->fd;
	cli->given_up_event = event_new(cli->base, cli->fd, EV_READ, on_given_up, cli);
	assert(cli->given_up_event != NULL);
	event_base_update_cache_time(cli->base);
	event_add(cli->given_up_event, &wait);
}

static void on_given_up(evutil_socket_t fd, short what, void *ctx)
{
	struct cli *cli = ctx;
	const struct timeval wait = {CLI_GIVEN_UP_MS / 1000, CLI_GIVEN_UP_MS % 1000 * 1000L};

	if ((what & EV_READ) != 0) {
		ssize_t n = recv(fd, cli->read_buffer, READ_SIZE, 0);
		if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR))) {
			event_add(cli->given_up_event, &wait);
			return;
		}
	}
	close_given_up(cli);
	if (cli->fd >= 0 && !STAILQ_EMPTY(&cli->waiting)) {
		start_writing(cli);
		restart_deadline(cli);
	}
}

static void close_given_up(struct cli *cli)
{
	if (cli->given_up_fd < 0) {
		return;
	}
	event_free(cli->given_up_event);
	cli->given_up_event = NULL;
	close(cli->given_up_fd);
	cli->given_up_fd = -1;
}

static void tell_losers(struct cli *cli)
{
	struct command *command;

	cli->is_losing = true;
	while ((command = STAILQ_FIRST(&cli->losing)) != NULL) {
		STAILQ_REMOVE_HEAD(&cli->losing, link);
		if (command->on_reply != NULL) {
			command->on_reply(command->ctx, NULL);
		}
		free(command);
	}
	cli->is_losing = false;
}

static void drop_queue(struct command_queue *commands)
{
	struct command *command;

	while ((command = STAILQ_FIRST(commands)) != NULL) {
		STAILQ_REMOVE_HEAD(commands, link);
		free(command);
	}
}

/* The end of a function that may have called back. */
static void leave(struct cli *cli)
{
	cli->n_busy--;
	if (cli->is_freed && cli->n_busy == 0) {
		release(cli);
	}
}

static void release(struct cli *cli)
{
	event_free(cli->deadline_event);
	frame_fini(&cli->frame);
	buf_fini(&cli->out);
	free(cli->read_buffer);
	free(cli);
}
