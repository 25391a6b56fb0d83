/* See file.h. Called by manifest.c; must not know of directories and files. */
#include "manifest/file.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/decode.h"
#include "manifest/yaml.h"

#define DEFAULT_NAMESPACE "default"
#define LIST_SUFFIX	  "List"

/* What an item of a typed list is when it does not say so itself. */
struct list_type {
	const char *api_version;
	char *kind; /* NULL = items must say */
};

void manifest_file_fini(struct manifest_file *file)
{
	for (size_t i = 0; i < file->n_objects; i++) {
		object_free(file->objects[i]);
	}
	for (size_t i = 0; i < file->n_refusals; i++) {
		object_free(file->refusals[i].key);
		free(file->refusals[i].reason);
	}
	free(file->objects);
	free(file->outdated);
	free(file->refusals);
	*file = (struct manifest_file){0};
}

static bool refuse(struct json_object *json, const char *reason, struct err *err)
{
	size_t line = yaml_line(json);

	if (line == 0) {
		return err_set(err, ERR_INPUT, "%s", reason);
	}
	return err_set(err, ERR_INPUT, "line %zu: %s", line, reason);
}

/* A member that is a text without NUL, or NULL. */
static const char *text_member(struct json_object *json, const char *name)
{
	struct json_object *value = NULL;

	if (!json_object_object_get_ex(json, name, &value) ||
		!json_object_is_type(value, json_type_string)) {
		return NULL;
	}
	const char *text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static bool find_kind(const char *api_version, const char *kind, enum kube_kind *ret_kind)
{
	for (int i = 0; i < KUBE_KIND_COUNT; i++) {
		if (strcmp(kube_kinds[i].name, kind) == 0 &&
			strcmp(kube_kinds[i].api_version, api_version) == 0) {
			*ret_kind = (enum kube_kind)i;
			return true;
		}
	}
	return false;
}

/* "" = it has none. */
static const char *name_of(struct json_object *json)
{
	struct json_object *metadata = NULL;
	const char *name = NULL;

	if (json_object_object_get_ex(json, "metadata", &metadata) &&
		json_object_is_type(metadata, json_type_object)) {
		name = text_member(metadata, "name");
	}
	return name ? name : "";
}

/* An object with nothing but the name and namespace of this one; NULL = they can't be told. */
static struct object *read_key(struct json_object *json, enum kube_kind kind)
{
	static const char *const members[] = {"name", "namespace"};
	struct json_object *metadata = NULL;
	struct json_object *value = NULL;
	struct json_object *key = json_object_new_object();
	struct json_object *key_metadata = json_object_new_object();
	struct err err = {0};

	json_object_object_add(key, "metadata", key_metadata);
	json_object_object_get_ex(json, "metadata", &metadata);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (json_object_is_type(metadata, json_type_object) &&
			json_object_object_get_ex(metadata, members[i], &value)) {
			json_object_object_add(key_metadata, members[i], json_object_get(value));
		}
	}
	struct object *object = object_decode(kind, key, DEFAULT_NAMESPACE, &err);
	json_object_put(key);
	return object;
}

/* Says which object is wrong, as far as it has a name; false = which one is open. */
static bool refuse_object(struct manifest_file *file, struct json_object *json, enum kube_kind kind,
	const struct err *cause, struct err *err)
{
	CLEANUP(free_ptr)
	char *reason = xasprintf("line %zu: %s '%.253s': %.200s", yaml_line(json),
		kube_kinds[kind].name, name_of(json), cause->text);
	struct object *key = read_key(json, kind);

	if (key == NULL) {
		return err_set(err, ERR_INPUT, "%s", reason);
	}
	file->refusals =
		xreallocarray(file->refusals, file->n_refusals + 1, sizeof(*file->refusals));
	file->refusals[file->n_refusals++] = (struct manifest_refusal){key, xstrdup(reason)};
	return true;
}

/* The same API group in another version, or the group where Ingresses once were. */
static bool is_other_version(const char *api_version, const char *ours)
{
	size_t len = strcspn(ours, "/");

	return strncmp(api_version, "extensions/", 11) == 0 ||
	       (ours[len] == '/' && strncmp(api_version, ours, len + 1) == 0);
}

static void skip(struct manifest_file *file, struct json_object *json, const char *api_version,
	const char *kind)
{
	int i = 0;

	file->n_skipped++;
	while (i < KUBE_KIND_COUNT &&
		(strcmp(kube_kinds[i].name, kind) != 0 ||
			!is_other_version(api_version, kube_kinds[i].api_version))) {
		i++;
	}
	if (i < KUBE_KIND_COUNT && file->n_outdated++ == 0) {
		file->outdated = xasprintf("line %zu: %s '%.253s' is skipped, its apiVersion is "
					   "%.100s: write it as %s",
			yaml_line(json), kind, name_of(json), api_version,
			kube_kinds[i].api_version);
	}
}

static bool add_object(
	struct manifest_file *file, struct json_object *json, enum kube_kind kind, struct err *err)
{
	struct err cause = {0};
	struct object *object = object_decode(kind, json, DEFAULT_NAMESPACE, &cause);

	if (object == NULL) {
		return refuse_object(file, json, kind, &cause, err);
	}
	file->objects = xreallocarray(file->objects, file->n_objects + 1, sizeof(object));
	file->objects[file->n_objects++] = object;
	return true;
}

static bool has_list_suffix(const char *kind)
{
	size_t len = strlen(kind);
	size_t suffix = strlen(LIST_SUFFIX);

	return len >= suffix && strcmp(kind + len - suffix, LIST_SUFFIX) == 0;
}

static bool is_list(struct json_object *json, const char *kind)
{
	return has_list_suffix(kind) && json_object_object_get_ex(json, "items", NULL);
}

/* One object that is no list; `type` is NULL outside of lists. */
static bool parse_object(struct manifest_file *file, struct json_object *json,
	const struct list_type *type, struct err *err)
{
	enum kube_kind found;

	if (!json_object_is_type(json, json_type_object)) {
		return refuse(json, "an object must be a mapping", err);
	}
	const char *api_version = text_member(json, "apiVersion");
	const char *kind = text_member(json, "kind");
	if (type != NULL && type->kind != NULL && kind == NULL && api_version == NULL) {
		api_version = type->api_version;
		kind = type->kind;
	}
	if (api_version == NULL || kind == NULL) {
		return refuse(json, "apiVersion or kind is missing", err);
	}
	if (is_list(json, kind)) {
		return refuse(json, "a list in a list", err);
	}
	if (!find_kind(api_version, kind, &found)) {
		skip(file, json, api_version, kind);
		return true;
	}
	return add_object(file, json, found, err);
}

static bool parse_items(struct manifest_file *file, struct json_object *items,
	const struct list_type *type, struct err *err)
{
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		if (!parse_object(file, json_object_array_get_idx(items, i), type, err)) {
			return false;
		}
	}
	return true;
}

static bool parse_list(struct manifest_file *file, struct json_object *json, struct err *err)
{
	const char *kind = text_member(json, "kind");
	struct list_type type = {.api_version = text_member(json, "apiVersion")};
	struct json_object *items = NULL;

	json_object_object_get_ex(json, "items", &items);
	if (items == NULL) {
		return true; /* "items: null" is what an empty list looks like in some tools' output
			      */
	}
	if (!json_object_is_type(items, json_type_array)) {
		return refuse(json, "items must be a list", err);
	}
	if (strcmp(kind, LIST_SUFFIX) != 0 && type.api_version != NULL) {
		type.kind = xstrndup(kind, strlen(kind) - strlen(LIST_SUFFIX));
	}
	bool is_ok = parse_items(file, items, &type, err);
	free(type.kind);
	return is_ok;
}

static bool parse_document(struct manifest_file *file, struct json_object *json, struct err *err)
{
	const char *kind = NULL;

	if (json_object_is_type(json, json_type_object)) {
		kind = text_member(json, "kind");
	}
	if (kind != NULL && is_list(json, kind)) {
		return parse_list(file, json, err);
	}
	return parse_object(file, json, NULL, err);
}

bool manifest_file_parse(
	const char *text, size_t len, struct manifest_file *ret_file, struct err *err)
{
	struct manifest_file file = {0};
	struct json_object *documents = yaml_parse(text, len, err);
	bool is_ok = documents != NULL;

	for (size_t i = 0; is_ok && i < json_object_array_length(documents); i++) {
		is_ok = parse_document(&file, json_object_array_get_idx(documents, i), err);
	}
	json_object_put(documents);
	if (!is_ok) {
		manifest_file_fini(&file);
		return false;
	}
	*ret_file = file;
	return true;
}
