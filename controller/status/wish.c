/* See wish.h. Called by writer.c. */
#include "status/wish.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

struct key {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
};

struct written {
	struct key key; /* first: see has_key() */
	uint32_t before;
	uint32_t after;
};

static bool has_key(const void *item, const void *key_ptr)
{
	const struct key *a = item;
	const struct key *b = key_ptr;

	return strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

static uint32_t hash_key(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

static void *find(const struct table *table, const char *namespace, const char *name)
{
	struct key key = {(char *)namespace, (char *)name};

	return table_find(table, hash_key(namespace, name), &key, has_key);
}

/* A new item of so many bytes that begins with this key. */
static void *add(struct table *table, const char *namespace, const char *name, size_t size)
{
	struct key *key = xcalloc(1, size);

	key->namespace = xstrpair(namespace, name, &key->name);
	table_insert(table, hash_key(namespace, name), key);
	return key;
}

static void drop(struct table *table, const char *namespace, const char *name)
{
	struct key key = {(char *)namespace, (char *)name};
	struct key *item = table_remove(table, hash_key(namespace, name), &key, has_key);

	if (item != NULL) {
		free(item->namespace);
		free(item);
	}
}

static void drop_all(struct table *table)
{
	struct key *item;

	TABLE_FOREACH (table, item) {
		free(item->namespace);
		free(item);
	}
	table_fini(table);
}

void wishes_fini(struct wishes *wishes)
{
	addresses_fini(&wishes->published);
	drop_all(&wishes->written);
	drop_all(&wishes->let_go);
}

bool wishes_set_published(struct wishes *wishes, struct addresses *published)
{
	if (wishes->is_publishing && addresses_equal(&wishes->published, published)) {
		addresses_fini(published);
		return false;
	}
	addresses_fini(&wishes->published);
	wishes->published = *published;
	*published = (struct addresses){0};
	wishes->is_publishing = true;
	return true;
}

void wishes_note_let_go(struct wishes *wishes, const char *namespace, const char *name)
{
	if (wishes->let_go.n_items < WISH_MAX_LET_GO &&
		find(&wishes->let_go, namespace, name) == NULL) {
		add(&wishes->let_go, namespace, name, sizeof(struct key));
	}
}

static uint32_t hash_buf(struct buf *text)
{
	uint32_t hash = hash_str(buf_str(text));

	buf_fini(text);
	return hash ? hash : 1;
}

uint32_t wish_outcome(const struct wishes *wishes, enum wish wish)
{
	static const struct addresses none;
	struct buf text = BUF_INIT(0);

	addresses_write(wish == WISH_PUBLISH ? &wishes->published : &none, &text);
	return hash_buf(&text);
}

uint32_t wish_status(const struct wishes *wishes, const char *namespace, const char *name)
{
	const struct ingress *ingress = store_ingress(wishes->store, namespace, name);
	struct buf text = BUF_INIT(0);

	if (ingress == NULL) {
		return 0;
	}
	addresses_write_of(ingress, &text);
	return hash_buf(&text);
}

/* What the status is once the echo of our last write has come. */
static uint32_t expected_status(struct wishes *wishes, const char *namespace, const char *name)
{
	const struct written *written = find(&wishes->written, namespace, name);
	uint32_t status = wish_status(wishes, namespace, name);

	if (written == NULL) {
		return status;
	}
	if (written->before == status) {
		return written->after;
	}
	drop(&wishes->written, namespace, name);
	return status;
}

enum wish wish_of(struct wishes *wishes, const char *namespace, const char *name, bool is_running)
{
	if (wishes->model == NULL || !wishes->is_publishing) {
		return WISH_NOTHING;
	}
	uint32_t expected = expected_status(wishes, namespace, name);
	bool is_ours = model_is_ours(wishes->model, namespace, name);
	if (expected == 0) {
		drop(&wishes->let_go, namespace, name);
		return WISH_NOTHING;
	}
	bool is_published = expected == wish_outcome(wishes, WISH_PUBLISH);
	if (is_ours) {
		drop(&wishes->let_go, namespace, name);
		return is_published ? WISH_NOTHING : WISH_PUBLISH;
	}
	if (find(&wishes->let_go, namespace, name) == NULL) {
		return WISH_NOTHING;
	}
	if (is_published && wishes->published.n > 0) {
		return WISH_CLEAR;
	}
	if (!is_running) {
		drop(&wishes->let_go, namespace, name);
	}
	return WISH_NOTHING;
}

void wish_write(const struct wishes *wishes, enum wish wish, struct buf *buf)
{
	buf_append_str(buf, "{\"status\":{\"loadBalancer\":{\"ingress\":");
	if (wish == WISH_PUBLISH && wishes->published.n > 0) {
		addresses_write(&wishes->published, buf);
	} else {
		buf_append_str(buf, "null");
	}
	buf_append_str(buf, "}}}");
}

void wishes_note_written(struct wishes *wishes, const char *namespace, const char *name,
	uint32_t before, uint32_t after)
{
	struct written *written = find(&wishes->written, namespace, name);

	if (wish_status(wishes, namespace, name) != before) {
		return; /* the echo was faster than the answer */
	}
	if (written == NULL) {
		written = add(&wishes->written, namespace, name, sizeof(*written));
	}
	written->before = before;
	written->after = after;
}

void wishes_forget_written(struct wishes *wishes)
{
	drop_all(&wishes->written);
}
