/*
 * The HAProxy processes: started by us in master-worker mode and supervised, or somebody else's
 * that we reach over the two sockets (two containers of one pod). Knows starting, watching,
 * reloading and stopping; nothing of what HAProxy serves.
 *
 * A master that an earlier controller started and that still runs is adopted, not started twice.
 */
#ifndef HG_HAPROXY_PROCESS_H
#define HG_HAPROXY_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

struct process;

struct process_options {
	const char *haproxy;	   /* program; NULL = not ours to start */
	const char *config_dir;	   /* haproxy-cfg */
	const char *backends_dir;  /* STATE/current/backends */
	const char *settings_file; /* STATE/settings.cfg, read before the configuration */
	const char *state_dir;	   /* exported as HEADGATE_STATE_DIR */
	const char *run_dir;	   /* exported as HEADGATE_RUN_DIR; holds the sockets by default */
	const char *runtime_socket;
	const char *master_socket; /* may be NULL when not ours: then reloads are impossible */
	const char *http_bind;	   /* exported as HEADGATE_HTTP_BIND */
	const char *stats_bind;	   /* exported as HEADGATE_STATS_BIND */
	const char *stats_name;	   /* of the stats page's user; exported as HEADGATE_STATS_NAME, and
				      the hash of the password as HEADGATE_STATS_HASH; NULL = both */
	const char *stats_hash;
	const char *stats_tls_bind;    /* exported as HEADGATE_STATS_TLS_BIND; NULL = as it is */
	const char *stats_certificate; /* exported as HEADGATE_STATS_CERTIFICATE; NULL = as it is */
	const char *https_bind;	   /* exported as HEADGATE_HTTPS_BIND; NULL = as it is in ours */
	const char *server_header; /* exported as HEADGATE_SERVER_HEADER; NULL = as it is in ours */
	unsigned grace_ms;	   /* running requests have so long to finish; 0 = a minute */
	bool is_strict_sni;	   /* exported as HEADGATE_STRICT_SNI */
	bool is_proxy_accepted;	   /* exported as HEADGATE_ACCEPT_PROXY */
};

enum process_event {
	PROCESS_UP,	  /* a worker (another one than before) answers: connect and read back */
	PROCESS_DOWN,	  /* our master ended; it is being started again (backoff) */
	PROCESS_RELOADED, /* the reload that was asked for has a new worker, which answers;
			     PROCESS_UP follows at once */
	PROCESS_RELOAD_FAILED, /* the old worker goes on */
	PROCESS_LEAVING,       /* not ours: the worker takes no new connections, so it was told to
				  end, and waits for those that it has; let go of it. PROCESS_UP
				  follows when one answers again */
	PROCESS_OUT_OF_REACH,  /* the runtime socket will not be usable by waiting, as it is; said
				  once until a worker answers */
};

/*
 * `text`: for people (exit status, HAProxy's words), "" when there is nothing to say; borrowed for
 * the call. `pid`: the worker's, 0 = unknown. Called from the event loop only, but for
 * PROCESS_OUT_OF_REACH, which process_start() may say; process_free() must not be called from it,
 * everything else may.
 */
typedef void (*process_event_fn)(void *ctx, enum process_event event, long pid, const char *text);

/* Options are copied. process_free() leaves HAProxy running. */
struct process *process_new(struct event_base *base, const struct process_options *options,
	process_event_fn on_event, void *ctx) MUST_USE;
void process_free(struct process *process);

/*
 * Ours: adopts a running master or starts one, after `haproxy -v` and `haproxy -c` (these may
 * block; it happens before the loop runs). ERR_INPUT: no such program, not executable, not
 * HAProxy 2.6 or later, configuration refused (first ALERT line). A master is started in a session
 * of its own and outlives us; when it ends, its worker is ended and another one started. Not ours:
 * checks the sockets and returns at once; ERR_DENIED when a socket is there and may not be used,
 * ERR_INPUT when its path is too long for one.
 */
bool process_start(struct process *process, struct err *err) MUST_USE;

/* Asks the master for a reload; PROCESS_RELOADED or PROCESS_RELOAD_FAILED follows. One at a time.
 */
bool process_reload(struct process *process, struct err *err) MUST_USE;

/*
 * The worker's runtime connection was lost: look which one answers, for ever if need be. PROCESS_UP
 * follows, with the same PID when it was only the connection. (A new worker that nobody expects,
 * after somebody else's reload, is found within seconds.)
 */
void process_expect_worker(struct process *process);

/*
 * Ends HAProxy in order; on_done when it is gone. Running requests have `grace_ms` to finish; ten
 * seconds later it is killed. Not ours, or not
 * running: on_done at once, from inside the call. No events follow.
 */
void process_stop(struct process *process, void (*on_done)(void *ctx), void *ctx);

#endif
