/* See endpoints.h. */
#include "model/endpoints.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* HAProxy accepts longer names; a pod's name has at most 253 characters. */
#define MAX_POD_NAME 253

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

/* Canonical "10.0.0.1:80" or "[fd00::1]:80"; NULL = not an address. */
static char *format_address(const char *ip, int32_t port)
{
	unsigned char binary[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET, ip, binary) == 1) {
		inet_ntop(AF_INET, binary, text, sizeof(text));
		return xasprintf("%s:%d", text, port);
	}
	if (inet_pton(AF_INET6, ip, binary) == 1) {
		inet_ntop(AF_INET6, binary, text, sizeof(text));
		return xasprintf("[%s]:%d", text, port);
	}
	return NULL;
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
static char *name_from_address(const char *address)
{
	char *name = xmalloc(strlen(address) + 1);
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

static void collect_slice(struct endpoints_servers *servers, const struct endpoint_slice *slice,
	const char *port_name)
{
	const struct slice_endpoint *endpoints = obj_items(slice, slice->endpoints);
	int32_t port = slice_port_number(slice, port_name);

	if (port == 0 || slice->endpoints.n == 0) {
		return;
	}
	servers->items = xreallocarray(
		servers->items, servers->n + slice->endpoints.n, sizeof(*servers->items));
	for (uint32_t i = 0; i < slice->endpoints.n; i++) {
		char *address = NULL;
		if (endpoints[i].ready != OBJ_FALSE) {
			address = format_address(obj_str(slice, endpoints[i].address), port);
		}
		if (address != NULL) {
			const char *pod = obj_str(slice, endpoints[i].pod);
			servers->items[servers->n++] = (struct model_server){xstrdup(pod), address};
		}
	}
}

static void free_server(struct model_server *server)
{
	free((char *)server->name);
	free((char *)server->address);
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

static void sort_servers(
	struct endpoints_servers *servers, int (*compare)(const void *, const void *))
{
	if (servers->n > 1) {
		qsort(servers->items, servers->n, sizeof(*servers->items), compare);
	}
}

/* An endpoint may stand in two slices while they are rearranged. */
static void drop_duplicates(struct endpoints_servers *servers)
{
	size_t n = 0;

	sort_servers(servers, compare_by_address);
	for (size_t i = 0; i < servers->n; i++) {
		if (n > 0 &&
			strcmp(servers->items[n - 1].address, servers->items[i].address) == 0) {
			free_server(&servers->items[i]);
		} else {
			servers->items[n++] = servers->items[i];
		}
	}
	servers->n = n;
}

/* Pod names that are unfit or used twice give way to the address, which is unique. */
static void settle_names(struct endpoints_servers *servers)
{
	bool is_renamed = false;
	const char *last = NULL;

	sort_servers(servers, compare_by_name);
	for (size_t i = 0; i < servers->n; i++) {
		struct model_server *server = &servers->items[i];
		if (is_server_name(server->name) &&
			(last == NULL || strcmp(last, server->name) != 0)) {
			last = server->name;
			continue;
		}
		char *name = name_from_address(server->address);
		free((char *)server->name);
		server->name = name;
		is_renamed = true;
	}
	if (is_renamed) {
		sort_servers(servers, compare_by_name);
	}
}

struct endpoints_servers endpoints_collect(
	const struct store *store, const struct service *service, int32_t number)
{
	struct endpoints_servers servers = {0};
	const struct service_port *port = find_by_number(service, number);
	size_t n_slices;
	const struct endpoint_slice *const *slices = store_slices(
		store, object_namespace(&service->head), object_name(&service->head), &n_slices);

	if (port == NULL) {
		return servers;
	}
	for (size_t i = 0; i < n_slices; i++) {
		collect_slice(&servers, slices[i], obj_str(service, port->name));
	}
	drop_duplicates(&servers);
	settle_names(&servers);
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
	for (size_t i = 0; i < servers->n; i++) {
		free_server(&servers->items[i]);
	}
	free(servers->items);
	*servers = (struct endpoints_servers){0};
}
