/* See route.h. */
#include "model/route.h"

#include <ctype.h>
#include <string.h>

#define MAX_LABEL 63

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* One label of a lower-case host name: letters, digits and inner hyphens. */
static bool is_label(const char *label, size_t len)
{
	if (len == 0 || len > MAX_LABEL || !is_alnum(label[0]) || !is_alnum(label[len - 1])) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_alnum(label[i]) && label[i] != '-') {
			return false;
		}
	}
	return true;
}

static bool is_host_name(const char *host)
{
	for (;;) {
		size_t len = strcspn(host, ".");
		if (!is_label(host, len)) {
			return false;
		}
		if (host[len] == '\0') {
			return true;
		}
		host += len + 1;
	}
}

bool route_is_label(const char *text)
{
	return is_label(text, strlen(text));
}

const char *route_add_host(struct buf *key, const char *host)
{
	const char *name = host;

	if (host[0] == '\0') {
		buf_append_str(key, ROUTE_ANY_HOST);
		return NULL;
	}
	if (strlen(host) > ROUTE_MAX_HOST) {
		return "is longer than 253 characters: use a shorter name";
	}
	if (strncmp(host, "*.", 2) == 0) {
		name = host + 2;
	}
	if (!is_host_name(name)) {
		return "is not a host name: use lower-case letters, digits, '-' and '.', or '*.' "
		       "in front of such a name";
	}
	buf_append_str(key, host);
	return NULL;
}

/* pchar of RFC 3986, and '/'. */
static bool is_path_char(char c)
{
	return c != '\0' && (isalnum((unsigned char)c) || strchr("-._~!$&'()*+,;=:@/%", c) != NULL);
}

static const char *check_path(const char *path)
{
	if (path[0] != '/') {
		return "does not begin with '/': write the path as it stands in the URL";
	}
	if (strlen(path) > ROUTE_MAX_PATH) {
		return "is longer than 4096 characters: use a shorter prefix";
	}
	for (const char *c = path; *c != '\0'; c++) {
		if (!is_path_char(*c)) {
			return "has a character that no URL path holds: write it percent-encoded, "
			       "as clients send it";
		}
		if (*c == '%' &&
			(!isxdigit((unsigned char)c[1]) || !isxdigit((unsigned char)c[2]))) {
			return "has a '%' without two hexadecimal digits: write '%25' for a "
			       "percent sign";
		}
	}
	return NULL;
}

const char *route_add_path(
	struct buf *key, const char *path, enum ingress_path_type type, enum model_map *ret_map)
{
	/* Only ImplementationSpecific may leave it out. */
	if (path[0] == '\0' && type == INGRESS_PATH_IMPLEMENTATION_SPECIFIC) {
		path = "/";
	}
	const char *fault = check_path(path);
	if (fault != NULL) {
		return fault;
	}
	if (type == INGRESS_PATH_EXACT) {
		buf_append_str(key, path);
		*ret_map = MODEL_MAP_EXACT;
		return NULL;
	}
	size_t len = strlen(path);
	while (len > 0 && path[len - 1] == '/') {
		len--;
	}
	buf_append(key, path, len);
	buf_append_char(key, '/');
	*ret_map = MODEL_MAP_PREFIX;
	return NULL;
}
