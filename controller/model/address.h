/* Addresses of endpoints: their one text form, and which of them requests may be sent to. Pure. */
#ifndef HG_MODEL_ADDRESS_H
#define HG_MODEL_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* "[IPv6]:65535", with its NUL */
#define ADDRESS_SIZE 64

enum address_kind {
	ADDRESS_NONE,	   /* not an IP address */
	ADDRESS_ORDINARY,  /* of a pod, or of whatever a network can bring a request to */
	ADDRESS_LOOPBACK,  /* 127.0.0.0/8, ::1: HAProxy itself and what listens beside it */
	ADDRESS_FORBIDDEN, /* see below */
};

struct address {
	enum address_kind kind;
	bool is_ipv6;
	char text[ADDRESS_SIZE]; /* "10.0.0.1:80", "[fd00::1]:80" as HAProxy gives it back; "" when
				    the kind is NONE */
};

/*
 * Forbidden is what no pod can have: link-local (169.254.0.0/16, where clouds keep the credentials
 * of the machine, and fe80::/10), multicast and everything above it, unspecified (0.0.0.0/8, ::).
 * The API server lets none of these into an EndpointSlice; files, and other versions of it, may.
 * An IPv4 address that is mapped into IPv6 (::ffff:a.b.c.d), or that NAT64 would lead to
 * (64:ff9b::a.b.c.d), is of the kind of the IPv4 address.
 *
 * Sources: RFC 6890; RFC 6052, section 2.1;
 * https://kubernetes.io/docs/reference/kubernetes-api/service-resources/endpoint-slice-v1/.
 */
struct address address_parse(const char *ip, int32_t port) MUST_USE;

#endif
