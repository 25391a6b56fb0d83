/*
 * What is published as status.loadBalancer.ingress of every Ingress of ours: a short list of
 * addresses, from --publish-address or from the Service that --publish-service names. Pure.
 *
 * Of a Service the first of these that there is:
 *
 *   status.loadBalancer.ingress   what a load balancer in front of us has
 *   spec.externalIPs              addresses that the operator leads to the nodes
 *   spec.clusterIP                of type ClusterIP, and not "None": reachable inside the cluster
 *
 * A NodePort without externalIPs has no address of its own, and publishes none.
 */
#ifndef HG_STATUS_ADDRESSES_H
#define HG_STATUS_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "kube/object.h"

/* More than any load balancer has; further ones are left out. */
#define ADDRESSES_MAX 32

struct addresses {
	struct address {
		char *text; /* owned */
		bool is_ip;
	} items[ADDRESSES_MAX];
	size_t n;
};

/*
 * Reads "ADDRESS[,ADDRESS...]": IPv4, IPv6 (without brackets) or host names, which are what the API
 * server accepts. false + err (ERR_INPUT): one is neither.
 */
bool addresses_parse(struct addresses *addresses, const char *text, struct err *err) MUST_USE;

void addresses_of_service(struct addresses *addresses, const struct service *service);
void addresses_fini(struct addresses *addresses);

bool addresses_equal(const struct addresses *a, const struct addresses *b) MUST_USE;

/* Does the Ingress's status say exactly this? Ports in it, which we never write, don't count. */
bool addresses_are_of(const struct addresses *addresses, const struct ingress *ingress) MUST_USE;

/* A JSON list: [{"ip":"192.0.2.1"},{"hostname":"lb.example"}] */
void addresses_write(const struct addresses *addresses, struct buf *buf);
void addresses_write_of(const struct ingress *ingress, struct buf *buf);

#endif
