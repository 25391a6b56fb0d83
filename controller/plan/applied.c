/* See applied.h. */
#include "plan/applied.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/variant.h"

static bool backend_has_name(const void *item, const void *name)
{
	return strcmp(((const struct applied_backend *)item)->name, name) == 0;
}

static bool entry_has_key(const void *item, const void *key)
{
	return strcmp(((const struct applied_entry *)item)->text, key) == 0;
}

struct applied *applied_new(void)
{
	return xcalloc(1, sizeof(struct applied));
}

static bool certificate_has_name(const void *item, const void *name)
{
	return strcmp(((const struct applied_certificate *)item)->name, name) == 0;
}

static void free_certificate(struct applied_certificate *certificate)
{
	free(certificate->hosts);
	free(certificate->fingerprint);
	free(certificate);
}

static void free_backend(struct applied_backend *backend)
{
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		free(backend->servers[i].name);
	}
	free(backend->servers);
	free(backend);
}

bool applied_has_port(const struct applied *applied, uint16_t port)
{
	const char *at = applied->ports;

	while (*at >= '0' && *at <= '9') {
		char *end;
		if (strtoul(at, &end, 10) == port) {
			return true;
		}
		at = end + (*end == ' ');
	}
	return false;
}

void applied_free(struct applied *applied)
{
	struct applied_backend *backend;
	struct applied_entry *entry;

	if (applied == NULL) {
		return;
	}
	for (int i = 0; i < APPLIED_SHARDS; i++) {
		TABLE_FOREACH (&applied->backends[i], backend) {
			free_backend(backend);
		}
		table_fini(&applied->backends[i]);
	}
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		TABLE_FOREACH (&applied->entries[map], entry) {
			free(entry);
		}
		table_fini(&applied->entries[map]);
	}
	struct applied_certificate *certificate;
	TABLE_FOREACH (&applied->certificates, certificate) {
		free_certificate(certificate);
	}
	table_fini(&applied->certificates);
	free(applied);
}

static void copy_backends(struct applied *applied, const struct model *model)
{
	const struct model_backend *wanted;
	uint32_t position = 0;

	while ((wanted = model_next_backend(model, &position)) != NULL) {
		struct applied_backend *backend = applied_add_backend(applied, wanted->name);
		for (size_t i = 0; i < wanted->n_servers; i++) {
			const struct model_server *server = &wanted->servers[i];
			if (!server->is_draining) {
				applied_set_server(applied, backend, server->name, server->address,
					APPLIED_READY);
			}
		}
	}
}

static void copy_wanted_certificates(struct applied *applied, const struct model *model)
{
	const struct model_certificate *wanted;
	struct buf hosts = BUF_INIT(0);
	uint32_t position = 0;

	while ((wanted = model_next_certificate(model, &position)) != NULL) {
		bool is_default = strcmp(wanted->name, MODEL_CERTIFICATE_DEFAULT) == 0;

		buf_clear(&hosts);
		applied_join_hosts(wanted, &hosts);
		applied_set_certificate(applied, wanted->name,
			is_default ? APPLIED_DEFAULT_HOSTS : buf_str(&hosts),
			is_default ? wanted->fingerprint : NULL);
	}
	buf_fini(&hosts);
}

static void copy_kept_certificates(
	struct applied *applied, const struct model *model, const struct applied *have)
{
	const struct applied_certificate *kept;

	TABLE_FOREACH (&have->certificates, kept) {
		bool is_default = strcmp(kept->name, MODEL_CERTIFICATE_DEFAULT) == 0;

		if (kept->hosts != NULL && model_find_certificate(model, kept->name) == NULL &&
			(is_default || model_keeps_certificate(model, kept->name))) {
			applied_set_certificate(
				applied, kept->name, kept->hosts, kept->fingerprint);
		}
	}
}

struct applied *applied_from_model(const struct model *model, const struct applied *have)
{
	struct applied *applied = applied_new();

	copy_backends(applied, model);
	copy_wanted_certificates(applied, model);
	if (have != NULL) {
		copy_kept_certificates(applied, model, have);
	}
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		const char *key;
		const char *value;
		uint32_t position = 0;
		while (model_next_entry(model, (enum model_map)map, &position, &key, &value)) {
			applied_set_entry(applied, (enum model_map)map, key, value);
		}
	}
	snprintf(applied->settings, sizeof(applied->settings), "%s", model_settings_digest(model));
	return applied;
}

unsigned applied_shard(const char *backend)
{
	return hash_stable(backend) % APPLIED_SHARDS;
}

struct applied_backend *applied_find_backend(const struct applied *applied, const char *name)
{
	return table_find(
		&applied->backends[applied_shard(name)], hash_str(name), name, backend_has_name);
}

struct applied_backend *applied_add_backend(struct applied *applied, const char *name)
{
	unsigned shard = applied_shard(name);
	size_t name_size = strlen(name) + 1;
	struct applied_backend *backend = xcalloc(1, sizeof(*backend) + name_size);

	assert(applied_find_backend(applied, name) == NULL);
	memcpy(backend->name, name, name_size);
	table_insert(&applied->backends[shard], hash_str(name), backend);
	applied->is_shard_unsaved[shard] = true;
	return backend;
}

void applied_remove_backend(struct applied *applied, const char *name)
{
	unsigned shard = applied_shard(name);
	struct applied_backend *backend =
		table_remove(&applied->backends[shard], hash_str(name), name, backend_has_name);

	if (backend != NULL) {
		applied->is_shard_unsaved[shard] = true;
		free_backend(backend);
	}
}

/* Where the server with this name is, or would be. */
static uint32_t server_position(const struct applied_backend *backend, const char *name)
{
	uint32_t low = 0;
	uint32_t high = backend->n_servers;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (strcmp(backend->servers[middle].name, name) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

struct applied_server *applied_find_server(const struct applied_backend *backend, const char *name)
{
	uint32_t position = server_position(backend, name);

	if (position < backend->n_servers && strcmp(backend->servers[position].name, name) == 0) {
		return &backend->servers[position];
	}
	return NULL;
}

static struct applied_server *insert_server(struct applied_backend *backend, const char *name)
{
	uint32_t position = server_position(backend, name);

	if (backend->n_servers == backend->n_allocated) {
		backend->n_allocated = backend->n_allocated ? backend->n_allocated * 2 : 2;
		backend->servers = xreallocarray(
			backend->servers, backend->n_allocated, sizeof(*backend->servers));
	}
	memmove(&backend->servers[position + 1], &backend->servers[position],
		(backend->n_servers - position) * sizeof(*backend->servers));
	backend->n_servers++;
	backend->servers[position] = (struct applied_server){0};
	return &backend->servers[position];
}

void applied_set_server(struct applied *applied, struct applied_backend *backend, const char *name,
	const char *address, enum applied_admin admin)
{
	struct applied_server *server = applied_find_server(backend, name);

	if (server == NULL) {
		server = insert_server(backend, name);
	}
	if (server->address == NULL || strcmp(server->address, address) != 0) {
		char *old = server->name;
		server->name = xstrpair(name, address, &server->address);
		free(old);
	}
	server->admin = (uint8_t)admin;
	applied->is_shard_unsaved[applied_shard(backend->name)] = true;
}

void applied_remove_server(
	struct applied *applied, struct applied_backend *backend, const char *name)
{
	struct applied_server *server = applied_find_server(backend, name);

	if (server == NULL) {
		return;
	}
	free(server->name);
	backend->n_servers--;
	memmove(server, server + 1,
		(size_t)(&backend->servers[backend->n_servers] - server) * sizeof(*server));
	applied->is_shard_unsaved[applied_shard(backend->name)] = true;
}

const char *applied_find_entry(const struct applied *applied, enum model_map map, const char *key)
{
	const struct applied_entry *entry =
		table_find(&applied->entries[map], hash_str(key), key, entry_has_key);

	return entry ? applied_entry_value(entry) : NULL;
}

void applied_set_entry(
	struct applied *applied, enum model_map map, const char *key, const char *value)
{
	size_t key_size = strlen(key) + 1;
	size_t value_size = strlen(value) + 1;
	struct applied_entry *entry = xmalloc(sizeof(*entry) + key_size + value_size);

	entry->key_len = (uint32_t)(key_size - 1) & 0xffffffu;
	entry->look = applied->look[map];
	memcpy(entry->text, key, key_size);
	memcpy(entry->text + key_size, value, value_size);
	applied_remove_entry(applied, map, key);
	table_insert(&applied->entries[map], hash_str(entry->text), entry);
	applied->n_seen[map]++;
	applied->is_map_unsaved[map] = true;
}

void applied_remove_entry(struct applied *applied, enum model_map map, const char *key)
{
	struct applied_entry *entry =
		table_remove(&applied->entries[map], hash_str(key), key, entry_has_key);

	if (entry != NULL) {
		applied->n_seen[map] -= applied_is_seen(applied, map, entry);
		applied->is_map_unsaved[map] = true;
		free(entry);
	}
}

void applied_begin_look(struct applied *applied, enum model_map map)
{
	applied->n_seen[map] = 0;
	if (++applied->look[map] == 0) {
		/* All numbers have been used: an entry must not be taken for seen by an old one. */
		struct applied_entry *entry;

		TABLE_FOREACH (&applied->entries[map], entry) {
			entry->look = 0;
		}
		applied->look[map] = 1;
	}
}

const char *applied_see_entry(struct applied *applied, enum model_map map, const char *key)
{
	struct applied_entry *entry =
		table_find(&applied->entries[map], hash_str(key), key, entry_has_key);

	if (entry == NULL) {
		return NULL;
	}
	applied->n_seen[map] += !applied_is_seen(applied, map, entry);
	entry->look = applied->look[map];
	return applied_entry_value(entry);
}

void applied_join_hosts(const struct model_certificate *certificate, struct buf *buf)
{
	for (size_t i = 0; i < certificate->n_hosts; i++) {
		buf_printf(buf, "%s%s", i > 0 ? " " : "", certificate->hosts[i]);
	}
}

bool applied_uses_certificate(const struct applied *applied, const char *name)
{
	enum variant_part part = model_certificate_kind(name) == MODEL_CERTIFICATE_AUTHORITIES
					 ? VARIANT_CA
					 : VARIANT_CRT;
	char used[VARIANT_STORE_SIZE];

	for (size_t i = 0; i < APPLIED_SHARDS; i++) {
		const struct applied_backend *backend;
		TABLE_FOREACH (&applied->backends[i], backend) {
			if (backend->n_servers > 0 && variant_store(backend->name, part, used) &&
				strcmp(used, name) == 0) {
				return true;
			}
		}
	}
	return false;
}

struct applied_certificate *applied_find_certificate(
	const struct applied *applied, const char *name)
{
	return table_find(&applied->certificates, hash_str(name), name, certificate_has_name);
}

void applied_set_certificate(
	struct applied *applied, const char *name, const char *hosts, const char *fingerprint)
{
	size_t name_size = strlen(name) + 1;
	struct applied_certificate *certificate = xcalloc(1, sizeof(*certificate) + name_size);

	memcpy(certificate->name, name, name_size);
	certificate->hosts = hosts ? xstrdup(hosts) : NULL;
	certificate->fingerprint = fingerprint ? xstrdup(fingerprint) : NULL;
	applied_remove_certificate(applied, name);
	table_insert(&applied->certificates, hash_str(certificate->name), certificate);
	applied->are_certificates_unsaved = true;
}

void applied_remove_certificate(struct applied *applied, const char *name)
{
	struct applied_certificate *certificate =
		table_remove(&applied->certificates, hash_str(name), name, certificate_has_name);

	if (certificate != NULL) {
		free_certificate(certificate);
		applied->are_certificates_unsaved = true;
	}
}

static int compare_backends(const void *a, const void *b)
{
	return strcmp((*(struct applied_backend *const *)a)->name,
		(*(struct applied_backend *const *)b)->name);
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp((*(struct applied_entry *const *)a)->text,
		(*(struct applied_entry *const *)b)->text);
}

static void dump_backend(const struct applied_backend *backend, struct buf *buf)
{
	static const char *const words[] = {
		[APPLIED_READY] = "", [APPLIED_DRAIN] = " drain", [APPLIED_MAINT] = " maint"};

	buf_printf(buf, "backend %s\n", backend->name);
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		const struct applied_server *server = &backend->servers[i];
		buf_printf(buf, "  server %s %s%s\n", server->name, server->address,
			words[server->admin]);
	}
}

static void dump_backends(const struct applied *applied, struct buf *buf)
{
	struct table all = {0};
	struct applied_backend *backend;

	for (int i = 0; i < APPLIED_SHARDS; i++) {
		TABLE_FOREACH (&applied->backends[i], backend) {
			table_insert(&all, hash_str(backend->name), backend);
		}
	}
	struct applied_backend **sorted =
		(struct applied_backend **)table_sorted(&all, compare_backends);
	for (uint32_t i = 0; i < all.n_items; i++) {
		dump_backend(sorted[i], buf);
	}
	free(sorted);
	table_fini(&all);
}

static int compare_certificates(const void *a, const void *b)
{
	return strcmp((*(struct applied_certificate *const *)a)->name,
		(*(struct applied_certificate *const *)b)->name);
}

static void dump_certificates(const struct applied *applied, struct buf *buf)
{
	struct applied_certificate **sorted = (struct applied_certificate **)table_sorted(
		&applied->certificates, compare_certificates);

	for (uint32_t i = 0; i < applied->certificates.n_items; i++) {
		const struct applied_certificate *certificate = sorted[i];

		buf_printf(buf, "certificate %s", certificate->name);
		if (strcmp(certificate->name, MODEL_CERTIFICATE_DEFAULT) == 0) {
			buf_printf(buf, " %s",
				certificate->fingerprint ? certificate->fingerprint : "-");
		} else {
			const char *hosts =
				certificate->hosts ? certificate->hosts : "(not listed)";

			buf_printf(buf, "%s%s", *hosts != '\0' ? " " : "", hosts);
		}
		buf_append_char(buf, '\n');
	}
	free(sorted);
}

void applied_dump(const struct applied *applied, struct buf *buf)
{
	dump_backends(applied, buf);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		const struct table *entries = &applied->entries[map];
		struct applied_entry **sorted =
			(struct applied_entry **)table_sorted(entries, compare_entries);
		for (uint32_t i = 0; i < entries->n_items; i++) {
			buf_printf(buf, "%s %s %s\n", model_map_files[map],
				applied_entry_key(sorted[i]), applied_entry_value(sorted[i]));
		}
		free(sorted);
	}
	dump_certificates(applied, buf);
	if (applied->settings[0] != '\0' && !model_is_standard(applied->settings)) {
		buf_printf(buf, "settings %s\n", applied->settings);
	}
}
