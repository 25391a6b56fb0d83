/*
 * Variants: what HAProxy fixes when a backend or a server is made, and so can't be looked up for
 * each request. It is said in the backend's name, so that the name says everything: what has other
 * options is another backend, two Ingresses that ask for different things of one Service each get
 * theirs, and who reads a name back from HAProxy or from a file knows what it was made with. Pure.
 *
 *   <namespace>_svc_<service>_<port>:<word>:<word>...    no word at all: the plain backend
 *
 *   words, each at most once, in this order
 *     tcp                         connections go there, not requests
 *     leastconn, first, random    which server is next; without: in turns
 *     by-source, by-uri, by-uri-whole, by-uri-depth-<1 to 8>, by-param-<text>, by-header-<text>
 *                                 the one that the same key had before (consistent hashing)
 *     cookie-<text>               clients stay with their server by a cookie of this name
 *     check                       servers are checked by connecting to them
 *     get-<path>, head-<path>, options-<path>    ... by a request
 *     inter-<ms>                  as often as this
 *     maxconn-<n>                 a server gets so many requests at a time
 *     h1, h2c, tls, tls-h1, tls-h2               whatever the Service says of its port
 *     proxy-v1, proxy-v2, proxy-v2-ssl, proxy-v2-ssl-cn
 *     ca-<digest>                 TLS, and pods are verified: the stored file of this name has the
 *                                 authorities (MODEL_CERTIFICATE_AUTHORITIES)
 *     crt-<digest>                TLS, and pods get to see the certificate of this name
 *
 *   <digest> 32 lower-case hexadecimal digits
 *   <text>   letters, digits, '-' and '_' as they are, other bytes as '.' and two hexadecimal
 * digits <path>   the same with '/' as '_', and so '_' as ".5f"; it begins with '/'
 *
 * haproxy-cfg/25-variants.cfg takes texts and paths out of the name again, and has a profile for
 * each combination of the rows up to checks (cookie and a key for hashing don't combine; with tcp
 * there are no keys but by-source, no cookie, no requests as checks, and of transports only tls).
 */
#ifndef HG_MODEL_VARIANT_H
#define HG_MODEL_VARIANT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

/* Bytes of a text or a path before they are written so. */
#define VARIANT_MAX_TEXT 128

/* Of what comes after the plain name, from the colon on. */
#define VARIANT_MAX_SUFFIX 900

enum variant_balance {
	VARIANT_ROUNDROBIN,
	VARIANT_LEASTCONN,
	VARIANT_FIRST,
	VARIANT_RANDOM,
	VARIANT_SOURCE, /* hashing, by the client's address */
	VARIANT_HASH,	/* by something else */
};

enum variant_check {
	VARIANT_UNCHECKED,
	VARIANT_CHECK_TCP,
	VARIANT_CHECK_GET,
	VARIANT_CHECK_HEAD,
	VARIANT_CHECK_OPTIONS,
};

enum variant_transport {
	VARIANT_AS_SERVER, /* as the server's name says: model_server_transport() */
	VARIANT_H1,
	VARIANT_H2C,
	VARIANT_TLS,
	VARIANT_TLS_H1,
	VARIANT_TLS_H2,
};

enum variant_proxy {
	VARIANT_NO_PROXY,
	VARIANT_PROXY_V1,
	VARIANT_PROXY_V2,
	VARIANT_PROXY_V2_SSL,
	VARIANT_PROXY_V2_SSL_CN,
};

/* What a variant consists of, in the order of its words. */
enum variant_part {
	VARIANT_TCP,	   /* 1 = for connections */
	VARIANT_BALANCE,   /* enum variant_balance */
	VARIANT_COOKIE,	   /* 1 = clients stay with their server */
	VARIANT_CHECK,	   /* enum variant_check */
	VARIANT_INTERVAL,  /* of checks, in milliseconds; 0 = HAProxy's own */
	VARIANT_MAXCONN,   /* requests that a server gets at a time; 0 = any number */
	VARIANT_TRANSPORT, /* enum variant_transport */
	VARIANT_PROXY,	   /* enum variant_proxy */
	VARIANT_CA,	   /* 1 = pods are verified */
	VARIANT_CRT,	   /* 1 = they get to see a certificate */
	VARIANT_PART_COUNT
};

/* All zeros: the plain backend. */
struct variant {
	uint32_t parts[VARIANT_PART_COUNT];
	/* For variant_append(); NULL for variant_parse(). Borrowed. */
	const char *key;	  /* "uri-depth-2", or "param-" and "header-" for ... */
	const char *key_argument; /* ... this; NULL = none */
	const char *cookie;
	const char *path;
	const char *ca; /* digests */
	const char *crt;
};

/* "ca-" or "crt-", digest, NUL. */
#define VARIANT_DIGEST_LEN 32
#define VARIANT_STORE_SIZE (sizeof("crt-") + VARIANT_DIGEST_LEN)

/* Of a backend's name. False: it has words that are not understood, or in another order, and
 * *ret_variant is that of the plain backend. */
bool variant_parse(const char *backend, struct variant *ret_variant) MUST_USE;

/* The word of VARIANT_CA or VARIANT_CRT in a backend's name: what the certificates are called that
 * its servers are made with. False = it has none. Name and word need not be otherwise right. */
bool variant_store(
	const char *backend, enum variant_part part, char ret_name[VARIANT_STORE_SIZE]) MUST_USE;

/* Appends the words, each behind its ':'. False: a text or the whole is too long or empty, or has
 * bytes that nobody can send; the buffer is what it was. */
bool variant_append(struct buf *buf, const struct variant *variant) MUST_USE;

#endif
