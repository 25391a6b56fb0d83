/*
 * What backends with TLS of their own hold on to: the authorities that their pods are verified
 * against (option server-ca) and the certificate that pods get to see (server-crt). Private to the
 * model.
 *
 *   backend node ──owns──> trust ──of──> secret node (tls.h)
 *                            └──has──> certificate node, counted by the trusts that have it
 *
 * The digests of both are words of the backend's variant, so that a Secret with other content is
 * another backend. What can't be used makes a closed backend: it is in no table that HAProxy is
 * told of, and its routes lead to MODEL_BACKEND_UNAVAILABLE: no pod is spoken to without the
 * verification that was asked for. Of authorities nothing but the newest is good; a certificate
 * stays as the last good one, as those for clients do.
 */
#ifndef HG_MODEL_TRUST_H
#define HG_MODEL_TRUST_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/variant.h"

struct backend_node;
struct certificate_node;
struct claim;
struct model;
struct secret_node;
struct store;

enum trust_part { TRUST_CA, TRUST_CRT, TRUST_PART_COUNT };

struct trust {
	struct backend_node *backend; /* owner */
	bool is_closed;
	struct {
		bool is_wanted;
		bool is_closed;		    /* wanted, and can't be used */
		struct secret_node *secret; /* NULL = it names none that may be used */
		struct certificate_node
			*certificate; /* NULL = not wanted, or the trust is closed */
		struct trust *prev_of_secret;
		struct trust *next_of_secret;
	} parts[TRUST_PART_COUNT];
};

/* What a claim's options ask for. All zeros = nothing. Texts are borrowed. */
struct trust_wish {
	bool is_closed;
	struct {
		const char *reference; /* "namespace/name"; NULL = not wanted */
		bool is_closed;
		char digest[VARIANT_DIGEST_LEN + 1];
		char *pem; /* owned; NULL = closed */
	} parts[TRUST_PART_COUNT];
};

void trust_wish_read(struct trust_wish *wish, const struct store *store, const struct claim *claim);
void trust_wish_fini(struct trust_wish *wish);

/* For a new backend; NULL = the wish is empty. trust_release() takes it back. */
struct trust *trust_take(struct model *model, const struct store *store,
	struct backend_node *backend, const struct trust_wish *wish) MUST_USE;
void trust_release(struct model *model, struct trust *trust);

/* There is something new of a Secret: the routes whose backends hold on to it are decided again. */
void trust_follow_secret(
	struct model *model, const struct store *store, const struct secret_node *secret);

/* What is wrong with a backend's; false = nothing. NULL is allowed. */
bool trust_diag(const struct trust *trust, struct diag *ret_diag);

#endif
