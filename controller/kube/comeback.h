/*
 * Coming back together after an outage. The reflectors of one client lose the server at the same
 * moment, but each waits for a backoff of its own. Were they to come back one by one, what happened
 * meanwhile would be seen in pieces: a Service deleted, and not yet that its Ingress names another
 * one. So the first one that is answered wakes the others, and until all are answered, what changed
 * is held back. Not during the outage: nothing comes then, and everything else goes on.
 */
#ifndef HG_KUBE_COMEBACK_H
#define HG_KUBE_COMEBACK_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>

/* From the last answer to the end of holding back: for the events that follow it. */
#define COMEBACK_SETTLE_MS 200

/* Holding back ends after so long, whoever is still missing. */
#define COMEBACK_LIMIT_MS 15000

/* Hold back what changes from now on, or give it out again. */
typedef void (*comeback_hold_fn)(void *ctx, bool is_held);

/* Try again now; must not call back. */
typedef void (*comeback_wake_fn)(void *ctx);

/* Somebody who may lose the server; lives in the caller's memory. */
struct comeback_member {
	TAILQ_ENTRY(comeback_member) next;
	comeback_wake_fn wake;
	void *ctx;
	bool is_lost;
};

struct comeback {
	TAILQ_HEAD(comeback_list, comeback_member) lost;
	struct event *timer; /* ends the holding back */
	comeback_hold_fn hold;
	void *hold_ctx;
	bool is_held;
};

/* False = libevent has no memory. */
bool comeback_init(struct comeback *comeback, struct event_base *base);
void comeback_fini(struct comeback *comeback);

/* Who holds back; without it, members are only woken. */
void comeback_on_hold(struct comeback *comeback, comeback_hold_fn hold, void *ctx);

/* A request had no answer, or one that means beginning anew; nothing happens when lost already. */
void comeback_lose(struct comeback *comeback, struct comeback_member *member);

/* There was an answer of any use, so the server is back; nothing happens when not lost. */
void comeback_stir(struct comeback *comeback, struct comeback_member *member);

/* The same, and the member is done: its watch has been accepted. */
void comeback_answered(struct comeback *comeback, struct comeback_member *member);

/* The member goes away. */
void comeback_leave(struct comeback *comeback, struct comeback_member *member);

#endif
