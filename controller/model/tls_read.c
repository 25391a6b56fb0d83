/* spec.tls of one Ingress: which names ask for which Secret. Called by build.c; see tls.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "kube/object.h"
#include "model/model_priv.h"
#include "model/route.h"

static bool text_equals(const void *item, const void *text)
{
	return strcmp(item, text) == 0;
}

static bool set_has(const struct table *set, const char *text)
{
	return table_find(set, hash_str(text), text, text_equals) != NULL;
}

void tls_hosts_init(struct tls_hosts *hosts, const struct ingress *ingress)
{
	const struct ingress_tls *tls = obj_items(ingress, ingress->tls);

	*hosts = (struct tls_hosts){0};
	for (uint32_t i = 0; i < ingress->tls.n; i++) {
		const struct obj_text *texts = obj_items(ingress, tls[i].hosts);
		hosts->has_all = hosts->has_all || tls[i].hosts.n == 0;
		for (uint32_t j = 0; j < tls[i].hosts.n; j++) {
			const char *host = obj_str(ingress, texts[j]);
			if (!set_has(&hosts->hosts, host)) {
				table_insert(&hosts->hosts, hash_str(host), (void *)host);
			}
		}
	}
}

void tls_hosts_fini(struct tls_hosts *hosts)
{
	table_fini(&hosts->hosts);
}

bool tls_hosts_have(const struct tls_hosts *hosts, const char *host)
{
	const char *dot = strchr(host, '.');

	/* A rule without a host is for names that nobody can have a certificate for. */
	if (strcmp(host, ROUTE_ANY_HOST) == 0) {
		return false;
	}
	if (hosts->has_all || set_has(&hosts->hosts, host)) {
		return true;
	}
	if (dot == NULL || host[0] == '*') {
		return false;
	}
	char *wildcard = xasprintf("*%s", dot);
	bool is_there = set_has(&hosts->hosts, wildcard);
	free(wildcard);
	return is_there;
}

/* ---- claims ---- */

/* An Ingress while its TLS is read. */
struct reader {
	struct model *model;
	const struct store *store;
	const struct ingress *ingress;
	struct ingress_node *node;
};

/* Lower-case letters, digits, '-' and '.': what becomes a part of a file's name. */
static bool is_secret_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.");

	return len > 0 && len <= ROUTE_MAX_HOST && name[len] == '\0' && name[0] != '.';
}

static char *hosts_field(uint32_t tls, uint32_t host)
{
	return xasprintf("spec.tls[%" PRIu32 "].hosts[%" PRIu32 "]", tls, host);
}

static void add_claim(
	struct reader *reader, struct tls_claim claim, const char *secret, const char *host)
{
	struct ingress_node *node = reader->node;
	struct tls_claim *place = &node->tls_claims[node->n_tls_claims++];

	*place = claim;
	place->ingress = node;
	tls_enter(reader->model, reader->store, place, secret, host);
}

/* The names are those of the rules. */
static void read_rules(struct reader *reader, uint32_t index, const char *secret)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_rule *rules = obj_items(ingress, ingress->rules);
	size_t n_before = reader->node->n_tls_claims;

	for (uint32_t i = 0; i < ingress->rules.n; i++) {
		const char *host = obj_str(ingress, rules[i].host);
		struct buf key = BUF_INIT(0);
		/* A host that is wrong has been reported at its rule. */
		if (*host != '\0' && route_add_host(&key, host) == NULL) {
			add_claim(reader,
				(struct tls_claim){.tls = index, .host = i, .is_by_rule = true},
				secret, host);
		}
		buf_fini(&key);
	}
	if (reader->node->n_tls_claims == n_before) {
		model_add_fault(reader->node, DIAG_TLS_HOST_INVALID,
			xasprintf("spec.tls[%" PRIu32 "].hosts", index),
			xstrdup("is empty, and no rule has a host that the certificate could be "
				"for: name the hosts here"));
	}
}

static void read_host(
	struct reader *reader, uint32_t index, uint32_t host_index, const char *secret)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_tls *tls = obj_items(ingress, ingress->tls);
	const struct obj_text *hosts = obj_items(ingress, tls[index].hosts);
	const char *host = obj_str(ingress, hosts[host_index]);
	struct buf key = BUF_INIT(0);
	const char *fault = *host == '\0' ? "is empty: name a host, or remove the entry"
					  : route_add_host(&key, host);

	if (fault != NULL) {
		model_add_fault(reader->node, DIAG_TLS_HOST_INVALID, hosts_field(index, host_index),
			xstrdup(fault));
	} else if (secret != NULL) {
		add_claim(
			reader, (struct tls_claim){.tls = index, .host = host_index}, secret, host);
	}
	buf_fini(&key);
}

static void read_entry(struct reader *reader, uint32_t index)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_tls *tls =
		(const struct ingress_tls *)obj_items(ingress, ingress->tls) + index;
	/* Without one, the names are served with the default certificate. */
	const char *secret = obj_has(tls->secret) ? obj_str(ingress, tls->secret) : NULL;

	secret = secret && *secret ? secret : NULL;
	if (secret != NULL &&
		(!is_secret_name(secret) || !route_is_label(object_namespace(&ingress->head)))) {
		model_add_fault(reader->node, DIAG_SECRET_MISSING,
			xasprintf("spec.tls[%" PRIu32 "].secretName", index),
			xstrdup("is not a name that a Secret can have: use lower-case letters, "
				"digits, '-' and '.'"));
		secret = NULL;
	}
	if (tls->hosts.n == 0 && secret != NULL) {
		read_rules(reader, index, secret);
	}
	for (uint32_t i = 0; i < tls->hosts.n; i++) {
		read_host(reader, index, i, secret);
	}
}

void tls_read(struct model *model, const struct store *store, const struct ingress *ingress,
	struct ingress_node *node)
{
	struct reader reader = {model, store, ingress, node};
	const struct ingress_tls *tls = obj_items(ingress, ingress->tls);
	size_t n = 0;

	for (uint32_t i = 0; i < ingress->tls.n; i++) {
		n += tls[i].hosts.n > 0 ? tls[i].hosts.n : ingress->rules.n;
	}
	node->tls_claims = xcalloc(n, sizeof(*node->tls_claims));
	for (uint32_t i = 0; i < ingress->tls.n; i++) {
		read_entry(&reader, i);
	}
}
