/*
 * What a policy is as text: the record of policy.map that haproxy-cfg/30-http.cfg acts on, and the
 * lists of addresses that it names. Pure.
 *
 *   <letters>|{"<member>":<value>,...}
 *
 * A letter says that a group of rules has something to do. Where a rule needs no value there is no
 * member. Members have the names of options, and their values, all of them texts, but for:
 *
 *   I  src-ip-header; first of all letters
 *   F  no X-Forwarded-For
 *   T  timeout-server, timeout-tunnel: milliseconds
 *   X  nobody may come in: a rule about that can't be read
 *   D  deny-list: the name of a list
 *   A  allow-list: the same
 *   d  deny-paths
 *   B  auth-secret: which version of whose users, in the form of a list's name; auth-realm
 *   S  always to HTTPS;  s  never;  neither: where the virtual host is in redirect.map
 *   -  ssl-redirect-code; ssl-redirect-port: ":8443", none for 443
 *   L  rate-limit-requests in the window of the letter 1 (1 s), 2 (10 s), 3 (1 min) or 4 (1 h)
 *   -  which is the shortest one that holds the period: the number is scaled up with it
 *   -  rate-limit-key: what clients are counted under, like a list's name
 *   -  rate-limit-status-code
 *   W  rate-limit-whitelist: the name of a list
 *   U  a service is asked: auth.h
 *   c  another Service takes requests: canary.h
 *   C  request-capture: base64; request-capture-len
 *   R  request-redirect: "https://host"; request-redirect-code
 *   O  cors-allow-methods, cors-allow-headers, cors-max-age (seconds)
 *   o  cors-allow-origin: base64 of a regular expression; without, every origin
 *   k  with credentials;  V  OPTIONS is answered
 *   H  request-set-header: base64 of what set-headers-bin of HAProxy takes (name and value, each
 *   -  with its length in front, and two zeros at the end);  E  with %[...] and %% in values
 *   h  response-set-header: the same;  e  the same
 *   N  set-host
 *   P  path-rewrite: base64 of its lines
 *
 * The name of a list is 96 bits of the SHA-256 of what is in it, in six groups of four hexadecimal
 * digits: what is in a list never changes, another one is written before the record that names it.
 * Its networks are keys of networks.map, as IPv6 networks,
 *
 *   <name>:192.0.2.0/120                    192.0.2.0/24: behind all six groups
 *   <last four groups>:2001:db8:0:0/96      2001:db8::/32: the first half of its addresses
 *
 * and single IPv6 addresses are keys of addresses.map, "<name>|2001:db8::1". The value is the name.
 */
#ifndef HG_MODEL_POLICY_H
#define HG_MODEL_POLICY_H

#include "base/attr.h"
#include "model/model.h"
#include "model/patterns.h"
#include "option/option.h"

/* A record together with its key and the command that writes it fits into HAProxy's buffer: what
 * options may be long is bounded in option.def. */
#define POLICY_MAX_RECORD 14000

/* "0123:4567:89ab:cdef:0123:4567" */
#define POLICY_LIST_SIZE 30

enum policy_list { POLICY_DENY, POLICY_ALLOW, POLICY_SPARE, POLICY_LIST_COUNT };

struct policy {
	char *record; /* owned */
	/* Canonical texts of the lists (ADDRESSES in option/value.h), borrowed from the sets and
	 * from patterns; NULL = none. */
	const char *lists[POLICY_LIST_COUNT];
	/* The first option that names a file of patterns that there is none of; OPTION_COUNT = none
	 * does. */
	enum option_id lacking;
};

/* The Secret, "namespace/name", whose users alone may come in; "" = there is none, and nobody may;
 * NULL = everybody may. Borrowed from its set. */
const char *policy_users(const struct option_set *const *sets, size_t n_sets) MUST_USE;

/* What the record says of users: other users, or other hashes, are another name. `version` is that
 * of a Secret. */
void policy_name_users(char ret_name[POLICY_LIST_SIZE], const char *id, const char *version);

/* Whose record it is. */
struct policy_owner {
	const char *id;
	/* Of the users of policy_users(): their version (kube/object.h); NULL = there are none. */
	const char *users;
	const struct patterns *patterns;
};

/* The option of each list. */
extern const enum option_id policy_list_options[POLICY_LIST_COUNT];

/* The first of `sets` that says something about an option decides; sets
 * may be NULL. */
void policy_write(struct policy *ret_policy, const struct policy_owner *owner,
	const struct option_set *const *sets, size_t n_sets);

/*
 * Does a set, or NULL, say anything about requests? Then their route has a policy. `is_shared`: it
 * is a class's, whose ssl-redirect is about the hosts that have TLS, and is in redirect.map.
 */
bool policy_is_wanted(const struct option_set *set, bool is_shared) MUST_USE;

/* The name of a list with this canonical text. */
void policy_name_list(char ret_name[POLICY_LIST_SIZE], const char *addresses);

/* Calls `add` with each entry of a list. */
typedef void (*policy_entry_fn)(void *ctx, enum model_map map, const char *key);
void policy_list_entries(const char *addresses, policy_entry_fn add, void *ctx);

#endif
