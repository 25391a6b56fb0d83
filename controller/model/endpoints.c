/* See endpoints.h. */
#include "model/endpoints.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/arena.h"

/* HAProxy accepts longer names; a pod's name has at most 253 characters. */
#define MAX_POD_NAME 253

/* "[IPv6]:65535" */
#define MAX_ADDRESS (INET6_ADDRSTRLEN + 16)

static const struct service_port *find_by_number(const struct service *service, int32_t number)
{
	const struct service_port *ports = obj_items(service, service->ports);

	for (uint32_t i = 0; i < service->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP && ports[i].port == number) {
			return &ports[i];
		}
	}
	return NULL;
}

static const struct service_port *find_by_name(const struct service *service, const char *name)
{
	const struct service_port *ports = obj_items(service, service->ports);

	for (uint32_t i = 0; i < service->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP && name[0] != '\0' &&
			strcmp(obj_str(service, ports[i].name), name) == 0) {
			return &ports[i];
		}
	}
	return NULL;
}

enum endpoints_port endpoints_find_port(
	const struct service *service, int32_t number, const char *name, int32_t *ret_number)
{
	const struct service_port *port;

	if (service == NULL) {
		return ENDPOINTS_NO_SERVICE;
	}
	if (strcmp(obj_str(service, service->type), "ExternalName") == 0) {
		return ENDPOINTS_SERVICE_TYPE;
	}
	port = number != 0 ? find_by_number(service, number) : find_by_name(service, name);
	if (port == NULL) {
		return ENDPOINTS_NO_PORT;
	}
	*ret_number = port->port;
	return ENDPOINTS_OK;
}

/* The slice's own number for the Service's port: they are joined by the port's name. 0 = none. */
static int32_t slice_port_number(const struct endpoint_slice *slice, const char *port_name)
{
	const struct slice_port *ports = obj_items(slice, slice->ports);

	for (uint32_t i = 0; i < slice->ports.n; i++) {
		if (ports[i].protocol == PORT_PROTOCOL_TCP &&
			strcmp(obj_str(slice, ports[i].name), port_name) == 0) {
			return ports[i].port;
		}
	}
	return 0;
}

/* Servers while they are collected; their texts live in the arena. */
struct draft {
	struct arena arena;
	struct model_server *items;
	size_t n;
};

/* 0.0.0.0 and :: are no place to go to; HAProxy would take them for something else. */
static bool is_unspecified(const unsigned char *binary, size_t size)
{
	static const unsigned char zeros[sizeof(struct in6_addr)];

	return memcmp(binary, zeros, size) == 0;
}

/* Canonical "10.0.0.1:80" or "[fd00::1]:80" into `text`; false = not an address of a pod. */
static bool format_address(char text[MAX_ADDRESS], const char *ip, int32_t port)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char canonical[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, ip, binary) == 1) {
		inet_ntop(AF_INET, binary, canonical, sizeof(canonical));
		snprintf(text, MAX_ADDRESS, "%s:%" PRId32, canonical, port);
		return !is_unspecified(binary, sizeof(struct in_addr));
	}
	if (inet_pton(AF_INET6, ip, binary) == 1) {
		inet_ntop(AF_INET6, binary, canonical, sizeof(canonical));
		snprintf(text, MAX_ADDRESS, "[%s]:%" PRId32, canonical, port);
		return !is_unspecified(binary, sizeof(struct in6_addr));
	}
	return false;
}

/* Without '_', which pods' names never have and names made from addresses always have: so the two
 * never meet. */
static bool is_server_name(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)name[i]) && strchr("-.", name[i]) == NULL) {
			return false;
		}
	}
	return len > 0 && len <= MAX_POD_NAME;
}

/* "10.0.0.1_80", "fd00::1_80": brackets can't be in a server's name. */
static char *name_from_address(struct arena *arena, const char *address)
{
	char *name = arena_alloc(arena, strlen(address) + 1);
	char *out = name;
	const char *port = strrchr(address, ':');

	for (const char *c = address; *c != '\0'; c++) {
		if (c == port) {
			*out++ = '_';
		} else if (*c != '[' && *c != ']') {
			*out++ = *c;
		}
	}
	*out = '\0';
	return name;
}

static void collect_slice(
	struct draft *draft, const struct endpoint_slice *slice, const char *port_name)
{
	const struct slice_endpoint *endpoints = obj_items(slice, slice->endpoints);
	int32_t port = slice_port_number(slice, port_name);
	char address[MAX_ADDRESS];

	if (port == 0 || slice->endpoints.n == 0) {
		return;
	}
	draft->items =
		xreallocarray(draft->items, draft->n + slice->endpoints.n, sizeof(*draft->items));
	for (uint32_t i = 0; i < slice->endpoints.n; i++) {
		if (endpoints[i].ready != OBJ_FALSE &&
			format_address(address, obj_str(slice, endpoints[i].address), port)) {
			draft->items[draft->n++] = (struct model_server){
				arena_strdup(&draft->arena, obj_str(slice, endpoints[i].pod)),
				arena_strdup(&draft->arena, address)};
		}
	}
}

static int compare_by_address(const void *a, const void *b)
{
	const struct model_server *left = a;
	const struct model_server *right = b;
	int order = strcmp(left->address, right->address);

	return order != 0 ? order : strcmp(left->name, right->name);
}

static int compare_by_name(const void *a, const void *b)
{
	const struct model_server *left = a;
	const struct model_server *right = b;
	int order = strcmp(left->name, right->name);

	return order != 0 ? order : strcmp(left->address, right->address);
}

static void sort_servers(struct draft *draft, int (*compare)(const void *, const void *))
{
	if (draft->n > 1) {
		qsort(draft->items, draft->n, sizeof(*draft->items), compare);
	}
}

/* An endpoint may stand in two slices while they are rearranged. */
static void drop_duplicates(struct draft *draft)
{
	size_t n = 0;

	sort_servers(draft, compare_by_address);
	for (size_t i = 0; i < draft->n; i++) {
		if (n == 0 || strcmp(draft->items[n - 1].address, draft->items[i].address) != 0) {
			draft->items[n++] = draft->items[i];
		}
	}
	draft->n = n;
}

/* Pod names that are unfit or used twice give way to the address, which is unique. */
static void settle_names(struct draft *draft)
{
	bool is_renamed = false;
	const char *last = NULL;

	sort_servers(draft, compare_by_name);
	for (size_t i = 0; i < draft->n; i++) {
		struct model_server *server = &draft->items[i];
		if (is_server_name(server->name) &&
			(last == NULL || strcmp(last, server->name) != 0)) {
			last = server->name;
			continue;
		}
		server->name = name_from_address(&draft->arena, server->address);
		is_renamed = true;
	}
	if (is_renamed) {
		sort_servers(draft, compare_by_name);
	}
}

static const char *pack_text(char **end, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(*end, text, size);

	*end += size;
	return copy;
}

/* All of a backend's servers are one block: there are many, and each is small. */
static struct endpoints_servers pack(const struct draft *draft)
{
	size_t size = draft->n * sizeof(*draft->items);

	if (draft->n == 0) {
		return (struct endpoints_servers){0};
	}
	for (size_t i = 0; i < draft->n; i++) {
		size += strlen(draft->items[i].name) + strlen(draft->items[i].address) + 2;
	}
	struct endpoints_servers servers = {xmalloc(size), draft->n};
	char *end = (char *)&servers.items[draft->n];
	for (size_t i = 0; i < draft->n; i++) {
		servers.items[i].name = pack_text(&end, draft->items[i].name);
		servers.items[i].address = pack_text(&end, draft->items[i].address);
	}
	return servers;
}

struct endpoints_servers endpoints_collect(
	const struct store *store, const struct service *service, int32_t number)
{
	struct draft draft = {0};
	const struct service_port *port = find_by_number(service, number);
	size_t n_slices;
	const struct endpoint_slice *const *slices = store_slices(
		store, object_namespace(&service->head), object_name(&service->head), &n_slices);

	for (size_t i = 0; port != NULL && i < n_slices; i++) {
		collect_slice(&draft, slices[i], obj_str(service, port->name));
	}
	drop_duplicates(&draft);
	settle_names(&draft);
	struct endpoints_servers servers = pack(&draft);
	free(draft.items);
	arena_fini(&draft.arena);
	return servers;
}

bool endpoints_equal(const struct endpoints_servers *a, const struct endpoints_servers *b)
{
	if (a->n != b->n) {
		return false;
	}
	for (size_t i = 0; i < a->n; i++) {
		if (compare_by_name(&a->items[i], &b->items[i]) != 0) {
			return false;
		}
	}
	return true;
}

void endpoints_fini(struct endpoints_servers *servers)
{
	free(servers->items);
	*servers = (struct endpoints_servers){0};
}
