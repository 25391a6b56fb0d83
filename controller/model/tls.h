/*
 * TLS of Ingresses: who is served which certificate. Private to the model.
 *
 *   ingress node ──owns──> tls claim ──stands in──> SNI name: the first claim in line leads
 *                            └──of──> secret node ──has──> certificates: its content, for the
 *                                                          names that it won
 *
 * Claims whose certificate clients would take (it has the name, and its time) go before those whose
 * certificate they would refuse; among equals the older object goes first. The leader's namespace
 * has the name: it may add a certificate of another key type, and nobody else may, as HAProxy
 * chooses between them by what the client can do.
 *
 * A change of an Ingress goes along its tls claims to their names; a change of a Secret goes to the
 * claims that name it. Both mark Secrets, whose certificates are made anew at the end of the
 * update.
 */
#ifndef HG_MODEL_TLS_H
#define HG_MODEL_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "cert/cert.h"
#include "model/diag.h"
#include "model/model.h"
#include "model/trust.h"

struct ingress;
struct ingress_node;
struct store;

/* One name of spec.tls asks for the certificate of one Secret. */
struct tls_claim {
	struct sni *sni;
	struct tls_claim *next_in_sni;
	struct ingress_node *ingress; /* owner */
	struct secret_node *secret;
	struct tls_claim *prev_of_secret;
	struct tls_claim *next_of_secret;
	uint32_t tls;  /* index in spec.tls */
	uint32_t host; /* index in its hosts, or in spec.rules where it has none */
	bool is_by_rule;
};

/* What clients would make of a claim's certificate. */
enum fitness { FIT_ABSENT, FIT_REFUSED, FIT_TAKEN };

/* A name that clients ask for. It exists while somebody claims it. */
struct sni {
	struct tls_claim *claims;			 /* in order of precedence */
	const struct tls_claim *winners[CERT_KEY_COUNT]; /* when it was last decided */
	/* exclusion.c: the others under the same wildcard; of a wildcard NULL */
	struct sni *prev_sibling;
	struct sni *next_sibling;
	/* Bits of enum cert_key: what HAProxy would prefer to this name's own certificates */
	uint8_t outranking;
	uint8_t fitness;  /* enum fitness, of its certificates */
	uint8_t shadowed; /* bits: by the wildcard's certificate of this type, for want of room */
	char host[];
};

/* A Secret that somebody refers to, whether it exists or not. */
struct secret_node {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	char *prefix;	 /* of its certificates' names; owned */
	struct tls_claim *claims;
	struct policy_node *policies;		/* that let its users in */
	struct trust *trusts[TRUST_PART_COUNT]; /* of backends that hold on to it */
	uint32_t n_references; /* claims, policies, trusts, the default, named_secret.h */
	bool is_default;       /* that of the default certificate */
	bool is_client_ca;     /* clients are verified against it */
	bool is_unwatched;     /* see model_watches() */
	bool is_of_monitors;   /* its users may read the metrics */
	uint8_t told;	       /* enum model_need, the last one */
	bool is_dirty;
	struct secret_node *next_dirty;
	bool is_known;	  /* the store has it */
	uint8_t state;	  /* enum secret_state */
	bool is_untimely; /* as in struct secret */
	bool has_expired;
	enum cert_key key;
	/* Copies of what the store has, NULL = absent: */
	char *pem; /* wiped when freed */
	char *fingerprint;
	char *digest;
	char *names;
	char *fault;
	char *users_version; /* NULL = it has no users */
	char *users_fault;
	char *authorities_fault;
	bool is_tls;		       /* of type kubernetes.io/tls */
	bool have_authorities_expired; /* all that server-ca would find */
	struct certificate_node **certificates;
	size_t n_certificates;
};

/* One block: the texts and the list of hosts lie behind the struct; `pem` and `fingerprint` are the
 * Secret's. */
struct certificate_node {
	struct model_certificate public;
	char *digest;	  /* of the default, to see a change; owned; else NULL */
	char *own_pem;	  /* of one that is not for clients; owned, wiped when freed; else NULL */
	uint32_t n_users; /* trusts that have it; 0 = it is for clients */
};

/* The virtual hosts that spec.tls of one Ingress lists; for the time of reading it. */
struct tls_hosts {
	struct table hosts; /* const char *, of the object */
	bool has_all;	    /* one entry names none: the hosts of the rules */
};

void tls_hosts_init(struct tls_hosts *hosts, const struct ingress *ingress);
void tls_hosts_fini(struct tls_hosts *hosts);

/* Is this virtual host listed, itself or by a wildcard of one label? */
bool tls_hosts_have(const struct tls_hosts *hosts, const char *host) MUST_USE;

/* Reads spec.tls: enters the node's tls claims and adds faults. */
void tls_read(struct model *model, const struct store *store, const struct ingress *ingress,
	struct ingress_node *node);

/* Fills `claim`'s links; its owner's members are filled in. */
void tls_enter(struct model *model, const struct store *store, struct tls_claim *claim,
	const char *secret, const char *host);
void tls_leave(struct model *model, struct tls_claim *claim);

/* What clients would make of the claim's certificate. */
enum fitness tls_fitness(const struct tls_claim *claim) MUST_USE;

/* As routes have it: the older object, then namespace and name, then the order inside. */
int tls_compare_claims(const struct tls_claim *a, const struct tls_claim *b) MUST_USE;

/* Its certificates are made anew at the end of the update; NULL is fine. */
void tls_mark_secret(struct model *model, struct secret_node *node);

struct sni *tls_find_sni(const struct model *model, const char *host) MUST_USE;

/* A reference to a Secret, to be released once for each time it was taken. */
struct secret_node *tls_take_secret(struct model *model, const struct store *store,
	const char *namespace, const char *name) MUST_USE;
void tls_release_secret(struct model *model, struct secret_node *node);

/* Which Secret the default certificate is of; `name` NULL = of none. */
void tls_set_default(
	struct model *model, const struct store *store, const char *namespace, const char *name);

/* What is wrong with that Secret: true = *ret_diag is filled in. */
bool tls_default_diag(const struct model *model, struct diag *ret_diag) MUST_USE;

/* The store has something new of this Secret. */
void tls_update_secret(
	struct model *model, const struct store *store, const char *namespace, const char *name);

/* Certificates follow what the calls above changed: the last step of an update. */
void tls_flush(struct model *model);

/* Takes whatever is wrong with the tls claims of an Ingress, in spec order, at most one for each
 * claim and one for each Secret; returns how many. Room for twice as many as claims. */
size_t tls_collect_diags(const struct ingress_node *node, struct diag *ret_diags);

void tls_free(struct model *model);

/*
 * exclusion.c: names that the certificate of a wildcard must be kept out of.
 *
 * HAProxy chooses by the type of key first: a client that can use ECDSA gets an ECDSA certificate
 * where there is one, be it only the wildcard's, and then an RSA one, then any other. So what
 * outranks a name's own certificates is excluded from it, wherever clients would take the name's
 * own no less than the wildcard's.
 */

/* A name begins, changes (its winners are decided), or is about to end. */
void exclusion_enter(struct model *model, struct sni *sni);
void exclusion_follow(struct model *model, struct sni *sni, enum fitness fitness);
void exclusion_leave(struct model *model, struct sni *sni);

/* "!x.a.test", sorted; owned. */
struct exclusions {
	char **items;
	size_t n;
	size_t size; /* bytes, with a blank each */
};

/*
 * The names that the certificate of this type of `wildcard`, which has one, is not for. Where there
 * are more than a certificate may have, the oldest are; the others are shadowed, which their
 * Ingresses are told.
 */
struct exclusions exclusions_collect(
	struct model *model, const struct sni *wildcard, enum cert_key key) MUST_USE;
void exclusions_fini(struct exclusions *exclusions);

#endif
