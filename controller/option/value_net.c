/* See value.h: addresses, hosts and origins. */
#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value.h"
#include "option/value_priv.h"

/* A network, ordered by its bytes: family, address, length. */
struct network {
	uint8_t family; /* 4 or 6 */
	uint8_t address[16];
	uint8_t length; /* of the prefix */
};

static void clear_host_bits(struct network *network, size_t n_bits)
{
	for (size_t bit = network->length; bit < n_bits; bit++) {
		network->address[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
	}
}

/* ::ffff:0:0/96 and below */
static bool is_mapped(const struct network *network)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return network->length >= 96 && memcmp(network->address, prefix, sizeof(prefix)) == 0;
}

/* "10.0.0.0/8", "10.1.2.3", "2001:db8::/32". IPv6 networks between /64 and /128 are refused:
 * HAProxy looks up the first half of an address, or all of it. */
static bool read_network(const char *text, size_t len, struct network *ret_network)
{
	struct network network = {0};
	char copy[INET6_ADDRSTRLEN + sizeof("/128")];
	char *end = NULL;

	if (len >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	char *slash = strchr(copy, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	network.family = strchr(copy, ':') ? 6 : 4;
	long n_bits = network.family == 6 ? 128 : 32;
	long length = n_bits;
	if (slash != NULL) {
		length = isdigit((unsigned char)slash[1]) ? strtol(slash + 1, &end, 10) : -1;
		if (length < 0 || length > n_bits || *end != '\0') {
			return false;
		}
	}
	network.length = (uint8_t)length;
	if (inet_pton(network.family == 6 ? AF_INET6 : AF_INET, copy, network.address) != 1) {
		return false;
	}
	if (network.family == 6 && is_mapped(&network)) {
		/* What comes as such an address is an IPv4 client. */
		network.family = 4;
		network.length = (uint8_t)(length - 96);
		memmove(network.address, network.address + 12, 4);
		memset(network.address + 4, 0, 12);
		n_bits = 32;
	}
	if (network.family == 6 && network.length > 64 && network.length < 128) {
		return false;
	}
	clear_host_bits(&network, (size_t)n_bits);
	*ret_network = network;
	return true;
}

static int compare_networks(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct network));
}

static void append_network(struct buf *value, const struct network *network)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(network->family == 6 ? AF_INET6 : AF_INET, network->address, text, sizeof(text));
	buf_printf(value, "%s%s/%d", value->len ? " " : "", text, network->length);
}

/* Sorted, and each once. */
static void append_networks(struct buf *value, struct network *networks, size_t n)
{
	static_assert(sizeof(struct network) == 18, "no padding: networks are compared as bytes");
	if (n > 0) {
		qsort(networks, n, sizeof(*networks), compare_networks);
	}
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || compare_networks(&networks[i - 1], &networks[i]) != 0) {
			append_network(value, &networks[i]);
		}
	}
}

#define HOW_TO_WRITE                                                                               \
	"write 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32 (of IPv6 up to /64, or one address)"

bool value_parse_addresses(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	struct network networks[OPTION_MAX_ITEMS] = {0};
	size_t n = 0;
	const char *item;
	size_t len;
	bool is_empty = text[strspn(text, " \t\n")] == '\0';
	size_t max = info->max > 0 ? (size_t)info->max : OPTION_MAX_ITEMS;

	while (value_next_item(&text, ',', &item, &len)) {
		if (n == max) {
			return value_refuse(
				reason, "a list of more than %zu networks: join some of them", max);
		}
		if (!read_network(item, len, &networks[n])) {
			return value_refuse(reason,
				"with '%.*s', which is no IP address or network: " HOW_TO_WRITE,
				(int)len, item);
		}
		n++;
	}
	/* A template that nobody has filled. What turns the option off is an empty text. */
	if (n == 0 && !is_empty) {
		return value_refuse(reason, "a list of nothing: " HOW_TO_WRITE);
	}
	append_networks(value, networks, n);
	return true;
}

/* Can a key of a ConfigMap be called so? */
static bool is_file_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-_.");

	return len > 0 && len <= 253 && name[len] == '\0';
}

bool value_parse_clients(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *names = strstr(text, OPTION_PATTERNS);

	if (names == NULL) {
		return value_parse_addresses(info, text, value, reason);
	}
	if (names != text || !is_file_name(text + strlen(OPTION_PATTERNS))) {
		return value_refuse(reason,
			"no list of clients: write addresses and networks, or patterns/ and the "
			"name of one file, alone");
	}
	buf_append_str(value, text);
	return true;
}

/* The next line that says something: false at the end. *n_lines counts all of them. CR alone ends
 * one, too: HAProxy passes over what stands behind it, and nobody would be told. */
static bool next_pattern(
	const char **cursor, size_t *n_lines, const char **ret_pattern, size_t *ret_len)
{
	while (**cursor != '\0') {
		const char *line = *cursor;
		size_t len = strcspn(line, "\r\n");
		bool is_comment = *line == '#';

		*cursor =
			line + len + (strncmp(line + len, "\r\n", 2) == 0 ? 2 : line[len] != '\0');
		++*n_lines;
		while (len > 0 && (*line == ' ' || *line == '\t')) {
			line++;
			len--;
		}
		while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t')) {
			len--;
		}
		if (!is_comment && len > 0) {
			*ret_pattern = line;
			*ret_len = len;
			return true;
		}
	}
	return false;
}

char *option_read_patterns(const char *text, char **ret_reason)
{
	CLEANUP(free_ptr)
	struct network *networks = xcalloc(OPTION_MAX_PATTERNS, sizeof(*networks));
	struct buf value = BUF_INIT(0);
	size_t n = 0, n_lines = 0;
	const char *pattern;
	size_t len;

	while (next_pattern(&text, &n_lines, &pattern, &len)) {
		if (n == OPTION_MAX_PATTERNS) {
			*ret_reason = xasprintf("has more than %d networks: join some of them",
				OPTION_MAX_PATTERNS);
			return NULL;
		}
		if (!read_network(pattern, len, &networks[n])) {
			*ret_reason = xasprintf(
				"has no IP address or network in line %zu: " HOW_TO_WRITE, n_lines);
			return NULL;
		}
		n++;
	}
	append_networks(&value, networks, n);
	return buf_take(&value);
}

static bool is_port(const char *text)
{
	char *end;
	long port = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0;

	return port > 0 && port <= 65535 && *end == '\0';
}

/* RFC 1123, or an address; IPv6 in brackets. Names may have '_', which some networks use. */
static bool is_host_name(const char *text, size_t len)
{
	uint8_t address[16];
	char copy[256];

	if (len == 0 || len >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (copy[0] == '[') {
		copy[len - 1] = copy[len - 1] == ']' ? '\0' : copy[len - 1];
		return inet_pton(AF_INET6, copy + 1, address) == 1;
	}
	for (size_t i = 0; i < len; i++) {
		bool is_edge = i == 0 || i + 1 == len || copy[i - 1] == '.' || copy[i + 1] == '.';
		if (!isalnum((unsigned char)copy[i]) &&
			(is_edge || strchr("-._", copy[i]) == NULL)) {
			return false;
		}
	}
	return true;
}

/* Appends "host" or "host:port". */
static bool append_authority(const char *text, struct buf *value)
{
	const char *bracket = strchr(text, ']');
	const char *colon = strchr(bracket ? bracket : text, ':');
	size_t len = colon ? (size_t)(colon - text) : strlen(text);

	if (!is_host_name(text, len) || (colon != NULL && !is_port(colon + 1))) {
		return false;
	}
	for (; *text != '\0'; text++) {
		buf_append_char(value, (char)tolower((unsigned char)*text));
	}
	return true;
}

bool value_parse_host(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	(void)info;
	return append_authority(text, value) ||
	       value_refuse(reason, "no host: write shop.example.com or shop.example.com:8080");
}

bool value_parse_origin(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	static const char *const schemes[] = {"http://", "https://"};

	(void)info;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], len) == 0) {
			buf_append_str(value, schemes[i]);
			text += len;
			break;
		}
	}
	if (value->len == 0) {
		buf_append_str(value, schemes[0]);
	}
	return append_authority(text, value) ||
	       value_refuse(reason, "no place to send requests to: write shop.example.com, "
				    "shop.example.com:8080 or https://shop.example.com");
}

/* RFC 3986: what a path and a query are written with, percent-encoding included. */
static bool is_path(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '%') {
			if (!isxdigit((unsigned char)text[1]) ||
				!isxdigit((unsigned char)text[2])) {
				return false;
			}
		} else if (!isalnum((unsigned char)*text) &&
			   strchr("-._~!&'()*+,;=:@/?", *text) == NULL) {
			return false;
		}
	}
	return true;
}

/* Appends scheme, host and path; *ret_path: where the path begins. */
static bool append_url(const char *text, struct buf *value, const char **ret_path)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], len) == 0) {
			size_t host_len = strcspn(text + len, "/?");
			CLEANUP(free_ptr) char *host = xstrndup(text + len, host_len);
			buf_append_str(value, schemes[i]);
			*ret_path = text + len + host_len;
			return append_authority(host, value);
		}
	}
	return false;
}

static bool parse_place(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *path = text;

	if (strlen(text) > (size_t)info->max) {
		return value_refuse(
			reason, "longer than %d characters: shorten it", (int)info->max);
	}
	if (strchr(text, '$') != NULL) {
		return value_refuse(reason,
			"with a '$': variables are not filled in; write the host "
			"itself, and leave out a parameter with the client's URL, "
			"which is added anyway");
	}
	bool is_place = *text == '/' ? text[1] != '/' : append_url(text, value, &path);
	if (!is_place || !is_path(path)) {
		return false;
	}
	if (*path != '/') {
		buf_append_char(value, '/');
	}
	buf_append_str(value, path);
	return true;
}

bool value_parse_url(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	/* An IPv6 address would have to be taken apart again, and resolved as none. */
	if (*text != '/' && strchr(text, '[') == NULL && parse_place(info, text, value, reason)) {
		return true;
	}
	return reason->len > 0
		       ? false
		       : value_refuse(reason, "no URL: write one such as "
					      "http://oauth2-proxy.auth.svc:4180/oauth2/auth");
}

bool value_parse_place(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (parse_place(info, text, value, reason)) {
		return true;
	}
	return reason->len > 0 ? false
			       : value_refuse(reason, "no place to send clients to: write "
						      "https://auth.example.com/oauth2/start or "
						      "/oauth2/start");
}

/* RFC 1123 label, as names of namespaces are. */
static bool is_label(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool is_inner = i > 0 && i + 1 < len;
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
			!(is_inner && text[i] == '-')) {
			return false;
		}
	}
	return len > 0 && len <= 63;
}

bool value_parse_namespaces(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *item;
	size_t len;

	if (strlen(text) > (size_t)info->max) {
		return value_refuse(
			reason, "longer than %d characters: shorten it", (int)info->max);
	}
	while (value_next_item(&text, ',', &item, &len)) {
		if (!is_label(item, len) && !(len == 1 && *item == '*')) {
			return value_refuse(reason,
				"with '%.*s', which is no namespace: write *, or names separated "
				"by commas",
				(int)len, item);
		}
		buf_printf(value, "%s%.*s", value->len ? "," : "", (int)len, item);
	}
	return true;
}

/* A number without zeros in front, or an RFC 6335 name as Services give their ports: up to 15
 * characters, a letter among them. */
static bool is_port_reference(const char *text)
{
	size_t n_digits = strspn(text, "0123456789");

	if (text[n_digits] == '\0') {
		return *text != '0' && is_port(text);
	}
	return strlen(text) <= 15 && is_label(text, strlen(text)) && strstr(text, "--") == NULL &&
	       strpbrk(text, "abcdefghijklmnopqrstuvwxyz") != NULL;
}

bool value_parse_target(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	size_t namespace_len = strcspn(text, "/");
	const char *name = text[namespace_len] == '/' ? text + namespace_len + 1 : "";
	size_t len = strcspn(name, ":");

	(void)info;
	if (text[namespace_len] == '\0' || !is_label(text, namespace_len) || !is_label(name, len) ||
		(name[len] == ':' && !is_port_reference(name + len + 1))) {
		return value_refuse(reason,
			"no Service: write <namespace>/<service>, or with a port "
			"<namespace>/<service>:<port>");
	}
	buf_append_str(value, text);
	return true;
}

bool value_parse_service(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	size_t len = strcspn(text, ":");

	(void)info;
	if (!is_label(text, len) || text[len] == '\0' || !is_port_reference(text + len + 1)) {
		return value_refuse(reason, "no Service with a port: write <service>:<port>, such "
					    "as web:80 or web:http");
	}
	buf_append_str(value, text);
	return true;
}
