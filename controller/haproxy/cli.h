/*
 * The sole owner of a connection to HAProxy's runtime socket: commands go out in order and
 * pipelined, answers come back in order. It knows framing (prompt mode: one command a line, an
 * answer ends with "\n> "), deadlines and limits; it does not know what the commands mean.
 *
 * Reply functions, line functions and on_lost may call everything here, cli_free() included. They
 * run from the event loop, or from inside cli_disconnect(); never from cli_send(), cli_connect(),
 * cli_forget() or cli_free().
 *
 * Source: HAProxy management guide, section 9.3.
 */
#ifndef HG_HAPROXY_CLI_H
#define HG_HAPROXY_CLI_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* An answer given as one text may be so long; commands with longer answers ask for lines. */
#define CLI_MAX_REPLY (256 * 1024)

/* A line, and all lines of one answer: a map entry is bounded by tune.bufsize, a million of them
 * are 150 MB. */
#define CLI_MAX_LINE  (32 * 1024)
#define CLI_MAX_LINES ((size_t)1 << 30)

/* No byte for so long while an answer is awaited = the connection is given up. */
#define CLI_DEADLINE_MS 2000

/* A connection with commands that were not answered is read until HAProxy has closed it, or has
 * said nothing for so long; what is sent on the next one waits for that. */
#define CLI_GIVEN_UP_MS 10000

/* Bytes of commands that wait to be written; callers with much to say send as answers come in. More
 * is a bug (asserted). */
#define CLI_MAX_QUEUE ((size_t)16 << 20)

/* A command and its payload together: what fits into tune.bufsize (16384 by default) on every
 * version. 3.4 takes longer ones, but may cut them where one of its reads ends. */
#define CLI_MAX_PAYLOAD 15000

struct cli;

/* The answer, complete, without the prompt; NULL = the connection was lost before it came. */
typedef void (*cli_reply_fn)(void *ctx, const char *text);

/* One line of the answer, without line feed. */
typedef void (*cli_line_fn)(void *ctx, const char *line);

/*
 * The connection is gone (every waiting command has had its reply function called with NULL);
 * `text` says why. Never called from cli_free() or for cli_disconnect().
 */
typedef void (*cli_lost_fn)(void *ctx, const char *text);

struct cli *cli_new(struct event_base *base, cli_lost_fn on_lost, void *ctx) MUST_USE;

/* Waiting commands are dropped without a call: whoever waits for an answer is cancelled first
 * (cli_forget). */
void cli_free(struct cli *cli);

/*
 * Connects to a Unix socket and switches to prompt mode. Connecting to a Unix socket does not wait.
 * ERR_RETRY: nobody listens (not started yet); ERR_DENIED: permission; ERR_INPUT: the path is too
 * long; the text names the socket and the remedy. Only while not connected, and not from a reply
 * function that was called with NULL: on_lost is the place for that.
 */
bool cli_connect(struct cli *cli, const char *path, struct err *err) MUST_USE;

/* Waiting commands get NULL; on_lost is not called. */
void cli_disconnect(struct cli *cli);
bool cli_is_connected(const struct cli *cli) MUST_USE;

/*
 * Queues one command (no line feed in it: asserted). Only while connected. What one callback of the
 * event loop queues goes out together, when it has returned. on_reply is called exactly once unless
 * cli_free() or cli_forget() comes first.
 */
void cli_send(struct cli *cli, const char *command, cli_reply_fn on_reply, void *ctx);

/* The same for long answers: on_line for each line, then on_done with "" at the end, or NULL when
 * lost. */
void cli_send_lines(
	struct cli *cli, const char *command, cli_line_fn on_line, cli_reply_fn on_done, void *ctx);

/*
 * The same for a command that takes a payload: lines, each with its line feed and none of them
 * empty (an empty one would end the payload, and what follows would be commands), at most
 * CLI_MAX_PAYLOAD bytes with the command: all asserted. A payload is taken for a secret: no copy of
 * it stays behind here once it is sent.
 */
void cli_send_payload(struct cli *cli, const char *command, const char *payload,
	cli_reply_fn on_reply, void *ctx);

/* The same as cli_send() for a command that has a secret in it: no copy stays behind here once it
 * is sent. */
void cli_send_secret(struct cli *cli, const char *command, cli_reply_fn on_reply, void *ctx);

/* Answers to commands that were queued with this ctx are read and dropped from now on. The commands
 * themselves still go out. */
void cli_forget(struct cli *cli, const void *ctx);

/* So many reads of 64 KiB, before other events get their turn; 16 if nobody says otherwise. For a
 * connection whose answers are long and in no hurry. */
void cli_set_reads_per_turn(struct cli *cli, unsigned n_reads);

/* The event loop that the connection lives on. */
struct event_base *cli_base(const struct cli *cli);

#endif
