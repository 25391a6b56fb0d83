/*
 * The inside of the model, shared by model.c (what readers see), build.c (how it follows the store)
 * and report.c (diagnostics).
 *
 *   ingress node ──owns──> claim ──stands in──> slot: one key of one map; the first claim in line
 * wins │                    │ │                    ├──> backend node, counted by the slots that
 * lead to it │                    └──> host node, counted by the slots under it └──> service node
 * <──── backend node
 *
 * A change of an Ingress goes along its claims to their slots; a change of a Service goes from its
 * service node to the claims that name it; a change of endpoints goes to its backend nodes. Nothing
 * else is looked at.
 */
#ifndef HG_MODEL_MODEL_PRIV_H
#define HG_MODEL_MODEL_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/table.h"
#include "model/auth.h"
#include "model/canary.h"
#include "model/client_ca.h"
#include "model/diag.h"
#include "model/endpoints.h"
#include "model/globals.h"
#include "model/model.h"
#include "model/monitors.h"
#include "model/operator.h"
#include "model/pages.h"
#include "model/parameters.h"
#include "model/passthrough.h"
#include "model/patterns.h"
#include "model/policies.h"
#include "model/sets.h"
#include "model/tcp.h"
#include "model/tls.h"
#include "model/trust.h"

/* Claims of spec.defaultBackend carry this instead of a rule's number. */
#define CLAIM_DEFAULT_RULE UINT32_MAX

enum claim_status {
	CLAIM_OK,
	CLAIM_TAKEN, /* another claim is first in line */
	CLAIM_NO_SERVICE,
	CLAIM_SERVICE_TYPE,
	CLAIM_NO_PORT,
	CLAIM_EXTERNAL_NAME,
};

/* One path of one Ingress asks for one key of a map. */
struct claim {
	struct slot *slot;
	struct claim *next_in_slot;
	struct ingress_node *ingress; /* owner */
	struct service_node *service;
	struct claim *prev_of_service;
	struct claim *next_of_service;
	char *port_name; /* owned; NULL = by number */
	int32_t port_number;
	uint32_t rule;	   /* index, or CLAIM_DEFAULT_RULE */
	uint32_t path;	   /* index */
	uint8_t status;	   /* enum claim_status */
	bool is_fallback;  /* spec.defaultBackend: behind every claim of a rule */
	bool redirects;	   /* its Ingress has TLS for the host, and wants no plain HTTP for it */
	bool is_tcp : 1;   /* of tcp.h or passthrough.h: connections go there, not requests */
	bool bars : 1;	   /* of passthrough.h: nobody of its namespace passes the host through */
	bool passes : 1;   /* of passthrough.h: connections that stay TLS, … */
	bool ends_tls : 1; /* … and a rule that keeps others' from it: it leads nowhere */
};

/* An Ingress of ours. */
struct ingress_node {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	int64_t created_seconds;
	struct class_node *class;   /* NULL for what is the operator's */
	struct option_set *options; /* owned: its own annotations; NULL = none */
	struct claim *claims;	    /* array; its address is fixed while the node lives */
	size_t n_claims;
	struct tls_claim *tls_claims; /* the same */
	struct diag *faults; /* found while reading the object; the claims' status adds to them */
	uint32_t n_tls_claims;
	uint32_t n_faults;
	uint16_t n_verdicts[OPTION_VERDICT_COUNT]; /* its annotations; in the model's, too */
	bool passes;				   /* asks for ssl-passthrough, and may */
	bool bars;				   /* has a rule about who may come in */
};

/* A class that Ingresses have, or "" for those without an IngressClass; it stays while the model
 * does. */
struct class_node {
	struct option_set *options; /* owned: its ConfigMap's, over the controller's; NULL = none */
	bool is_changed;	    /* see sets_read_classes() */
	char name[];
};

/* What a slot has that has a policy. */
struct slot_policy {
	struct policy_node *policy;
	char value[]; /* "backend|policy" */
};

/* One key of a map. It exists while somebody claims it. */
struct slot {
	enum model_map map;
	bool passes;		      /* of MODEL_MAP_PASSTHROUGH: the winner does */
	struct claim *claims;	      /* in order of precedence */
	const struct claim *winner;   /* the first one when the others were last told */
	struct backend_node *backend; /* NULL = MODEL_BACKEND_UNAVAILABLE */
	struct slot_policy *policy;   /* owned; NULL = none */
	struct host_node *host;	      /* NULL for MODEL_MAP_DEFAULTS and MODEL_MAP_TCP */
	char key[];
};

/* A virtual host: an entry of MODEL_MAP_HOSTS whose value is its key. */
struct host_node {
	size_t n_slots;
	size_t n_redirects; /* claims under it that ask for HTTPS: an entry of MODEL_MAP_REDIRECT */
	char key[];
};

struct backend_node {
	struct model_backend public; /* its servers are one block, owned; its name is the one
					below, or MODEL_BACKEND_UNAVAILABLE of a closed one */
	struct service_node *service;
	struct backend_node *next_of_service;
	char *external;	     /* owned: value in external.map; NULL = a backend with servers */
	struct trust *trust; /* owned; NULL = none */
	char *refused;	     /* owned: an endpoint's address that is not used; NULL = none */
	uint32_t n_slots;    /* slots and policies that lead here; it goes with the last one */
	int32_t port;
	char name[];
};

/* A Service that somebody names, whether it exists or not. */
struct service_node {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	struct claim *claims;
	struct backend_node *backends;
	struct follower *followers;		   /* of policies that lead to it */
	struct option_set *options;		   /* owned: its annotations; NULL = none */
	struct diag *faults;			   /* owned: what is wrong with them */
	uint16_t n_faults;			   /* at most one an annotation: far fewer */
	uint16_t n_verdicts[OPTION_VERDICT_COUNT]; /* of them; in the model's, too */
	bool is_unwatched;			   /* see model_watches() */
};

/* What is said of a Service or a Secret that is not there, where nobody would see it. */
#define MODEL_UNWATCHED_FAULT "its namespace is not watched: add it to --watch-namespace"

struct model {
	struct model_options options;	     /* owned copies */
	struct table ingresses;		     /* struct ingress_node, by namespace and name */
	struct table classes;		     /* struct class_node, by name */
	struct table services;		     /* struct service_node, by namespace and name */
	struct table backends;		     /* struct backend_node, by name */
	struct table externals;		     /* the same, for those without servers */
	struct table closed;		     /* those that HAProxy is not told of (trust.h) */
	struct table slots[MODEL_MAP_COUNT]; /* struct slot, by key; none for MODEL_MAP_HOSTS */
	struct table hosts;		     /* struct host_node, by key */
	struct option_set *own_options; /* what the controller's ConfigMap says; NULL = nothing */
	struct ingress_node *operator_default;	   /* the default backend, and … */
	struct ingress_node *operator_certificate; /* … certificate, of operator.h; NULL = none */
	char *backend_wish;			   /* what these two are; NULL = nothing */
	char *certificate_wish;
	struct table snis;		   /* struct sni, by host */
	struct table siblings;		   /* struct sni, the first of those under one wildcard, by
					      what follows their first label */
	struct table secrets;		   /* struct secret_node, by namespace and name */
	struct secret_node *dirty_secrets; /* whose certificates are to be made anew */
	struct secret_node *default_secret;
	struct secret_need *needs; /* in the order in which they came up */
	size_t n_needs;
	struct table policies;		    /* struct policy_node, by id */
	struct policy_node *dirty_policies; /* whose records are to be written */
	struct table lists;		    /* struct list_node, by name */
	struct table networks;		    /* struct list_entry, by key */
	struct table addresses;		    /* the same */
	struct table certificates;	    /* struct certificate_node, by name */
	struct table delta; /* char *: "m" + the map's character + key, "b" + backend name, or "c" +
			       certificate name */
	struct table
		unreported;  /* struct ingress_key: Ingresses whose diagnostics may have changed */
	struct table let_go; /* struct ingress_key: there, once ours, and not yet told of */
	struct table reported; /* struct report: what model_report_diags() last said, where it was
				  not "nothing" */
	size_t n_servers;
	size_t n_redirects;
	size_t n_auths;				 /* entries of MODEL_MAP_AUTH */
	size_t n_canaries;			 /* entries of MODEL_MAP_CANARY */
	size_t n_passing;			 /* entries of MODEL_MAP_PASSTHROUGH */
	size_t n_verdicts[OPTION_VERDICT_COUNT]; /* of all its Ingresses' and Services' annotations
						  */
	struct client_ca client_ca;
	struct pages pages;
	struct patterns patterns;
	struct monitors monitors;
	struct tcp tcp;
	bool are_settings_read; /* once, from a store */
	char *settings;		/* as model_settings() says them */
	char settings_digest[MODEL_DIGEST_SIZE];
};

/* Key of an Ingress that may be gone. */
struct ingress_key {
	char *namespace;
	char *name;
};

/* For model_report_needs(). */
struct secret_need {
	struct ingress_key key;
	enum model_need need;
};

/* The diagnostics of one Ingress as they were last reported. */
struct report {
	struct ingress_key key;
	struct diag *diags;
	size_t n_diags;
};

uint32_t model_hash_pair(const char *namespace, const char *name);
struct ingress_node *model_find_ingress(
	const struct model *model, const char *namespace, const char *name) MUST_USE;
void model_touch_entry(struct model *model, enum model_map map, const char *key);
void model_touch_backend(struct model *model, const char *name);
void model_touch_certificate(struct model *model, const char *name);
void model_note_let_go(struct model *model, const char *namespace, const char *name);
void model_touch_ingress(struct model *model, const char *namespace, const char *name);

/* build.c: something is wrong with the object as it stands; takes `field` and `text`. */
void model_add_fault(struct ingress_node *node, enum diag_reason reason, char *field, char *text);

/* report.c: everything that is wrong with an Ingress now: *ret_n new diags in spec order; free with
 * model_free_diags(). */
struct diag *model_collect_diags(const struct ingress_node *node, size_t *ret_n) MUST_USE;

/* report.c: everything that it keeps in the model. */
void model_free_reports(struct model *model);

/* certificate.c: SHA-256 over texts, in lower-case hexadecimal. */
void certificate_digest(char ret_digest[CERT_DIGEST_SIZE], const char *const *texts, size_t n);

/* certificate.c: the certificates of a Secret become what its content and its claims ask for. */
void certificates_follow(struct model *model, struct secret_node *secret);

/* certificate.c: one that is not for clients, with this content; released once for each time it was
 * taken. NULL may be released. */
struct certificate_node *certificate_take(
	struct model *model, const char *name, const char *pem) MUST_USE;
void certificate_release(struct model *model, struct certificate_node *node);

/* certificate.c: no Secret is the one of the default any more. */
void certificates_forget_default(struct model *model);

/* certificate.c: all of them. */
void model_free_certificates(struct model *model);

/* slot.c: enters a claim whose members are filled in, takes it out, or decides the slot again. */
void slot_enter(struct model *model, const struct store *store, struct claim *claim,
	enum model_map map, const char *key);
void slot_leave(struct model *model, const struct store *store, struct claim *claim);
void slot_decide(struct model *model, const struct store *store, struct slot *slot);

/* slot.c: the backend that the requests of a claim go to, given the port; released once for each
 * time it was taken. NULL may be released. */
struct backend_node *backend_take(struct model *model, const struct store *store,
	const struct claim *claim, int32_t port) MUST_USE;
void backend_release(struct model *model, struct backend_node *backend);

/* build.c: an Ingress's claim, whose members are filled in, comes into the model at this key of a
 * map; and all that an Ingress has there goes. */
void claim_enter(struct model *model, const struct store *store, struct claim *claim,
	const char *service, enum model_map map, const char *key);
void ingress_drop_claims(struct model *model, const struct store *store, struct ingress_node *node);

/* build.c: the node of a Service, which need not exist. It goes when it is released and neither a
 * claim nor a policy has it. */
struct service_node *service_take(struct model *model, const struct store *store,
	const char *namespace, const char *name) MUST_USE;
void service_release(struct model *model, struct service_node *node);

/* slot.c: the backends of a Service follow its endpoints. */
void backend_refresh(struct model *model, const struct store *store, struct backend_node *backend);

#endif
