/* See keywords.h. */
#include "haproxy/keywords.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "haproxy/encode.h"
#include "model/model.h"
#include "model/variant.h"

/* Run-time servers of 2.6 keep no idle connections unless both are said; later versions have them
 * as defaults. */
#define ALWAYS "pool-max-conn -1 pool-purge-delay 5s"

/*
 * TLS to a server hides the request from the network and says nothing of who answers: pods have
 * certificates of their own making, so none is verified unless authorities are named. The name that
 * the server is told (SNI) is the host of the request, which haproxy-cfg/30-http.cfg keeps in
 * txn.host. HTTP/2 only is said by ALPN: with `proto h2`, 2.6 and 3.0 can't check such servers.
 *
 * A server that is verified is told no name: HAProxy would look for that name in its certificate,
 * and no pod has one for the hosts of its Ingresses. 3.4 tells the host by itself unless told
 * something else, such as a variable that is never set. So is one that connections go to: they are
 * for no host.
 */
#define UNVERIFIED " ssl verify none sni var(txn.host)"
#define NO_NAME	   " ssl verify none sni var(txn.no_name)"
#define VERIFIED   " ssl verify required sni var(txn.no_name) ca-file "

/* Of TLS the keywords are what is spoken. `check` is what else it takes to check servers that are
 * spoken to so: run-time servers don't take it over from the rest of their keywords. */
struct speech {
	const char *keywords;
	const char *check;
};

static const struct speech transports[] = {
	[VARIANT_H1] = {"", ""},
	[VARIANT_H2C] = {" proto h2", ""},
	[VARIANT_TLS] = {" alpn h2,http/1.1", " check-ssl check-alpn h2,http/1.1"},
	[VARIANT_TLS_H1] = {" alpn http/1.1", " check-ssl check-alpn http/1.1"},
	[VARIANT_TLS_H2] = {" alpn h2", " check-ssl check-alpn h2"},
};

/* Of connections: what is spoken inside is not known. */
static const struct speech tcp_speeches[] = {
	[VARIANT_H1] = {"", ""},
	[VARIANT_TLS] = {"", " check-ssl"},
};

static const enum variant_transport transport_of[] = {
	[MODEL_TRANSPORT_HTTP] = VARIANT_H1,
	[MODEL_TRANSPORT_H2C] = VARIANT_H2C,
	[MODEL_TRANSPORT_HTTPS] = VARIANT_TLS,
};

static const char *const proxies[] = {
	[VARIANT_NO_PROXY] = "",
	[VARIANT_PROXY_V1] = " send-proxy",
	[VARIANT_PROXY_V2] = " send-proxy-v2",
	[VARIANT_PROXY_V2_SSL] = " send-proxy-v2-ssl",
	[VARIANT_PROXY_V2_SSL_CN] = " send-proxy-v2-ssl-cn",
};

static const char *const balance_profiles[] = {
	[VARIANT_ROUNDROBIN] = "",
	[VARIANT_LEASTCONN] = "leastconn",
	[VARIANT_FIRST] = "first",
	[VARIANT_RANDOM] = "random",
	[VARIANT_SOURCE] = "hash",
	[VARIANT_HASH] = "hash",
};

static const char *const check_profiles[] = {
	[VARIANT_UNCHECKED] = "",
	[VARIANT_CHECK_TCP] = "",
	[VARIANT_CHECK_GET] = "get",
	[VARIANT_CHECK_HEAD] = "head",
	[VARIANT_CHECK_OPTIONS] = "options",
};

bool keywords_append_profile(struct buf *buf, const char *backend)
{
	struct variant variant;
	bool is_ok = variant_parse(backend, &variant);
	const char *const words[] = {
		variant.parts[VARIANT_TCP] ? "tcp" : "",
		balance_profiles[variant.parts[VARIANT_BALANCE]],
		variant.parts[VARIANT_COOKIE] ? "cookie" : "",
		check_profiles[variant.parts[VARIANT_CHECK]],
	};
	bool is_plain = true;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i][0] != '\0') {
			buf_printf(buf, "%s%s", is_plain ? "" : "_", words[i]);
			is_plain = false;
		}
	}
	if (is_plain) {
		buf_append_str(buf, MODEL_PROFILE_HTTP);
	}
	return is_ok;
}

/*
 * Where a server is on the ring of consistent hashing follows from its number. With the same one
 * everywhere, whatever HAProxy starts with, a key meets the same server in all replicas and after a
 * restart; without one, all run-time servers of 2.6 are in the same place. HAProxy refuses a number
 * twice: with a hundred servers once in 400,000 backends. 28 bits of it count for the ring.
 */
static uint32_t number_of(const char *server)
{
	uint32_t number = hash_stable(server) & INT32_MAX;

	return number != 0 ? number : 1;
}

static bool is_tls(enum variant_transport transport)
{
	return transport == VARIANT_TLS || transport == VARIANT_TLS_H1 ||
	       transport == VARIANT_TLS_H2;
}

/* False: the folder's name can't be written. */
static bool append_tls(struct buf *buf, const char *backend, const char *map_dir, bool is_tcp)
{
	char ca[VARIANT_STORE_SIZE];
	char crt[VARIANT_STORE_SIZE];
	bool has_ca = variant_store(backend, VARIANT_CA, ca);
	bool is_ok = true;

	buf_append_str(buf, has_ca ? VERIFIED : is_tcp ? NO_NAME : UNVERIFIED);
	if (has_ca) {
		is_ok = encode_cli_certificate(buf, ca, map_dir);
	}
	if (variant_store(backend, VARIANT_CRT, crt)) {
		buf_append_str(buf, " crt ");
		is_ok = encode_cli_certificate(buf, crt, map_dir) && is_ok;
	}
	return is_ok;
}

static enum variant_transport transport_for(const struct variant *variant, const char *server)
{
	enum variant_transport transport =
		(enum variant_transport)variant->parts[VARIANT_TRANSPORT];

	if (transport == VARIANT_AS_SERVER) {
		transport = variant->parts[VARIANT_TCP]
				    ? VARIANT_H1
				    : transport_of[model_server_transport(server)];
	}
	/* Whoever has made this name: nothing else goes together. */
	bool needs_tls = variant->parts[VARIANT_CA] || variant->parts[VARIANT_CRT];
	return needs_tls && !is_tls(transport) ? VARIANT_TLS : transport;
}

static void append_check(
	struct buf *buf, const struct variant *variant, const struct speech *speech)
{
	buf_append_str(buf, " check");
	if (variant->parts[VARIANT_INTERVAL] != 0) {
		buf_printf(buf, " inter %" PRIu32, variant->parts[VARIANT_INTERVAL]);
	}
	buf_append_str(buf, speech->check);
	if (variant->parts[VARIANT_PROXY] != VARIANT_NO_PROXY) {
		buf_append_str(buf, " check-send-proxy");
	}
}

bool keywords_append_server(
	struct buf *buf, const char *backend, const char *server, const char *map_dir)
{
	struct variant variant;
	bool is_ok = variant_parse(backend, &variant);
	uint32_t balance = variant.parts[VARIANT_BALANCE];
	bool is_tcp = variant.parts[VARIANT_TCP] != 0;
	enum variant_transport transport = transport_for(&variant, server);
	const struct speech *speech = &(is_tcp ? tcp_speeches : transports)[transport];

	buf_append_str(buf, ALWAYS);
	/* Also when another word of the name is not understood: nobody is trusted by mistake. */
	if (is_tls(transport)) {
		is_ok = append_tls(buf, backend, map_dir, is_tcp) && is_ok;
	}
	buf_append_str(buf, speech->keywords);
	buf_append_str(buf, proxies[variant.parts[VARIANT_PROXY]]);
	if (variant.parts[VARIANT_CHECK] != VARIANT_UNCHECKED) {
		append_check(buf, &variant, speech);
	}
	if (variant.parts[VARIANT_MAXCONN] != 0) {
		buf_printf(buf, " maxconn %" PRIu32, variant.parts[VARIANT_MAXCONN]);
	}
	if (balance == VARIANT_HASH || balance == VARIANT_SOURCE || balance == VARIANT_RANDOM) {
		buf_printf(buf, " id %" PRIu32, number_of(server));
	}
	return is_ok;
}
