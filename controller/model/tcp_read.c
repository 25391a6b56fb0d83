/* See tcp_read.h. Called by tcp.c. */
#include "model/tcp_read.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/object.h"
#include "model/route.h"
#include "option/value.h"

#define MAX_PORT_NAME 15

#define FORM                                                                                       \
	"write NAMESPACE/SERVICE:PORT, and :ssl behind it where TLS is to end here, as in "        \
	"shop/db:5432:ssl"

/* As it is written without leading zeros; 0 = it is none. */
static uint16_t read_port(const char *text)
{
	size_t len = strspn(text, "0123456789");
	long number = len > 0 && len <= 5 && text[len] == '\0' && text[0] != '0' ? atol(text) : 0;

	return number <= UINT16_MAX ? (uint16_t)number : 0;
}

/* A number, or what a port may be called. */
static bool is_port(const char *text)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	size_t len = strlen(text);

	if (text[strspn(text, digits)] == '\0') {
		return read_port(text) != 0;
	}
	/* A name of a port (RFC 6335 section 5.1). */
	return len <= MAX_PORT_NAME &&
	       text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz-")] == '\0' &&
	       strpbrk(text, letters) != NULL && text[0] != '-' && text[len - 1] != '-' &&
	       strstr(text, "--") == NULL;
}

/* Does one of "ADDRESS:PORT,..." have this port? */
static bool has_port(const char *binds, size_t len, uint16_t port)
{
	const char *end = binds + len;

	while (binds < end) {
		size_t bind_len = strcspn(binds, ", ");
		const char *colon = memrchr(binds, ':', bind_len);
		if (colon != NULL && strtol(colon + 1, NULL, 10) == port) {
			return true;
		}
		binds += bind_len + 1;
	}
	return false;
}

/* Who listens there already, as "--http-bind"; NULL = nobody. Owned. */
static char *find_listener(const char *listeners, uint16_t port)
{
	while (listeners != NULL && *listeners != '\0') {
		size_t len = strcspn(listeners, " ");
		size_t flag_len = strcspn(listeners, "=");
		if (flag_len < len &&
			has_port(listeners + flag_len + 1, len - flag_len - 1, port)) {
			return xstrndup(listeners, flag_len);
		}
		listeners += len + (listeners[len] == ' ');
	}
	return NULL;
}

static char *trim(const char *text)
{
	size_t len;

	while (isspace((unsigned char)*text)) {
		text++;
	}
	len = strlen(text);
	while (len > 0 && isspace((unsigned char)text[len - 1])) {
		len--;
	}
	return xstrndup(text, len);
}

/* Fills in what the value says; NULL = nothing is wrong with it, else that. */
static const char *read_value(struct tcp_service *service)
{
	char *rest = service->parts = xstrdup(service->text);
	const char *last;

	service->namespace = strsep(&rest, "/");
	service->service = strsep(&rest, ":");
	service->service_port = strsep(&rest, ":");
	last = rest;
	if (service->service_port == NULL || !route_is_label(service->namespace) ||
		!route_is_label(service->service) || !is_port(service->service_port)) {
		return "names no port of a Service: " FORM;
	}
	service->has_tls = last != NULL && strcmp(last, "ssl") == 0;
	return last == NULL || service->has_tls
		       ? NULL
		       : "has another word than ssl at its end: " FORM
			 " (send-proxy-protocol on the Service asks for the PROXY protocol)";
}

static void free_service(struct tcp_service *service)
{
	free(service->text);
	free(service->parts);
}

static size_t count(const struct tcp_services *services, bool has_tls)
{
	size_t n = 0;

	for (size_t i = 0; i < services->n; i++) {
		n += services->items[i].has_tls == has_tls;
	}
	return n;
}

/* Takes it into its place. */
static void insert(struct tcp_services *services, const struct tcp_service *service)
{
	size_t place = services->n;

	services->items = xreallocarray(services->items, services->n + 1, sizeof(*services->items));
	while (place > 0 && services->items[place - 1].port > service->port) {
		services->items[place] = services->items[place - 1];
		place--;
	}
	services->items[place] = *service;
	services->n++;
}

static char *add_port(
	struct tcp_services *services, const char *key, const char *value, const char *listeners)
{
	struct tcp_service service = {.port = read_port(key)};

	if (service.port == 0) {
		return xstrdup("is no port: write a number from 1 to 65535, or " TCP_LOG_FORMAT);
	}
	CLEANUP(free_ptr) char *listener = find_listener(listeners, service.port);
	if (listener != NULL) {
		return xasprintf("is the port of %s: use another", listener);
	}
	service.text = trim(value);
	const char *reason = read_value(&service);
	if (reason == NULL && count(services, service.has_tls) == TCP_MAX_PORTS) {
		reason =
			"is a port too many: 32 without :ssl and 32 with it are served; remove one";
	}
	if (reason != NULL) {
		free_service(&service);
		return xstrdup(reason);
	}
	insert(services, &service);
	return NULL;
}

static char *add_log_format(struct tcp_services *services, const char *value)
{
	char *reason = NULL;
	char *format = option_parse_log_format_tcp(value, &reason);

	if (format == NULL) {
		char *text = xasprintf("is %s", reason);
		free(reason);
		return text;
	}
	free(services->log_format);
	services->log_format = format;
	return NULL;
}

char *tcp_services_add(
	struct tcp_services *services, const char *key, const char *value, const char *listeners)
{
	return strcmp(key, TCP_LOG_FORMAT) == 0 ? add_log_format(services, value)
						: add_port(services, key, value, listeners);
}

static int compare_keys(const void *a, const void *b)
{
	const char *left = *(const char *const *)a;
	const char *right = *(const char *const *)b;
	int order = (int)read_port(left) - (int)read_port(right);

	return order != 0 ? order : strcmp(left, right);
}

void tcp_services_read(struct tcp_services *services, const struct config_map *map,
	const char *listeners, map_report_fn report, void *ctx)
{
	const struct obj_pair *pairs = obj_items(map, map->data);
	/* Key, value: which ports are too many is no matter of the order in which they are written.
	 */
	const char *(*sorted)[2] = xcalloc(map->data.n, sizeof(*sorted));

	*services = (struct tcp_services){0};
	for (uint32_t i = 0; i < map->data.n; i++) {
		sorted[i][0] = obj_str(map, pairs[i].key);
		sorted[i][1] = obj_str(map, pairs[i].value);
	}
	qsort(sorted, map->data.n, sizeof(*sorted), compare_keys);
	for (uint32_t i = 0; i < map->data.n; i++) {
		CLEANUP(free_ptr)
		char *reason = tcp_services_add(services, sorted[i][0], sorted[i][1], listeners);
		report(ctx, sorted[i][0], reason);
	}
	free(sorted);
}

void tcp_services_fini(struct tcp_services *services)
{
	for (size_t i = 0; i < services->n; i++) {
		free_service(&services->items[i]);
	}
	free(services->items);
	free(services->log_format);
	*services = (struct tcp_services){0};
}
