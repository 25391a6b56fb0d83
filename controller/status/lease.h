/*
 * Who of several replicas may write: the rules of leader election as a state machine without I/O
 * and clock.
 *
 * Source: https://kubernetes.io/docs/concepts/architecture/leases/ and the behaviour of client-go's
 * leader election, so that any number of replicas, of whatever make, agree on one Lease.
 *
 *   lease_next()    what to ask the API server for, now
 *   lease_write()   the body of that request
 *   lease_answer()  what came back: how long to wait before the next question
 *
 * - A Lease is free when it has no holder, or when it has not been renewed for as long as it says.
 *   That time is counted on our own monotonic clock from the moment at which we saw the last
 *   renewal: clocks of different machines are never compared.
 * - The holder renews every `retry_ms`. It counts as the holder for `renew_ms` after the *start* of
 *   the last request that succeeded, which ends before anybody else may take the Lease.
 * - Who deletes the Lease lets another replica in at once; the holder finds out when it renews.
 * - Every write carries the resourceVersion that it builds on, so of two replicas that write at
 *   once one gets 409. Writes are merge patches of spec: what else is on the object stays.
 */
#ifndef HG_STATUS_LEASE_H
#define HG_STATUS_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* Of --lease-duration: the other two times follow from it, 10 s and 2 s. */
#define LEASE_DURATION_SECONDS	   15
#define LEASE_MIN_DURATION_SECONDS 1
#define LEASE_MAX_DURATION_SECONDS 3600

enum lease_ask { LEASE_GET, LEASE_CREATE, LEASE_TAKE };

/* What a Lease says; the texts are owned. */
struct lease_record {
	char *version; /* metadata.resourceVersion */
	char *holder;  /* "" = nobody */
	char *renewed; /* spec.renewTime; compared, never read as a time */
	int64_t duration_ms;
	int64_t n_transitions;
};

struct lease {
	char *name;	/* owned */
	char *identity; /* owned */
	uint32_t duration_ms;
	uint32_t renew_ms;
	uint32_t retry_ms;
	struct lease_record record; /* as last seen; version NULL = never */
	uint64_t observed_ms;	    /* when its last renewal was seen */
	bool is_holder;
	uint64_t held_until_ms;
	enum lease_ask ask;
	uint64_t asked_ms;
	bool had_conflict; /* the write before was refused with 409 */
	uint64_t random;
};

/* `name` and `identity` are copied; `identity` must be another one for each process. */
void lease_init(struct lease *lease, const char *name, const char *identity,
	unsigned duration_seconds, uint64_t seed);
void lease_fini(struct lease *lease);

/* A request starts. */
enum lease_ask lease_next(struct lease *lease, uint64_t now_ms);

/* The JSON body of that request; LEASE_GET has none. */
void lease_write(const struct lease *lease, int64_t unix_us, struct buf *buf);

/* A merge patch that gives the Lease back, so that another replica need not wait for its end. */
void lease_write_release(const struct lease *lease, int64_t unix_us, struct buf *buf);

/* The request is over (status 0 = no answer): the milliseconds until the next one is to start. */
uint32_t lease_answer(struct lease *lease, long status, const char *body, uint64_t now_ms) MUST_USE;

/* May we write, at this moment? */
bool lease_is_held(const struct lease *lease, uint64_t now_ms) MUST_USE;

/* Reads a Lease; false = it is none. Texts longer than any that is written are refused. */
bool lease_record_parse(struct lease_record *record, const char *json) MUST_USE;
void lease_record_fini(struct lease_record *record);

#endif
