/*
 * Hosts and paths of rules as map keys: whatever is accepted consists of allowed bytes only, and
 * two different routes never get the same key of the same map - except Prefix paths that differ in
 * slashes at their ends, which are one.
 *
 * The input is lines: host, path, host, path; the first byte chooses the two types.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOST_BYTES "abcdefghijklmnopqrstuvwxyz0123456789-.*"
#define PATH_BYTES                                                                                 \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/%"

struct route {
	char *host;
	char *path;
	enum ingress_path_type type;
	struct buf vhost;
	struct buf key;
	enum model_map map;
	bool is_good;
};

/* The next line as a text: it ends at a line feed, a NUL or the end. */
static char *take_line(const uint8_t **data, size_t *size)
{
	const uint8_t *end = memchr(*data, '\n', *size);
	size_t len = end ? (size_t)(end - *data) : *size;
	char *line = xstrndup((const char *)*data, len);
	size_t taken = end ? len + 1 : len;

	*data += taken;
	*size -= taken;
	return line;
}

static void check_host(const struct route *route, const char *fault)
{
	const char *vhost = buf_str(&route->vhost);
	size_t len = strlen(vhost);

	if (fault != NULL) {
		assert(len == 0 && fault[0] != '\0');
		return;
	}
	assert(len > 0 && len <= ROUTE_MAX_HOST && strspn(vhost, HOST_BYTES) == len);
	assert(strrchr(vhost, '*') == NULL || strrchr(vhost, '*') == vhost);
	assert(strcmp(vhost, route->host[0] ? route->host : ROUTE_ANY_HOST) == 0);
}

static void check_path(const struct route *route, const char *fault)
{
	const char *key = buf_str(&route->key);
	const char *path = key + route->vhost.len;

	assert(strncmp(key, buf_str(&route->vhost), route->vhost.len) == 0);
	if (fault != NULL) {
		assert(path[0] == '\0' && fault[0] != '\0');
		return;
	}
	assert(path[0] == '/' && strlen(path) <= ROUTE_MAX_PATH + 1);
	assert(strspn(path, PATH_BYTES) == strlen(path));
	if (route->type == INGRESS_PATH_EXACT) {
		assert(route->map == MODEL_MAP_EXACT && strcmp(path, route->path) == 0);
	} else {
		assert(route->map == MODEL_MAP_PREFIX && path[strlen(path) - 1] == '/');
	}
}

static void read_route(
	struct route *route, enum ingress_path_type type, const uint8_t **data, size_t *size)
{
	*route = (struct route){
		.host = take_line(data, size), .path = take_line(data, size), .type = type};
	const char *fault = route_add_host(&route->vhost, route->host);
	check_host(route, fault);
	route->is_good = fault == NULL;
	buf_append_str(&route->key, buf_str(&route->vhost));
	fault = route_add_path(&route->key, route->path, type, &route->map);
	check_path(route, fault);
	route->is_good = route->is_good && fault == NULL;
}

static void free_route(struct route *route)
{
	free(route->host);
	free(route->path);
	buf_fini(&route->vhost);
	buf_fini(&route->key);
}

/* The path without slashes at its end, as a length. */
static size_t stem_len(const char *path)
{
	size_t len = strlen(path);

	while (len > 0 && path[len - 1] == '/') {
		len--;
	}
	return len;
}

static bool is_same_route(const struct route *a, const struct route *b)
{
	if (strcmp(a->host, b->host) != 0) {
		return false;
	}
	if (a->type == INGRESS_PATH_EXACT || b->type == INGRESS_PATH_EXACT) {
		return a->type == b->type && strcmp(a->path, b->path) == 0;
	}
	size_t len = stem_len(a->path);
	return len == stem_len(b->path) && strncmp(a->path, b->path, len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct route a;
	struct route b;

	if (size < 1) {
		return 0;
	}
	enum ingress_path_type first = (enum ingress_path_type)(1 + data[0] % 3);
	enum ingress_path_type second = (enum ingress_path_type)(1 + data[0] / 3 % 3);
	data++;
	size--;
	read_route(&a, first, &data, &size);
	read_route(&b, second, &data, &size);
	if (a.is_good && b.is_good) {
		bool is_same_key = a.map == b.map && strcmp(buf_str(&a.key), buf_str(&b.key)) == 0;
		assert(is_same_key == is_same_route(&a, &b));
	}
	free_route(&a);
	free_route(&b);
	return 0;
}
