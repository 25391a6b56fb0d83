/*
 * What backends and servers are made with, in HAProxy's words: the profile (a named defaults
 * section of haproxy-cfg/20-profiles.cfg or 25-variants.cfg) and the keywords of `add server`,
 * which are also those of a `server` line. Both follow from the names of backend and server
 * (model/variant.h), so a backend is written to a file as it was made, whoever made it. For
 * haproxy/encode only. Pure.
 */
#ifndef HG_HAPROXY_KEYWORDS_H
#define HG_HAPROXY_KEYWORDS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

/* False: the name has words that are not understood; what is appended then is for the plain
 * backend. */
bool keywords_append_profile(struct buf *buf, const char *backend) MUST_USE;
/* `map_dir`: the folder whose certificates are named, as in encode_cli_certificate(). */
bool keywords_append_server(
	struct buf *buf, const char *backend, const char *server, const char *map_dir) MUST_USE;

#endif
