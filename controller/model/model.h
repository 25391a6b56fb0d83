/*
 * Wanting: what HAProxy should look like, in HAProxy's words: backends with servers, and maps with
 * entries.
 *
 * The model is a pure function of the objects in the store and of its options: no I/O, no clock, no
 * log. It is kept up to date piece by piece (model_update), and a model built from nothing must be
 * equal to it, byte for byte (model_dump).
 *
 * What an object asks for and can't get becomes a diagnostic on that object; everything else in it
 * works.
 */
#ifndef HG_MODEL_MODEL_H
#define HG_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

enum model_map {
#define MAP(id, file, key, value) MODEL_MAP_##id,
#include "model/maps.def"
	MODEL_MAP_COUNT
};

/* File names of the maps inside the state directory. */
extern const char *const model_map_files[MODEL_MAP_COUNT];

/*
 * The backend of routes that are right but have nothing to go to (no such Service, no such port):
 * it is part of the constant configuration and answers 503, so that the route is taken and heals by
 * itself.
 */
#define MODEL_BACKEND_UNAVAILABLE "headgate_unavailable"

/* In the value of a route this stands between the backend and the policy, where it has one. */
#define MODEL_POLICY_MARK '|'

/* The part of a route's value that is the backend: its length. */
size_t model_backend_len(const char *value) MUST_USE;

/* Names of the backends that the model makes contain this; the constant configuration's own never
 * do. */
#define MODEL_BACKEND_INFIX "_svc_"

/* The "backends" of Services of type ExternalName contain this: they are only keys of external.map,
 * which says where a constant backend (haproxy-cfg/40-fixed-backends.cfg) sends their requests. */
#define MODEL_EXTERNAL_INFIX "_ext_"

/* That constant backend. */
#define MODEL_BACKEND_EXTERNAL "headgate_external"

/* The value of every entry of MODEL_MAP_REDIRECT: the status that HAProxy answers with. */
#define MODEL_REDIRECT_VALUE "308"

/* The named defaults section (haproxy-cfg/20-profiles.cfg) that plain backends come from. */
#define MODEL_PROFILE_HTTP "http_profile"

/* How requests go to a server. */
enum model_transport { MODEL_TRANSPORT_HTTP, MODEL_TRANSPORT_H2C, MODEL_TRANSPORT_HTTPS };

/* It is part of the server's name, and so read back like everything else: what is told of a server
 * when it is added can't be changed, so another transport is another server. Names of pods have no
 * '_'. */
#define MODEL_SUFFIX_H2C   "_h2c"
#define MODEL_SUFFIX_HTTPS "_https"

enum model_transport model_server_transport(const char *server) MUST_USE;

struct model_server {
	const char *name; /* unique in its backend: the pod's name or the address, and the transport
			   */
	const char *address; /* "10.0.0.1:8080", "[fd00::1]:8080" */
	/* Finishes its requests and gets no new ones. One that HAProxy does not have is not added.
	 */
	bool is_draining;
};

struct model_backend {
	const char *name; /* "<namespace>_svc_<service>_<port>", and the variant (variant.h) */
	const struct model_server *servers; /* sorted by name, then address */
	size_t n_servers;
};

/*
 * A certificate that clients are to get, with the names they get it for. It never changes: what has
 * other content or other names is another certificate, with another name. The default is the
 * exception: it keeps its name, and fingerprint and content tell whether it is the same.
 *
 * `pem` contains the private key: whoever copies it wipes the copy (OPENSSL_cleanse) before it is
 * freed, and never logs it.
 */
struct model_certificate {
	/* "<namespace>_<secret>_<16 hexadecimal digits>", where the digits are of the SHA-256 of
	 * content and hosts; or MODEL_CERTIFICATE_DEFAULT. At most MODEL_CERTIFICATE_MAX_NAME
	 * characters: letters, digits, '-', '.' and '_'. */
	const char *name;
	/* Leaf, chain, key, as OpenSSL writes them, without blank lines; at most
	 * MODEL_CERTIFICATE_MAX_PEM bytes. */
	const char *pem;
	const char *fingerprint; /* SHA-1 of the leaf, 40 upper-case hexadecimal digits */
	/* SNI names, sorted, each once: "a.test", "*.a.test"; none for the default, else at least
	 * one. Behind them, sorted, the names that its wildcards would be for and are not:
	 * "!x.a.test". Together with blanks at most MODEL_CERTIFICATE_MAX_HOSTS bytes. */
	const char *const *hosts;
	size_t n_hosts;
};

/* For names that no other certificate is for, and for clients that send no name. */
#define MODEL_CERTIFICATE_DEFAULT "default"

/*
 * Two kinds of certificates are not for clients: authorities that pods are verified against
 * (option server-ca), and certificates that pods get to see (server-crt). They have no hosts and
 * are in no list; backends refer to them by their names, which are words of a variant
 * (variant.h): "ca-" or "crt-" and 32 hexadecimal digits, of the Secret and what it holds. Their
 * `fingerprint` is "-".
 */
enum model_certificate_kind {
	MODEL_CERTIFICATE_SERVED,
	MODEL_CERTIFICATE_AUTHORITIES,
	MODEL_CERTIFICATE_SHOWN, /* to pods */
};

enum model_certificate_kind model_certificate_kind(const char *name) MUST_USE;

/* HAProxy's command line takes 15,000 bytes, command and payload, on all versions. */
#define MODEL_CERTIFICATE_MAX_NAME  240
#define MODEL_CERTIFICATE_MAX_PEM   14000
#define MODEL_CERTIFICATE_MAX_HOSTS 12000
/* And 2,048 words a line of a list of certificates. */
#define MODEL_CERTIFICATE_MAX_NAMES 1900

/* Of settings: hexadecimal digits and NUL. A part is of the error pages, one of TCP services, and
 * the first one of everything else. */
enum model_digest_part {
	MODEL_DIGEST_OTHERS,
	MODEL_DIGEST_PAGES,
	MODEL_DIGEST_TCP,
	MODEL_DIGEST_PART_COUNT
};
#define MODEL_DIGEST_PART 16
#define MODEL_DIGEST_SIZE (MODEL_DIGEST_PART_COUNT * MODEL_DIGEST_PART + 1)

struct model_options {
	const char *ingress_class;	  /* NULL = every class whose controller is ours */
	const char *controller_name;	  /* IngressClass spec.controller */
	const char *parameters_namespace; /* where ConfigMaps of classes are; NULL = nowhere */
	const char *config_map_namespace; /* the controller's own ConfigMap; NULL = none */
	const char *config_map_name;
	const char *pages_namespace; /* the ConfigMap of error pages; NULL = none */
	const char *pages_name;
	const char *patterns_namespace; /* that of files of patterns; NULL = none */
	const char *patterns_name;
	const char *tcp_namespace; /* the ConfigMap of TCP services; NULL = none */
	const char *tcp_name;
	const char *listeners; /* whose ports no TCP service can have (tcp_read.h) */
	bool has_legacy_class; /* the annotation kubernetes.io/ingress.class is read too */
	/* What the keys default-backend-service and ssl-certificate of that ConfigMap go before: */
	const char *default_namespace; /* Service of the class-wide default backend; NULL = none */
	const char *default_service;
	const char *default_port;	   /* number or name */
	const char *certificate_namespace; /* Secret of the default certificate; NULL = none */
	const char *certificate_secret;
	bool has_ssl_redirect; /* hosts with TLS are redirected to it */
	bool has_passthrough;  /* TLS connections may go to pods as they are (passthrough.h) */
	/* Endpoints on 127.0.0.0/8 and ::1 are taken: for objects that the operator wrote himself.
	 */
	bool can_use_loopback;
	bool can_use_external; /* Services of type ExternalName */
	/* Whose Services and Secrets can be in the store; none = those of all. */
	const char *const *watched_namespaces;
	size_t n_watched_namespaces;
};

struct ingress;
struct model;
struct store;
struct store_changes;

/* Copies the options. */
struct model *model_new(const struct model_options *options) MUST_USE;
void model_free(struct model *model);

/* Brings the model up to date with the store, given the keys that were touched since the last call.
 */
void model_update(
	struct model *model, const struct store *store, const struct store_changes *changes);

/* Everything in a fixed order, as text: equal texts mean equal models. Diagnostics are included. */
void model_dump(const struct model *model, struct buf *buf);

/* NULL = not wanted. Borrowed until the next model_update(). */
const struct model_backend *model_find_backend(
	const struct model *model, const char *name) MUST_USE;

/* The value wanted for a key of a map, or NULL. Borrowed until the next model_update(). */
const char *model_find_entry(
	const struct model *model, enum model_map map, const char *key) MUST_USE;

/* Step through everything: start with *position = 0, ends with NULL / false; no particular order.
 */
const struct model_backend *model_next_backend(
	const struct model *model, uint32_t *position) MUST_USE;
bool model_next_entry(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value) MUST_USE;

/* NULL = not wanted. No MODEL_CERTIFICATE_DEFAULT means: what HAProxy has stays. Borrowed until the
 * next model_update(). */
const struct model_certificate *model_find_certificate(
	const struct model *model, const char *name) MUST_USE;
const struct model_certificate *model_next_certificate(
	const struct model *model, uint32_t *position) MUST_USE;

/*
 * HAProxy has a certificate of this name and model_find_certificate() knows none: must it stay all
 * the same? True while its Secret is referred to but can't be used and was never seen usable, not
 * even in the state directory: what HAProxy has is the last good one.
 */
bool model_keeps_certificate(const struct model *model, const char *name) MUST_USE;

/* The Secret of the default certificate, as the controller's ConfigMap or else the options say;
 * false = there is none. Borrowed until the next model_update(). */
bool model_find_default_secret(
	const struct model *model, const char **ret_namespace, const char **ret_name) MUST_USE;

/* Does somebody refer to this Secret? */
bool model_needs_secret(
	const struct model *model, const char *namespace, const char *name) MUST_USE;

/* The Secret, one that somebody refers to, whose certificates have names like this one; false =
 * there is none. Borrowed until the next model_update(). */
bool model_find_secret_of(const struct model *model, const char *certificate,
	const char **ret_namespace, const char **ret_name) MUST_USE;

/* For what a Secret is needed: not at all, as a certificate, or (also) for something else, whatever
 * its type is. Of a namespace that is not watched only the default certificate is: it may be let
 * in besides. */
enum model_need { MODEL_NEED_NONE, MODEL_NEED_TLS, MODEL_NEED_ANY };

/*
 * Calls `report` for each Secret that has come to be needed, for something else, or is not any
 * more, since the last call, in the order in which that happened; the same one may be in it several
 * times. Texts are borrowed for the call.
 */
typedef void (*model_need_fn)(
	void *ctx, const char *namespace, const char *name, enum model_need need);
void model_report_needs(struct model *model, model_need_fn report, void *ctx);

/* What HAProxy as a whole is asked for, in lines of model/globals.h, and their digest. Borrowed
 * until the next model_update(). */
const char *model_settings(const struct model *model) MUST_USE;
const char *model_settings_digest(const struct model *model) MUST_USE;

/* A file that settings name, by what is in it: so what is in it never changes. */
struct model_file {
	const char *name;
	const char *content; /* NULL = an authority that nobody's certificate is from */
};

#define MODEL_MAX_FILES 16

/* Fills in the files that the settings name; returns how many. Borrowed until the next
 * model_update(). */
size_t model_settings_files(
	const struct model *model, struct model_file ret_files[MODEL_MAX_FILES]);

/* Are clients asked for certificates (option client-ca)? */
bool model_verifies_clients(const struct model *model) MUST_USE;

/* May TLS connections go to pods as they are (--enable-ssl-passthrough)? */
bool model_passes_through(const struct model *model) MUST_USE;

/* What keeps client-ca from being as it was asked for, with the remedy; NULL = nothing does.
 * Borrowed until the next model_update(). */
const char *model_client_ca_fault(const struct model *model) MUST_USE;

/* What is wrong with the error pages, with the remedies; NULL = nothing is. Borrowed as above. */
const char *model_pages_fault(const struct model *model) MUST_USE;

/* The same of the files of patterns. */
const char *model_patterns_fault(const struct model *model) MUST_USE;

/* Who may read the controller's own metrics (option prometheus-endpoint-auth-secret): everybody, or
 * users of a Secret; or what is asked for has not been read yet. */
enum model_guard { MODEL_GUARD_NONE, MODEL_GUARD_USERS, MODEL_GUARD_UNKNOWN };

enum model_guard model_guards_metrics(const struct model *model) MUST_USE;

/* The Secret with these users; false = there are none, and nobody may. Borrowed until the next
 * model_update(). */
bool model_find_monitors(
	const struct model *model, const char **ret_namespace, const char **ret_name) MUST_USE;

/* What keeps that from being as it was asked for; as model_client_ca_fault(). */
const char *model_monitors_fault(const struct model *model) MUST_USE;

/* What is wrong with the ConfigMap of TCP services, with the remedies; NULL = nothing is. Borrowed
 * as above. */
const char *model_tcp_fault(const struct model *model) MUST_USE;

/* Of TCP services: so many are served, without TLS and with it together. */
#define MODEL_MAX_PORTS 64

/* The ports of that ConfigMap, whether HAProxy can have them or not; returns how many. */
size_t model_ports(const struct model *model, uint16_t ret_ports[MODEL_MAX_PORTS]);

/* A port that HAProxy can't have. */
struct model_held_port {
	uint16_t port;
	int error; /* errno of who tried */
};

/* These ports, and no others, are left out of the settings from now on, and
 * model_tcp_fault() says so; whatever the ConfigMap says. */
void model_hold_ports(struct model *model, const struct store *store,
	const struct model_held_port *held, size_t n);

/* They: borrowed until the next call. Returns how many. */
size_t model_held_ports(const struct model *model, const struct model_held_port **ret_held);

/* Is there no authority to verify clients against, not even a last good one, although there is a
 * Secret that it should be in? Then which; borrowed until the next model_update(). */
bool model_lacks_client_ca(
	const struct model *model, const char **ret_namespace, const char **ret_name) MUST_USE;

/* The name of the file with these authorities of a Secret; the caller frees it. */
char *model_client_ca_file(const char *namespace, const char *name, const char *pem) MUST_USE;

/* The settings that hold when nobody sets anything; the caller frees them. */
char *model_standard_settings(void) MUST_USE;

/* The ports of TCP services that settings say; returns how many. */
size_t model_settings_ports(const char *settings, uint16_t ret_ports[MODEL_MAX_PORTS]);

/* The same settings without these ports, as if nobody had asked for them; the caller frees them.
 */
char *model_settings_without(const char *settings, const uint16_t *ports, size_t n) MUST_USE;

/* The digest of settings; and is it that of the standard? */
void model_digest_settings(char ret_digest[MODEL_DIGEST_SIZE], const char *settings);
bool model_is_standard(const char *digest) MUST_USE;

/* Who may come in where a policy (model/policy.h) holds: the users of this Secret. */
struct model_users {
	const char *namespace;
	const char *secret;
	const char *version; /* of the Secret's users (kube/object.h) */
	char name[32];	     /* what the policy's record says of them */
};

/* By the policy's id; false = no such policy, or one that lets nobody in, or everybody. Texts are
 * borrowed until the next model_update(). */
bool model_find_users(
	const struct model *model, const char *policy, struct model_users *ret_users) MUST_USE;

/* What may have changed since the last model_take_delta(): keys, each once. A key need not exist
 * any more. */
struct model_delta_entry {
	enum model_map map;
	char *key;
};

struct model_delta {
	struct model_delta_entry *entries;
	size_t n_entries;
	char **backends;
	size_t n_backends;
	char **certificates; /* names */
	size_t n_certificates;
};

struct model_delta model_take_delta(struct model *model) MUST_USE;
void model_delta_fini(struct model_delta *delta);

/* Can objects of this namespace be in the store, as far as the options say? */
bool model_watches(const struct model *model, const char *namespace) MUST_USE;

/* Is this Ingress one of those that the model is made from? */
bool model_is_ours(const struct model *model, const char *namespace, const char *name) MUST_USE;

/* The name of its class, from the spec or, where the options say so, from the annotation; NULL = it
 * names none. Borrowed from the Ingress. */
const char *model_class_name(const struct model *model, const struct ingress *ingress) MUST_USE;

/*
 * Calls `report` once for each Ingress that was ours at the last call or since, is still in the
 * store, and is no longer ours; sorted by namespace and name. Arguments are borrowed for the call.
 */
typedef void (*model_ingress_fn)(void *ctx, const char *namespace, const char *name);
void model_report_let_go(struct model *model, model_ingress_fn report, void *ctx);

/* Counts for metrics and the log. */
struct model_counts {
	size_t n_backends;
	size_t n_servers;
	size_t n_entries[MODEL_MAP_COUNT];
	size_t n_ingresses; /* of our class */
	size_t n_certificates;
};

void model_count(const struct model *model, struct model_counts *ret_counts);

#endif
