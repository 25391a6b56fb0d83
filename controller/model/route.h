/*
 * Hosts and paths of Ingress rules, checked and turned into keys of maps. Pure.
 *
 * What comes out holds only bytes that mean nothing to HAProxy's command line, its map files or its
 * configuration, with one exception, the semicolon of RFC 3986, which haproxy/encode escapes. What
 * does not fit is refused, never repaired: a rule that quietly means something else is worse than
 * one that is reported.
 *
 * Sources: RFC 1123 (host names), RFC 3986 section 3.3 (path characters),
 * https://kubernetes.io/docs/concepts/services-networking/ingress/#path-types.
 */
#ifndef HG_MODEL_ROUTE_H
#define HG_MODEL_ROUTE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "kube/object.h"
#include "model/model.h"

#define ROUTE_MAX_HOST 253
#define ROUTE_MAX_PATH 4096

/* Of one Ingress. No hand writes so many: what does is a loop that went wrong, or means harm, and
 * would fill HAProxy's maps for everybody. The API server's limit, 1.5 MiB, is at about 10,000. */
#define ROUTE_MAX_RULES 1000
#define ROUTE_MAX_PATHS 5000

/* The virtual host of rules that name no host. */
#define ROUTE_ANY_HOST "*"

/* Is this a name that a namespace or a Service can have: up to 63 lower-case letters, digits and
 * inner hyphens? */
bool route_is_label(const char *text) MUST_USE;

/*
 * Appends the virtual host of a rule: "a.test", "*.a.test" or ROUTE_ANY_HOST for "". NULL = good,
 * else what is wrong and the remedy (a constant text).
 */
const char *route_add_host(struct buf *key, const char *host) MUST_USE;

/*
 * Appends the path to a key that holds the virtual host, and says in which map it belongs.
 *
 * Paths are compared byte by byte, as the client writes them in the request line, because the
 * server will see them so. Nothing is decoded, joined or resolved on either side: "/~a" and
 * "/%7Ea", "/%2f" and "/%2F", "/a/b" and "/a//b" are different, and "/a/../b" is under "/a".
 * Letters have a case. The query is no part of the path.
 *
 * Exact is the whole path. Prefix is compared element by element; slashes at the end of the rule
 * mean nothing ("/a", "/a/" and "/a//" are one Prefix), others mean empty elements.
 * ImplementationSpecific is Prefix, and "/" when it has no path. The longest path goes first,
 * Exact before a Prefix of the same length.
 *
 * NULL = good, else what is wrong and the remedy.
 */
const char *route_add_path(struct buf *key, const char *path, enum ingress_path_type type,
	enum model_map *ret_map) MUST_USE;

#endif
