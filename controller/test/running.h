/*
 * A HAProxy run by haproxy/process with the constant configuration, in a temporary directory and on
 * Unix sockets, for component tests; and an event loop that goes on until something has happened.
 *
 * The program is the environment's HAPROXY, by default the one on PATH. Tests are run from the top
 * of the repository.
 */
#ifndef HG_TEST_RUNNING_H
#define HG_TEST_RUNNING_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/err.h"
#include "haproxy/process.h"
#include "haproxy/state.h"

#define RUNNING_EVENT_COUNT (PROCESS_OUT_OF_REACH + 1)

struct running {
	char directory[64];
	char *state_dir;
	char *run_dir;
	char *runtime_socket;
	char *master_socket;
	char *http_socket;
	char *stats_socket;
	char *config_dir;
	char *http_bind;
	char *stats_bind;
	char *https_socket;
	char *https_bind;
	struct event_base *base;
	struct state *state;
	struct process_options options;
	struct process *process;
	int n_events[RUNNING_EVENT_COUNT];
	long pid;	   /* of the worker, as the last event said it */
	char text[512];	   /* of the last event */
	long sessions[16]; /* of every HAProxy seen, to be ended at the end */
	int n_sessions;
};

/* An empty state directory; HAProxy isn't started. */
void running_init(struct running *running);

/* Ends every HAProxy that was seen, and removes the directory. */
void running_fini(struct running *running);

/* Makes the process object; `is_ours`: it may start HAProxy. */
void running_make(struct running *running, bool is_ours);

/* The same, and process_start(), which must work. */
void running_start(struct running *running, bool is_ours);

/* Forgets the process object, as a controller that is killed does; HAProxy goes on. */
void running_forget(struct running *running);

/* Runs the loop until the event has come `n` times in all. A watchdog ends the test after a minute.
 */
void running_wait(struct running *running, enum process_event event, int n);

/* Is there a process with this number that hasn't ended? */
bool running_is_alive(long pid);

#endif
