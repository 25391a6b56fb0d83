/* See addresses.h. */
#include "status/addresses.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

#define HOST_MAX_LEN  253
#define LABEL_MAX_LEN 63

static void add(struct addresses *addresses, const char *text, bool is_ip)
{
	if (addresses->n < ADDRESSES_MAX && text[0] != '\0') {
		addresses->items[addresses->n++] = (struct address){xstrdup(text), is_ip};
	}
}

/* Writes an IP address the way everybody else does; false = it is none. */
static bool canonical_ip(const char *text, char canonical[INET6_ADDRSTRLEN])
{
	unsigned char bytes[sizeof(struct in6_addr)];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	return inet_pton(family, text, bytes) == 1 &&
	       inet_ntop(family, bytes, canonical, INET6_ADDRSTRLEN) != NULL;
}

/* A DNS subdomain as Kubernetes has it: labels of lower-case letters, digits and inner '-'. */
static bool is_host(const char *text)
{
	static const char alphanumeric[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	const char *label = text;

	if (strlen(text) > HOST_MAX_LEN || strspn(text, "0123456789.") == strlen(text)) {
		return false;
	}
	for (;;) {
		size_t len = strcspn(label, ".");
		if (len == 0 || len > LABEL_MAX_LEN || strspn(label, alphanumeric) == 0 ||
			strchr(alphanumeric, label[len - 1]) == NULL) {
			return false;
		}
		for (size_t i = 0; i < len; i++) {
			if (label[i] != '-' && strchr(alphanumeric, label[i]) == NULL) {
				return false;
			}
		}
		if (label[len] == '\0') {
			return true;
		}
		label += len + 1;
	}
}

static bool add_text(struct addresses *addresses, const char *text, struct err *err)
{
	char ip[INET6_ADDRSTRLEN];

	if (addresses->n >= ADDRESSES_MAX) {
		return err_set(err, ERR_INPUT, "more than %d addresses", ADDRESSES_MAX);
	}
	if (canonical_ip(text, ip)) {
		add(addresses, ip, true);
		return true;
	}
	if (!is_host(text)) {
		return err_set(err, ERR_INPUT,
			"'%s' is neither an IP address nor a host name in lower case", text);
	}
	add(addresses, text, false);
	return true;
}

bool addresses_parse(struct addresses *addresses, const char *text, struct err *err)
{
	const char *rest = text;
	bool is_ok = true;

	*addresses = (struct addresses){0};
	while (is_ok) {
		size_t len = strcspn(rest, ",");
		CLEANUP(free_ptr) char *one = xstrndup(rest, len);
		is_ok = add_text(addresses, one, err);
		if (rest[len] == '\0') {
			break;
		}
		rest += len + 1;
	}
	if (!is_ok) {
		addresses_fini(addresses);
	}
	return is_ok;
}

void addresses_of_service(struct addresses *addresses, const struct service *service)
{
	const struct balancer_address *balanced = obj_items(service, service->addresses);
	const struct obj_text *external = obj_items(service, service->external_ips);
	const char *cluster_ip = obj_str(service, service->cluster_ip);
	const char *type = obj_str(service, service->type);

	*addresses = (struct addresses){0};
	for (uint32_t i = 0; i < service->addresses.n; i++) {
		bool is_ip = obj_has(balanced[i].ip);
		add(addresses, obj_str(service, is_ip ? balanced[i].ip : balanced[i].hostname),
			is_ip);
	}
	bool has_balancer = addresses->n > 0;
	for (uint32_t i = 0; !has_balancer && i < service->external_ips.n; i++) {
		add(addresses, obj_str(service, external[i]), true);
	}
	bool is_cluster_type = type[0] == '\0' || strcmp(type, "ClusterIP") == 0;
	if (addresses->n == 0 && is_cluster_type && strcmp(cluster_ip, "None") != 0) {
		add(addresses, cluster_ip, true);
	}
}

void addresses_fini(struct addresses *addresses)
{
	for (size_t i = 0; i < addresses->n; i++) {
		free(addresses->items[i].text);
	}
	*addresses = (struct addresses){0};
}

bool addresses_equal(const struct addresses *a, const struct addresses *b)
{
	bool is_equal = a->n == b->n;

	for (size_t i = 0; is_equal && i < a->n; i++) {
		is_equal = a->items[i].is_ip == b->items[i].is_ip &&
			   strcmp(a->items[i].text, b->items[i].text) == 0;
	}
	return is_equal;
}

bool addresses_are_of(const struct addresses *addresses, const struct ingress *ingress)
{
	const struct balancer_address *items = obj_items(ingress, ingress->addresses);
	bool is_equal = addresses->n == ingress->addresses.n;

	for (size_t i = 0; is_equal && i < addresses->n; i++) {
		const struct address *address = &addresses->items[i];
		const char *ip = obj_str(ingress, items[i].ip);
		const char *hostname = obj_str(ingress, items[i].hostname);
		is_equal = strcmp(ip, address->is_ip ? address->text : "") == 0 &&
			   strcmp(hostname, address->is_ip ? "" : address->text) == 0;
	}
	return is_equal;
}

static void write_one(struct buf *buf, const char *key, const char *text, bool is_first)
{
	buf_printf(buf, "%s{\"%s\":", is_first ? "" : ",", key);
	json_append_text(buf, text, JSON_TEXT_WHOLE);
	buf_append_char(buf, '}');
}

void addresses_write(const struct addresses *addresses, struct buf *buf)
{
	buf_append_char(buf, '[');
	for (size_t i = 0; i < addresses->n; i++) {
		const struct address *address = &addresses->items[i];
		write_one(buf, address->is_ip ? "ip" : "hostname", address->text, i == 0);
	}
	buf_append_char(buf, ']');
}

void addresses_write_of(const struct ingress *ingress, struct buf *buf)
{
	const struct balancer_address *items = obj_items(ingress, ingress->addresses);

	buf_append_char(buf, '[');
	for (uint32_t i = 0; i < ingress->addresses.n; i++) {
		bool is_ip = obj_has(items[i].ip);
		write_one(buf, is_ip ? "ip" : "hostname",
			obj_str(ingress, is_ip ? items[i].ip : items[i].hostname), i == 0);
	}
	buf_append_char(buf, ']');
}
