/*
 * See encode.h. Every command is a template, one row an operation; what stands in it goes through
 * the one function of its letter.
 */
#include "haproxy/encode.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/keywords.h"
#include "haproxy/tickets.h"

#define NAME_BYTES "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-"

/* %C certificate, %L list of certificates, %B backend, %S server, %A address, %I its IP, %P its
 * port, %M map, %K key, %V value, %F the backend's profile, %T the server's keywords */
static const char *const commands[PLAN_OP_COUNT] = {
	[PLAN_OP_CA_NEW] = "new ssl ca-file %C",
	[PLAN_OP_CA_SET] = "set ssl ca-file %C",
	[PLAN_OP_CA_COMMIT] = "commit ssl ca-file %C",
	[PLAN_OP_SHOWN_NEW] = "new ssl cert %C",
	[PLAN_OP_SHOWN_SET] = "set ssl cert %C",
	[PLAN_OP_SHOWN_COMMIT] = "commit ssl cert %C",
	[PLAN_OP_BACKEND_ADD] = "add backend %B from %F",
	[PLAN_OP_BACKEND_PUBLISH] = "publish backend %B",
	[PLAN_OP_SERVER_ADD] = "add server %B/%S %A %T",
	[PLAN_OP_SERVER_ADDRESS] = "set server %B/%S addr %I port %P",
	[PLAN_OP_SERVER_CHECK] = "enable health %B/%S",
	[PLAN_OP_SERVER_ENABLE] = "enable server %B/%S",
	[PLAN_OP_CERT_NEW] = "new ssl cert %C",
	[PLAN_OP_CERT_SET] = "set ssl cert %C",
	[PLAN_OP_CERT_COMMIT] = "commit ssl cert %C",
	[PLAN_OP_CERT_LIST] = "add ssl crt-list %L",
	[PLAN_OP_MAP_ADD] = "add map %M %K %V",
	[PLAN_OP_MAP_SET] = "set map %M %K %V",
	[PLAN_OP_MAP_DEL] = "del map %M %K",
	[PLAN_OP_SERVER_DRAIN] = "set server %B/%S state drain",
	[PLAN_OP_CERT_UNLIST] = "del ssl crt-list %L %C",
	[PLAN_OP_CERT_DEL] = "del ssl cert %C",
	[PLAN_OP_SERVER_DISABLE] = "disable server %B/%S",
	[PLAN_OP_SERVER_DEL] = "del server %B/%S",
	[PLAN_OP_BACKEND_UNPUBLISH] = "unpublish backend %B",
	[PLAN_OP_BACKEND_DEL] = "del backend %B",
	[PLAN_OP_CA_DEL] = "del ssl ca-file %C",
	[PLAN_OP_SHOWN_DEL] = "del ssl cert %C",
};

struct address {
	char ip[INET6_ADDRSTRLEN];
	char port[sizeof("65535")];
};

static bool put_part(struct buf *buf, char part, const struct plan_op *op, const char *map_dir);
static bool put_name(struct buf *buf, const char *name);
static bool put_address(struct buf *buf, const char *text, char part);
static bool parse_address(const char *text, struct address *ret_address);
static bool is_canonical_ip(int family, const char *text);
static bool is_port(const char *text);
static bool is_word(const char *word);
static bool is_key(const char *key);
static bool is_value(const char *value);
static bool finish(struct buf *buf, size_t start, bool is_ok);

bool encode_op(struct buf *buf, const struct plan_op *op, const char *map_dir)
{
	size_t start = buf->len;
	bool is_ok = true;

	for (const char *p = commands[op->kind]; *p != '\0' && is_ok; p++) {
		if (*p == '%') {
			is_ok = put_part(buf, *++p, op, map_dir);
		} else {
			buf_append_char(buf, *p);
		}
	}
	return finish(buf, start, is_ok);
}

bool encode_cli_map(struct buf *buf, enum model_map map, const char *map_dir)
{
	size_t start = buf->len;
	/* "#1" would be a map's number, "@1" a version, in the place of a map's name. */
	bool is_ok = map_dir[0] != '#' && map_dir[0] != '@' && encode_cli_word(buf, map_dir);

	if (is_ok) {
		buf_append_char(buf, '/');
		buf_append_str(buf, model_map_files[map]);
	}
	return finish(buf, start, is_ok);
}

bool encode_cli_word(struct buf *buf, const char *word)
{
	size_t start = buf->len;

	if (!is_word(word)) {
		return false;
	}
	for (const char *p = word; *p != '\0'; p++) {
		if (*p == '\\' || *p == ';' || *p == ' ') {
			buf_append_char(buf, '\\');
		}
		buf_append_char(buf, *p);
	}
	return finish(buf, start, true);
}

bool encode_map_line(struct buf *buf, const char *key, const char *value)
{
	size_t start = buf->len;

	if (!is_key(key) || !is_value(value)) {
		return false;
	}
	buf_append_str(buf, key);
	buf_append_char(buf, ' ');
	buf_append_str(buf, value);
	buf_append_char(buf, '\n');
	return finish(buf, start, true);
}

/* Read from a file and from a command, where '\\' and ';' would mean something, '#' begins a
 * comment and '[' options. */
static bool is_certs_folder(const char *map_dir)
{
	return map_dir[0] == '/' && map_dir[strspn(map_dir, NAME_BYTES "/+,=@~%")] == '\0';
}

static bool put_certificate(struct buf *buf, const char *name, const char *map_dir)
{
	buf_append_str(buf, map_dir);
	buf_append_str(buf, "/" ENCODE_CERTS_DIR "/");
	bool is_ok = is_certs_folder(map_dir) && name[0] != '.' && put_name(buf, name);
	buf_append_str(buf, ENCODE_CERT_SUFFIX);
	return is_ok;
}

bool encode_cli_certificate(struct buf *buf, const char *name, const char *map_dir)
{
	size_t start = buf->len;

	return finish(buf, start, put_certificate(buf, name, map_dir));
}

bool encode_cli_list(struct buf *buf, const char *map_dir)
{
	size_t start = buf->len;

	buf_append_str(buf, map_dir);
	buf_append_str(buf, "/" ENCODE_CERTS_LIST);
	return finish(buf, start, is_certs_folder(map_dir));
}

bool encode_cli_ticket_key(struct buf *buf, const char *file, const char *key)
{
	size_t start = buf->len;

	assert(buf->is_secret);
	buf_append_str(buf, "set ssl tls-key ");
	/* "#0" would be a number in the place of a name. */
	bool is_ok = file[0] == '/' && encode_cli_word(buf, file) && tickets_is_key(key);
	buf_append_char(buf, ' ');
	buf_append_str(buf, key);
	return finish(buf, start, is_ok);
}

/* Length of a client's name, or of one that is excluded, at the start of the text; 0 = there is
 * none. */
static size_t host_len(const char *text)
{
	size_t star = strncmp(text, "*.", 2) == 0 ? 2 : text[0] == '!' ? 1 : 0;
	size_t len = strspn(
		text + star, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");

	return len == 0 || text[star] == '.' ? 0 : star + len;
}

static bool are_hosts(const char *hosts)
{
	unsigned n = 0;

	for (;;) {
		size_t len = n == 0 && hosts[0] == '!' ? 0 : host_len(hosts);

		if (len == 0 || ++n > ENCODE_MAX_HOSTS) {
			return false;
		}
		hosts += len;
		if (*hosts == '\0') {
			return true;
		}
		if (*hosts++ != ' ') {
			return false;
		}
	}
}

bool encode_certificate_line(
	struct buf *buf, const char *name, const char *hosts, const char *map_dir)
{
	size_t start = buf->len;
	bool is_ok = put_certificate(buf, name, map_dir);

	buf_append_char(buf, ' ');
	buf_append_str(buf, hosts);
	buf_append_char(buf, '\n');
	return finish(buf, start, is_ok && are_hosts(hosts));
}

bool encode_has_content(enum plan_op_kind kind)
{
	return kind == PLAN_OP_CERT_SET || kind == PLAN_OP_CA_SET || kind == PLAN_OP_SHOWN_SET;
}

bool encode_has_payload(enum plan_op_kind kind)
{
	return encode_has_content(kind) || kind == PLAN_OP_CERT_LIST;
}

/* Length of a line of PEM at the start of the text, without its line feed; 0 = it is none. */
static size_t pem_line_len(const char *text)
{
	static const char mark[] = "-----";
	size_t len = strcspn(text, "\n");
	size_t mark_len = strlen(mark);

	if (strncmp(text, mark, mark_len) == 0) {
		const char *label = text + mark_len;
		size_t label_len = strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ");

		return label_len > 0 && len == label_len + 2 * mark_len &&
				       strncmp(label + label_len, mark, mark_len) == 0
			       ? len
			       : 0;
	}
	size_t digits =
		strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
	return digits + strspn(text + digits, "=") == len ? len : 0;
}

static bool is_pem(const char *text)
{
	bool has_line = false;

	while (*text != '\0') {
		size_t len = pem_line_len(text);

		if (len == 0 || text[len] != '\n') {
			return false;
		}
		has_line = true;
		text += len + 1;
	}
	return has_line;
}

bool encode_payload(struct buf *buf, const struct plan_op *op, const char *map_dir)
{
	size_t start = buf->len;
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);
	bool is_ok = encode_op(&command, op, map_dir);
	size_t max = ENCODE_MAX_LINE - command.len;

	assert(encode_has_payload(op->kind) && (buf->is_secret || op->kind == PLAN_OP_CERT_LIST));
	buf_fini(&command);
	if (is_ok && encode_has_content(op->kind)) {
		buf_append_str(buf, op->pem);
		is_ok = is_pem(op->pem);
	} else if (is_ok) {
		is_ok = encode_certificate_line(buf, op->certificate, op->hosts, map_dir);
	}
	return finish(buf, start, is_ok && buf->len - start <= max);
}

/* Who reads it can't be told that a word of the name is not understood: that backend is somebody
 * else's, and about to go. */
static bool put_server_line(struct buf *buf, const char *backend,
	const struct applied_server *server, const char *map_dir)
{
	size_t start = buf->len;

	buf_append_str(buf, "\tserver ");
	if (!put_name(buf, server->name)) {
		return finish(buf, start, false);
	}
	buf_append_char(buf, ' ');
	bool is_ok = put_address(buf, server->address, 'A');
	buf_append_char(buf, ' ');
	(void)!keywords_append_server(buf, backend, server->name, map_dir);
	buf_append_char(buf, '\n');
	return finish(buf, start, is_ok);
}

bool encode_backend_section(
	struct buf *buf, const struct applied_backend *backend, const char *map_dir)
{
	size_t start = buf->len;

	buf_append_str(buf, "backend ");
	bool is_ok = put_name(buf, backend->name);
	buf_append_str(buf, " from ");
	(void)!keywords_append_profile(buf, backend->name);
	buf_append_char(buf, '\n');
	is_ok = finish(buf, start, is_ok);
	for (uint32_t i = 0; i < backend->n_servers && is_ok; i++) {
		if (backend->servers[i].admin == APPLIED_READY) {
			is_ok = put_server_line(buf, backend->name, &backend->servers[i], map_dir);
		}
	}
	if (!is_ok) {
		buf_truncate(buf, start);
	}
	return is_ok;
}

/* "NAME value\n" */
static bool put_setting(struct buf *buf, const char *line, size_t len)
{
	static const char prefix[] = "HEADGATE_";
	size_t name_len = strcspn(line, " \n");
	bool is_ok = name_len < len && strncmp(line, prefix, strlen(prefix)) == 0 &&
		     strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == name_len;

	buf_append_str(buf, "\tsetenv ");
	buf_append(buf, line, name_len);
	buf_append_str(buf, " '");
	for (size_t i = name_len + 1; i < len && is_ok; i++) {
		is_ok = line[i] >= 0x20 && line[i] <= 0x7e && line[i] != '\'';
		buf_append_char(buf, line[i]);
	}
	buf_append_str(buf, "'\n");
	return is_ok;
}

bool encode_settings(struct buf *buf, const char *settings, const char *digest)
{
	size_t start = buf->len;
	CLEANUP(free_ptr)
	char *all = xasprintf("%s" ENCODE_SETTINGS_MARK " %s\n", settings, digest);
	size_t len = strlen(settings);
	bool is_ok = len == 0 || settings[len - 1] == '\n';

	buf_append_str(buf,
		"# What the controller's ConfigMap says about the whole of HAProxy. Written "
		"by the controller.\nglobal\n");
	for (const char *line = all; *line != '\0' && is_ok;) {
		len = strcspn(line, "\n");
		is_ok = len <= ENCODE_MAX_LINE && line[len] == '\n' && put_setting(buf, line, len);
		line += len + 1;
	}
	if (!is_ok || !buf_is_ok(buf)) {
		buf_truncate(buf, start);
		return false;
	}
	return true;
}

static bool put_part(struct buf *buf, char part, const struct plan_op *op, const char *map_dir)
{
	switch (part) {
	case 'C':
		return encode_cli_certificate(buf, op->certificate, map_dir);
	case 'L':
		return encode_cli_list(buf, map_dir);
	case 'B':
		return put_name(buf, op->backend);
	case 'S':
		return put_name(buf, op->server);
	case 'F':
		return keywords_append_profile(buf, op->backend);
	case 'T':
		return keywords_append_server(buf, op->backend, op->server, map_dir);
	case 'M':
		return encode_cli_map(buf, op->map, map_dir);
	case 'K':
		return is_key(op->key) && encode_cli_word(buf, op->key);
	case 'V':
		return is_value(op->value) && encode_cli_word(buf, op->value);
	default:
		return put_address(buf, op->address, part);
	}
}

static bool put_name(struct buf *buf, const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || strspn(name, NAME_BYTES) != len) {
		return false;
	}
	buf_append(buf, name, len);
	return true;
}

/* `part` as in the templates: A, I or P. */
static bool put_address(struct buf *buf, const char *text, char part)
{
	struct address address;

	if (!parse_address(text, &address)) {
		return false;
	}
	if (part == 'I') {
		buf_append_str(buf, address.ip);
	} else if (part == 'P') {
		buf_append_str(buf, address.port);
	} else {
		buf_append_str(buf, text);
	}
	return true;
}

static bool parse_address(const char *text, struct address *ret_address)
{
	bool is_bracketed = text[0] == '[';
	const char *ip = text + (is_bracketed ? 1 : 0);
	const char *end = strchr(ip, is_bracketed ? ']' : ':');

	if (end == NULL || (size_t)(end - ip) >= sizeof(ret_address->ip)) {
		return false;
	}
	const char *port = end + 1;
	if (is_bracketed && *port++ != ':') {
		return false;
	}
	struct address address = {0};
	memcpy(address.ip, ip, (size_t)(end - ip));
	if (!is_port(port) || !is_canonical_ip(is_bracketed ? AF_INET6 : AF_INET, address.ip)) {
		return false;
	}
	memcpy(address.port, port, strlen(port) + 1);
	*ret_address = address;
	return true;
}

/*
 * HAProxy says addresses in this form: another one would never be found equal to what was asked
 * for. The address of all zeros means to HAProxy "where the client wanted to go".
 */
static bool is_canonical_ip(int family, const char *text)
{
	unsigned char address[sizeof(struct in6_addr)] = {0};
	static const unsigned char zeros[sizeof(address)];
	char again[INET6_ADDRSTRLEN];

	return inet_pton(family, text, address) == 1 &&
	       inet_ntop(family, address, again, sizeof(again)) != NULL &&
	       strcmp(text, again) == 0 && memcmp(address, zeros, sizeof(zeros)) != 0;
}

/* 1 to 65535 without leading zero: `set server` takes bigger ones modulo 65536. */
static bool is_port(const char *text)
{
	size_t len = strlen(text);
	unsigned long port = 0;

	if (len < 1 || len > 5 || text[0] == '0' || strspn(text, "0123456789") != len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		port = port * 10 + (unsigned long)(text[i] - '0');
	}
	return port <= 65535;
}

static bool is_word(const char *word)
{
	for (const char *p = word; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e) {
			return false;
		}
	}
	return word[0] != '\0' && strstr(word, "<<") == NULL;
}

static bool is_key(const char *key)
{
	/* In `set map` and `del map` "#5f3a" is the address of an entry, in a file '#' begins a
	 * comment. */
	return is_word(key) && key[0] != '#' && strchr(key, ' ') == NULL;
}

static bool is_value(const char *value)
{
	return is_word(value) && value[0] != ' ' && value[strlen(value) - 1] != ' ';
}

/* Takes back what was appended since `start` when it is refused after all. */
static bool finish(struct buf *buf, size_t start, bool is_ok)
{
	if (is_ok && buf_is_ok(buf) && buf->len - start <= ENCODE_MAX_LINE) {
		return true;
	}
	buf_truncate(buf, start);
	return false;
}
