/*
 * What HAProxy has confirmed: its backends, servers and map entries as they were read back, and
 * every operation since that was answered with success. It is filled by haproxy/observe and
 * haproxy/apply, read by plan and by haproxy/state, and thrown away whenever there is doubt.
 *
 * Only what is ours is in it: backends whose name contains MODEL_BACKEND_INFIX, the entries of our
 * maps, and the certificates in our folder. Of a certificate it has no content: that is only in the
 * model, and on disk.
 */
#ifndef HG_PLAN_APPLIED_H
#define HG_PLAN_APPLIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/table.h"
#include "model/model.h"

/* Backends are spread over this many files, so that saving one change does not rewrite all of them.
 */
#define APPLIED_SHARDS 64

enum applied_admin {
	APPLIED_READY,
	APPLIED_DRAIN, /* finishes its requests and gets no new ones */
	APPLIED_MAINT, /* not in use: just added, or on its way out */
};

struct applied_server {
	char *name;    /* owned */
	char *address; /* as model_server.address; in the block of the name */
	uint8_t admin; /* enum applied_admin */
	bool is_seen;  /* by the look at its backend that is under way (plan/drift) */
};

struct applied_backend {
	struct applied_server *servers; /* sorted by name */
	uint32_t n_servers;
	uint32_t n_allocated;
	bool is_unpublished; /* by us, since it was read back */
	char name[];
};

struct applied_entry {
	uint32_t key_len : 24; /* key and value lie behind each other in `text`, each with its NUL
				*/
	uint32_t look : 8;     /* the one that saw it last */
	char text[];
};

/* The client name that the default certificate is in the list for: one that nobody asks for.
 * Without it, the names inside the certificate would count. */
#define APPLIED_DEFAULT_HOSTS "headgate.invalid"

struct applied_certificate {
	char *hosts; /* as model_certificate.hosts, blanks between them; NULL = it is in no list:
			half made, or half removed; of one that is not for clients: "" = it
			is there, NULL = what it holds is not known; owned */
	char *fingerprint; /* of the default, whose name does not say its content; owned */
	bool is_listed;	   /* seen in the list, or in memory, by the look that is under way */
	bool is_there;
	char name[];
};

/* Of so many ports, five digits and a blank each. */
#define APPLIED_PORTS_SIZE (6 * MODEL_MAX_PORTS)

struct applied {
	struct table backends[APPLIED_SHARDS]; /* struct applied_backend, by shard */
	struct table entries[MODEL_MAP_COUNT]; /* struct applied_entry */
	uint32_t n_seen[MODEL_MAP_COUNT];      /* entries that the current look has seen */
	uint8_t look[MODEL_MAP_COUNT];	       /* its number */
	bool is_shard_unsaved[APPLIED_SHARDS]; /* changed since haproxy/state saved it */
	bool is_map_unsaved[MODEL_MAP_COUNT];
	struct table certificates; /* struct applied_certificate */
	bool are_certificates_unsaved;
	/* Digest of the settings that it was started with (model_settings()); "" = not known:
	 * started without our file. They are saved by themselves (haproxy/state.h). */
	char settings[MODEL_DIGEST_SIZE];
	/* The ports of TCP services that it was started with, with blanks between them, or none;
	 * "" = not known. */
	char ports[APPLIED_PORTS_SIZE];
};

/* Has it this port of TCP services? */
bool applied_has_port(const struct applied *applied, uint16_t port) MUST_USE;

struct applied *applied_new(void) MUST_USE;
void applied_free(struct applied *applied);

/*
 * What HAProxy will have after a reload with everything that the model wants: draining servers are
 * not in it, as they get no new requests. `have` is what it has now: certificates that the model
 * keeps, and the default that the model does not know, stay. NULL = nothing.
 */
struct applied *applied_from_model(const struct model *model, const struct applied *have) MUST_USE;

unsigned applied_shard(const char *backend) MUST_USE;

struct applied_backend *applied_find_backend(
	const struct applied *applied, const char *name) MUST_USE;

/* Adds an empty backend; the name must be new. Marks its shard unsaved, as all changes below do. */
struct applied_backend *applied_add_backend(struct applied *applied, const char *name);
void applied_remove_backend(struct applied *applied, const char *name);

struct applied_server *applied_find_server(
	const struct applied_backend *backend, const char *name) MUST_USE;

/* Adds a server, or changes the address and state of the one with this name. */
void applied_set_server(struct applied *applied, struct applied_backend *backend, const char *name,
	const char *address, enum applied_admin admin);
void applied_remove_server(
	struct applied *applied, struct applied_backend *backend, const char *name);

const char *applied_find_entry(
	const struct applied *applied, enum model_map map, const char *key) MUST_USE;
void applied_set_entry(
	struct applied *applied, enum model_map map, const char *key, const char *value);
void applied_remove_entry(struct applied *applied, enum model_map map, const char *key);

/*
 * A look at a map, to find the entries that HAProxy does not have: each one that it has is seen.
 * What is added meanwhile counts as seen. To begin and to end a look costs nothing.
 */
void applied_begin_look(struct applied *applied, enum model_map map);
/* NULL = there is no such entry, else its value. */
const char *applied_see_entry(struct applied *applied, enum model_map map, const char *key);

static inline bool applied_has_unseen(const struct applied *applied, enum model_map map)
{
	return applied->n_seen[map] != applied->entries[map].n_items;
}

static inline bool applied_is_seen(
	const struct applied *applied, enum model_map map, const struct applied_entry *entry)
{
	return entry->look == applied->look[map];
}

struct applied_certificate *applied_find_certificate(
	const struct applied *applied, const char *name) MUST_USE;
/* Adds a certificate or changes the one with this name; members as in struct applied_certificate.
 */
void applied_set_certificate(
	struct applied *applied, const char *name, const char *hosts, const char *fingerprint);
/* Does a backend that has servers say in its name that they are made with this certificate, one
 * that is not for clients? Looks at every backend. */
bool applied_uses_certificate(const struct applied *applied, const char *name) MUST_USE;
/* Appends the hosts of a certificate with blanks between them. */
void applied_join_hosts(const struct model_certificate *certificate, struct buf *buf);
void applied_remove_certificate(struct applied *applied, const char *name);

static inline const char *applied_entry_key(const struct applied_entry *entry)
{
	return entry->text;
}

static inline const char *applied_entry_value(const struct applied_entry *entry)
{
	return entry->text + entry->key_len + 1;
}

/* Everything in a fixed order as text, in the format of model_dump() without diagnostics, and
 * without the fingerprints of certificates other than the default. */
void applied_dump(const struct applied *applied, struct buf *buf);

#endif
