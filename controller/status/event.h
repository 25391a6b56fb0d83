/*
 * Diagnostics as Kubernetes Events (events.k8s.io/v1), as text. Pure.
 *
 * The reasons are those of model/diag.def and nothing else; every Event is a Warning. That nothing
 * is wrong any more is no Event: Events expire by themselves, and GET /ingresses/... says what is
 * true now.
 *
 * The name is made from what the Event says and about which object (its uid), so that a second
 * replica, or this one started again, that says the same thing gets 409 and nobody sees it twice.
 * The API server keeps Events for an hour; so long the same fault that goes and comes back is said
 * once.
 *
 * Source:
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ for fields and
 * limits.
 */
#ifndef HG_STATUS_EVENT_H
#define HG_STATUS_EVENT_H

#include <stdint.h>

#include "base/buf.h"
#include "kube/object.h"
#include "model/diag.h"

/* The API's limits, in bytes. */
#define EVENT_NOTE_MAX_SIZE	1024
#define EVENT_INSTANCE_MAX_SIZE 128
#define EVENT_NAME_MAX_SIZE	253

/* What the Event says about which object, as a number: the same in every process. */
uint64_t event_hash(const struct ingress *ingress, const struct diag *diag);

/* `instance` is this process, for reportingInstance. */
void event_write(const struct ingress *ingress, const struct diag *diag, const char *instance,
	int64_t unix_us, struct buf *buf);

#endif
