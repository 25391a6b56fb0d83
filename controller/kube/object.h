/*
 * Kubernetes objects as Headgate keeps them: only the fields that are used, each object one block
 * of memory.
 *
 * Texts and lists inside an object are offsets from its start, not pointers. So an object is copied
 * with memcpy, freed with free(), and two objects say the same exactly when their bytes are the
 * same (object_equals) - an update that changes nothing we read is seen as no change at once. Of an
 * Ingress we also read the status, which we write: it stands behind everything else, so that an
 * update of it alone is found by the same comparison (object_differs_in_status).
 *
 * Field meanings: https://kubernetes.io/docs/reference/kubernetes-api/ (Ingress v1, IngressClass
 * v1, Service v1, EndpointSlice v1, ConfigMap v1).
 */
#ifndef HG_KUBE_OBJECT_H
#define HG_KUBE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum kube_kind {
#define KIND(id, name, version, path, resource) KUBE_##id,
#include "kube/kinds.def"
	KUBE_KIND_COUNT
};

struct kube_kind_info {
	const char *name;
	const char *api_version; /* "v1", "networking.k8s.io/v1" */
	const char *path;	 /* "/api/v1" */
	const char *resource;	 /* "services" */
};

extern const struct kube_kind_info kube_kinds[KUBE_KIND_COUNT];

/* A NUL-terminated text inside an object; offset 0 = the field was absent. */
struct obj_text {
	uint32_t offset;
};

/* `n` structs in a row inside an object. */
struct obj_list {
	uint32_t offset;
	uint32_t n;
};

/* An item of a map: of annotations, or of a ConfigMap's data. `value` is absent when it was longer
 * than is kept. */
struct obj_pair {
	struct obj_text key;
	struct obj_text value;
};

/* A boolean that may be absent, with the meaning left to the reader. */
enum obj_bool { OBJ_ABSENT = 0, OBJ_FALSE, OBJ_TRUE };

struct object {
	uint32_t mark;		   /* the store's own; not part of the content */
	uint32_t size;		   /* bytes of the whole block */
	int64_t created_seconds;   /* metadata.creationTimestamp, Unix time; 0 = absent */
	struct obj_text namespace; /* "" for cluster-scoped kinds */
	struct obj_text name;
	uint8_t kind; /* enum kube_kind */
};

enum ingress_path_type {
	INGRESS_PATH_UNKNOWN = 0, /* absent, or a word that we do not know */
	INGRESS_PATH_EXACT,
	INGRESS_PATH_PREFIX,
	INGRESS_PATH_IMPLEMENTATION_SPECIFIC,
};

/* IngressBackend: a Service's port by number or by name, or a resource. */
struct ingress_backend {
	struct obj_text service;
	struct obj_text port_name;
	struct obj_text resource_kind; /* set when backend.resource is used */
	int32_t port_number;	       /* 0 = by name */
};

struct ingress_path {
	struct obj_text path;
	struct ingress_backend backend;
	uint8_t type; /* enum ingress_path_type */
};

struct ingress_rule {
	struct obj_text host;
	struct obj_list paths; /* struct ingress_path */
};

/* status.loadBalancer.ingress[]: one of the two is set. */
struct balancer_address {
	struct obj_text ip;
	struct obj_text hostname;
};

/* spec.tls[i] */
struct ingress_tls {
	struct obj_list hosts; /* struct obj_text */
	struct obj_text secret;
};

struct ingress {
	struct object head;
	struct obj_text uid; /* metadata.uid */
	struct obj_text class_name;
	struct obj_text legacy_class; /* annotation kubernetes.io/ingress.class */
	struct ingress_backend default_backend;
	struct obj_list annotations; /* struct obj_pair, sorted by key: those that may be options */
	struct obj_list rules;	     /* struct ingress_rule */
	struct obj_list tls;	     /* struct ingress_tls */
	/* The last member, and the last row in object.c: see object_differs_in_status(). */
	struct obj_list addresses; /* struct balancer_address */
};

/* IngressClassParametersReference: what options of the class are in. */
struct class_parameters {
	struct obj_text api_group;
	struct obj_text kind;
	struct obj_text name;
	struct obj_text scope; /* "Cluster" when absent, as the API defines */
	struct obj_text namespace;
};

struct ingress_class {
	struct object head;
	struct obj_text controller;
	struct class_parameters parameters;
	struct obj_text is_default; /* annotation ingressclass.kubernetes.io/is-default-class */
};

enum port_protocol {
	PORT_PROTOCOL_TCP = 0, /* also when absent, as the API defines */
	PORT_PROTOCOL_OTHER,
};

struct service_port {
	struct obj_text name;
	struct obj_text app_protocol;
	int32_t port;
	uint8_t protocol; /* enum port_protocol */
};

struct service {
	struct object head;
	struct obj_text type;
	struct obj_text external_name;	/* of type ExternalName */
	struct obj_text primary_family; /* ipFamilies[0]: IPv4, IPv6 */
	struct obj_text cluster_ip;
	struct obj_list annotations; /* struct obj_pair, sorted by key: those that may be options */
	struct obj_list external_ips; /* struct obj_text */
	struct obj_list addresses;    /* struct balancer_address */
	struct obj_list ports;	      /* struct service_port */
};

struct slice_port {
	struct obj_text name;
	int32_t port; /* 0 = absent */
	uint8_t protocol;
};

struct slice_endpoint {
	struct obj_text address; /* addresses[0]: the API gives further ones no meaning */
	struct obj_text pod;	 /* targetRef.name when targetRef.kind is Pod */
	uint8_t ready;		 /* enum obj_bool; absent means ready */
	uint8_t serving;
	uint8_t terminating;
};

struct endpoint_slice {
	struct object head;
	struct obj_text service;      /* label kubernetes.io/service-name */
	struct obj_text address_type; /* IPv4, IPv6, FQDN */
	struct obj_list ports;	      /* struct slice_port */
	struct obj_list endpoints;    /* struct slice_endpoint */
};

struct config_map {
	struct object head;
	struct obj_list data; /* struct obj_pair, sorted by key */
};

enum secret_state {
	SECRET_GOOD = 0,
	SECRET_ABSENT,	/* was removed; its last content stays */
	SECRET_INVALID, /* the newest version can't be used */
	SECRET_EXPIRED, /* the newest version, by the time at which it was looked at */
	SECRET_EARLY,	/* the same: not valid yet */
};

/* A version that is not valid yet, while an older one is in use. As in cert/cert.h. */
struct secret_next {
	struct obj_text pem;
	struct obj_text names;
	struct obj_text fingerprint;
	struct obj_text digest;
	int64_t not_before;
	int64_t not_after;
	uint8_t key;
};

#define SECRET_TYPE_TLS "kubernetes.io/tls"

/* Made by kube/secret.c. `pem` holds a key, and so does that of `next`, and hashes are in `users`:
 * freed with object_free(), which wipes. */
struct secret {
	struct object head;
	struct obj_text type;
	/* What is in use: the newest version that can be; absent when there was none. As in
	 * cert/cert.h. */
	struct obj_text pem;
	struct obj_text names;
	struct obj_text fingerprint;
	struct obj_text digest;
	struct obj_text fault; /* what is wrong with the newest version; absent when it is good */
	/* Of the newest version, when it is of another type: users and hashes of their passwords
	 * as in auth/users.h, absent = none; which version of them it is, in 32 hexadecimal
	 * digits that tell nothing; and what is wrong. */
	struct obj_text users;
	struct obj_text users_version;
	struct obj_text users_fault;
	/* Of the newest version: the certificates in ca.crt or, in one of another type than
	 * kubernetes.io/tls, in tls.crt, as cert_read_authorities() gives them; absent = it has
	 * none that can be used; and what is wrong. */
	struct obj_text authorities;
	struct obj_text authorities_fault;
	/* When it has none that can be used: those of the last version that had some. */
	struct obj_text last_authorities;
	struct secret_next next; /* only with SECRET_EARLY, its `pem` absent = what is in use */
	int64_t not_before;	 /* of what is in use */
	int64_t not_after;
	int64_t authorities_not_after; /* of the one that expires last */
	uint8_t key;		       /* enum cert_key */
	uint8_t state;		       /* enum secret_state, of the newest version */
	bool is_untimely; /* what is in use has expired or is not valid yet, when last looked at */
	bool has_expired; /* the first of these */
	bool have_authorities_expired; /* all of them, when last looked at */
};

/* The text, "" when absent; borrowed from the object. */
static inline const char *obj_str(const void *object, struct obj_text text)
{
	return text.offset ? (const char *)object + text.offset : "";
}

static inline bool obj_has(struct obj_text text)
{
	return text.offset != 0;
}

/* The first struct of a list; the caller knows its type. */
static inline const void *obj_items(const void *object, struct obj_list list)
{
	return (const char *)object + list.offset;
}

static inline const char *object_namespace(const struct object *object)
{
	return obj_str(object, object->namespace);
}

static inline const char *object_name(const struct object *object)
{
	return obj_str(object, object->name);
}

/* Same content, the store's mark aside. */
bool object_equals(const struct object *a, const struct object *b) MUST_USE;

/* Two versions of an Ingress that are the same but for `addresses`; false for every other kind. */
bool object_differs_in_status(const struct object *a, const struct object *b) MUST_USE;

/* Frees an object; one with a key is wiped before. NULL is fine. */
void object_free(struct object *object);

#endif
