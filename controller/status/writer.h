/* Writes status.loadBalancer.ingress of Ingresses: wish.h says what, queue.h when. */
#ifndef HG_STATUS_WRITER_H
#define HG_STATUS_WRITER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "kube/client.h"
#include "status/addresses.h"
#include "status/wish.h"

/* A write is a few hundred bytes; a new leader of 10,000 Ingresses has them written in three and a
 * half minutes, if none has the right status yet. */
#define WRITER_PER_SECOND  50
#define WRITER_BURST	   100
#define WRITER_MAX_RUNNING 8

struct writer;

struct writer_options {
	struct event_base *base; /* all are borrowed and must outlive the writer */
	struct kube_client *client;
	const struct store *store;
	const struct model *model;
	bool (*may_write)(void *ctx); /* asked before each write, while it is active */
	void *ctx;
};

/* Never NULL. */
struct writer *writer_new(const struct writer_options *options) MUST_USE;
void writer_free(struct writer *writer);

/* May it write? Begins as false. true: every Ingress is looked at. false: what is under way is
 * given up at once. */
void writer_set_active(struct writer *writer, bool is_active);

/* See wishes_set_published(). */
void writer_publish(struct writer *writer, struct addresses *published);

/* NULL = nothing is published. Borrowed until the next writer_publish(). */
const struct addresses *writer_published(const struct writer *writer) MUST_USE;

/* Something about this Ingress, or about any, may have changed. Cheap; writes nothing itself. */
void writer_look(struct writer *writer, const char *namespace, const char *name);
void writer_look_at_all(struct writer *writer);

/* The same, trusting the store alone: for a look once in a while. */
void writer_look_again(struct writer *writer);
void writer_let_go(struct writer *writer, const char *namespace, const char *name);

#endif
