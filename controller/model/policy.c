/* See policy.h. */
#include "model/policy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

const enum option_id policy_list_options[POLICY_LIST_COUNT] = {
	[POLICY_DENY] = OPTION_DENY_LIST,
	[POLICY_ALLOW] = OPTION_ALLOW_LIST,
	[POLICY_SPARE] = OPTION_RATE_LIMIT_WHITELIST,
};

/* A record while it is written. */
struct writer {
	const struct option_set *const *sets;
	size_t n_sets;
	struct buf letters;
	struct buf members;
	struct policy *policy;
	const struct policy_owner *owner;
};

/* What holds, NULL = nobody says anything, or it is turned off. */
static const char *get(const struct writer *writer, enum option_id option)
{
	const char *value = option_first(option, writer->sets, writer->n_sets);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static const char *get_or_default(const struct writer *writer, enum option_id option)
{
	const char *value = get(writer, option);

	return value != NULL ? value : option_table[option].default_value;
}

static bool is_true(const struct writer *writer, enum option_id option)
{
	return strcmp(get_or_default(writer, option), "true") == 0;
}

static void put_letter(struct writer *writer, char letter)
{
	buf_append_char(&writer->letters, letter);
}

static void begin_member(struct writer *writer, enum option_id option)
{
	buf_printf(&writer->members, "%s\"%s\":", writer->members.len > 0 ? "," : "",
		option_table[option].name);
}

static void put_text(struct writer *writer, enum option_id option, const char *text)
{
	begin_member(writer, option);
	json_append_text(&writer->members, text, JSON_TEXT_WHOLE);
}

/* As texts: HAProxy makes numbers of JSON into texts of six digits ("3.6e+06"). */
static void put_number(struct writer *writer, enum option_id option, int64_t number)
{
	begin_member(writer, option);
	buf_printf(&writer->members, "\"%" PRId64 "\"", number);
}

static int64_t number_of(const char *digits)
{
	return strtoll(digits, NULL, 10);
}

static void put_base64(struct writer *writer, enum option_id option, const char *data, size_t len)
{
	CLEANUP(free_ptr) char *text = xmalloc(4 * ((len + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)data, (int)len);
	begin_member(writer, option);
	buf_printf(&writer->members, "\"%s\"", text);
}

/* Six groups of four hexadecimal digits of the SHA-256 of two texts. */
static void write_digest(char ret_digest[POLICY_LIST_SIZE], const char *kind, const char *text)
{
	unsigned char bytes[SHA256_DIGEST_LENGTH];
	CLEANUP(free_ptr) char *both = xasprintf("%s %s", kind, text);

	SHA256((const unsigned char *)both, strlen(both), bytes);
	for (size_t i = 0; i < 6; i++) {
		snprintf(ret_digest + 5 * i, 6, "%02x%02x%s", bytes[2 * i], bytes[2 * i + 1],
			i < 5 ? ":" : "");
	}
}

void policy_name_list(char ret_name[POLICY_LIST_SIZE], const char *addresses)
{
	write_digest(ret_name, "list", addresses);
}

/* NULL = there is none; nor is there one where a file of patterns is named that can't be used. */
static const char *list_of(const struct writer *writer, enum policy_list list)
{
	return patterns_resolve(writer->owner->patterns, get(writer, policy_list_options[list]));
}

/* Is a list named that can't be used? */
static bool lacks_list(const struct writer *writer, enum policy_list list)
{
	return get(writer, policy_list_options[list]) != NULL && list_of(writer, list) == NULL;
}

static void put_list(struct writer *writer, enum policy_list list, char letter)
{
	const char *addresses = list_of(writer, list);
	char name[POLICY_LIST_SIZE];

	if (lacks_list(writer, list) && writer->policy->lacking == OPTION_COUNT) {
		writer->policy->lacking = policy_list_options[list];
	}
	if (addresses == NULL) {
		return;
	}
	policy_name_list(name, addresses);
	put_letter(writer, letter);
	put_text(writer, policy_list_options[list], name);
	writer->policy->lists[list] = addresses;
}

static bool is_closed(const struct writer *writer)
{
	for (size_t i = 0; i < writer->n_sets; i++) {
		if (writer->sets[i] != NULL && writer->sets[i]->is_closed) {
			return true;
		}
	}
	return false;
}

const char *policy_users(const struct option_set *const *sets, size_t n_sets)
{
	const char *secret = option_first(OPTION_AUTH_SECRET, sets, n_sets);

	if (option_first(OPTION_AUTH_TYPE, sets, n_sets) == NULL) {
		return NULL;
	}
	return secret != NULL ? secret : "";
}

void policy_name_users(char ret_name[POLICY_LIST_SIZE], const char *id, const char *version)
{
	CLEANUP(free_ptr) char *text = xasprintf("%s %s", id, version);

	write_digest(ret_name, "users", text);
}

static void put_users(struct writer *writer)
{
	char name[POLICY_LIST_SIZE];

	if (writer->owner->users == NULL) {
		return;
	}
	policy_name_users(name, writer->owner->id, writer->owner->users);
	put_letter(writer, 'B');
	put_text(writer, OPTION_AUTH_SECRET, name);
	put_text(writer, OPTION_AUTH_REALM, get_or_default(writer, OPTION_AUTH_REALM));
}

static void put_access(struct writer *writer)
{
	const char *paths = get(writer, OPTION_DENY_PATHS);
	bool lacks_users =
		policy_users(writer->sets, writer->n_sets) != NULL && writer->owner->users == NULL;

	if (is_closed(writer) || lacks_users || lacks_list(writer, POLICY_DENY) ||
		lacks_list(writer, POLICY_ALLOW)) {
		put_letter(writer, 'X');
	}
	put_list(writer, POLICY_DENY, 'D');
	put_list(writer, POLICY_ALLOW, 'A');
	if (paths != NULL) {
		put_letter(writer, 'd');
		put_text(writer, OPTION_DENY_PATHS, paths);
	}
	put_users(writer);
}

/* The value of a class is about the hosts that have TLS, and is in redirect.map. */
static void put_https(struct writer *writer)
{
	const struct option_set *own = writer->n_sets > 1 ? writer->sets[writer->n_sets - 2] : NULL;
	const char *wanted = own ? own->values[OPTION_SSL_REDIRECT] : NULL;
	const char *code = get(writer, OPTION_SSL_REDIRECT_CODE);
	const char *port = get(writer, OPTION_SSL_REDIRECT_PORT);

	if (wanted != NULL) {
		put_letter(writer, strcmp(wanted, "true") == 0 ? 'S' : 's');
	}
	if (code != NULL) {
		put_number(writer, OPTION_SSL_REDIRECT_CODE, number_of(code));
	}
	if (port != NULL && number_of(port) != 443) {
		CLEANUP(free_ptr) char *text = xasprintf(":%s", port);
		put_text(writer, OPTION_SSL_REDIRECT_PORT, text);
	}
}

static void put_limit(struct writer *writer)
{
	static const struct {
		int64_t milliseconds;
		char letter;
	} windows[] = {{1000, '1'}, {10000, '2'}, {60000, '3'}, {3600000, '4'}};
	const char *text = get(writer, OPTION_RATE_LIMIT_REQUESTS);
	int64_t requests = text ? number_of(text) : 0;
	/* "1s" in the table of options is not what values look like. */
	const char *period_text = get(writer, OPTION_RATE_LIMIT_PERIOD);
	int64_t period = period_text ? number_of(period_text) : 1000;
	char key[POLICY_LIST_SIZE];
	size_t i = 0;

	if (requests == 0) {
		return;
	}
	while (i + 1 < ARRAY_LEN(windows) && windows[i].milliseconds < period) {
		i++;
	}
	put_letter(writer, 'L');
	put_letter(writer, windows[i].letter);
	put_number(writer, OPTION_RATE_LIMIT_REQUESTS, requests * windows[i].milliseconds / period);
	put_number(writer, OPTION_RATE_LIMIT_STATUS_CODE,
		number_of(get_or_default(writer, OPTION_RATE_LIMIT_STATUS_CODE)));
	put_list(writer, POLICY_SPARE, 'W');
	write_digest(key, "limit", writer->owner->id);
	buf_printf(&writer->members, ",\"rate-limit-key\":\"%s\"", key);
}

/* What is asked, and where, is in auth.map: records have an end. */
static void put_question(struct writer *writer)
{
	if (get(writer, OPTION_AUTH_URL) != NULL) {
		put_letter(writer, 'U');
	}
}

/* Which of them, and where to, is in canary.map. */
static void put_canary(struct writer *writer)
{
	if (get(writer, OPTION_CANARY_SERVICE) != NULL) {
		put_letter(writer, 'c');
	}
}

static void put_capture(struct writer *writer)
{
	const char *lines = get(writer, OPTION_REQUEST_CAPTURE);

	if (lines != NULL) {
		put_letter(writer, 'C');
		put_base64(writer, OPTION_REQUEST_CAPTURE, lines, strlen(lines));
		put_number(writer, OPTION_REQUEST_CAPTURE_LEN,
			number_of(get_or_default(writer, OPTION_REQUEST_CAPTURE_LEN)));
	}
}

static void put_redirect(struct writer *writer)
{
	const char *to = get(writer, OPTION_REQUEST_REDIRECT);

	if (to != NULL) {
		put_letter(writer, 'R');
		put_text(writer, OPTION_REQUEST_REDIRECT, to);
		put_number(writer, OPTION_REQUEST_REDIRECT_CODE,
			number_of(get_or_default(writer, OPTION_REQUEST_REDIRECT_CODE)));
	}
}

/* "GET,PUT" as headers have it: "GET, PUT" */
static void put_joined(struct writer *writer, enum option_id option)
{
	struct buf text = BUF_INIT(0);

	for (const char *c = get_or_default(writer, option); *c != '\0'; c++) {
		buf_append_char(&text, *c);
		if (*c == ',' && c[1] != ' ') {
			buf_append_char(&text, ' ');
		}
	}
	put_text(writer, option, buf_str(&text));
	buf_fini(&text);
}

static void put_cors(struct writer *writer)
{
	const char *origin = get_or_default(writer, OPTION_CORS_ALLOW_ORIGIN);
	const char *age = get(writer, OPTION_CORS_MAX_AGE);

	if (is_true(writer, OPTION_CORS_RESPOND_TO_OPTIONS)) {
		put_letter(writer, 'V');
	}
	if (!is_true(writer, OPTION_CORS_ENABLE)) {
		return;
	}
	put_letter(writer, 'O');
	if (strcmp(origin, "*") != 0) {
		put_letter(writer, 'o');
		put_base64(writer, OPTION_CORS_ALLOW_ORIGIN, origin, strlen(origin));
	}
	if (is_true(writer, OPTION_CORS_ALLOW_CREDENTIALS)) {
		put_letter(writer, 'k');
	}
	put_joined(writer, OPTION_CORS_ALLOW_METHODS);
	put_joined(writer, OPTION_CORS_ALLOW_HEADERS);
	put_number(writer, OPTION_CORS_MAX_AGE, age ? number_of(age) / 1000 : 5);
}

/* A length as HAProxy's peers write it: four bits in the first byte from 240 on, seven in each that
 * follows. */
static void append_length(struct buf *buf, size_t length)
{
	if (length < 240) {
		buf_append_char(buf, (char)length);
		return;
	}
	buf_append_char(buf, (char)(length | 240));
	for (length = (length - 240) >> 4; length >= 128; length = (length - 128) >> 7) {
		buf_append_char(buf, (char)(length | 128));
	}
	buf_append_char(buf, (char)length);
}

/* Where nothing is filled in, "%%" is written out here. */
static void append_value(struct buf *headers, const char *value, size_t len, bool is_filled)
{
	struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < len; i++) {
		buf_append_char(&text, value[i]);
		if (!is_filled && value[i] == '%' && i + 1 < len && value[i + 1] == '%') {
			i++;
		}
	}
	append_length(headers, text.len);
	buf_append(headers, buf_str(&text), text.len);
	buf_fini(&text);
}

/* Lines "Name: value" */
static void put_headers(struct writer *writer, enum option_id option, char letter, char filled)
{
	const char *line = get(writer, option);
	struct buf headers = BUF_INIT(0);

	if (line == NULL) {
		return;
	}
	bool is_filled = strstr(line, "%[") != NULL;
	put_letter(writer, letter);
	if (is_filled) {
		put_letter(writer, filled);
	}
	while (*line != '\0') {
		size_t len = strcspn(line, "\n");
		size_t name_len = strcspn(line, ":");
		size_t value = name_len + 1 + (line[name_len + 1] == ' ');
		assert(name_len < len);
		append_length(&headers, name_len);
		buf_append(&headers, line, name_len);
		append_value(&headers, line + value, value < len ? len - value : 0, is_filled);
		line += len + (line[len] == '\n');
	}
	buf_append(&headers, "\0\0", 2);
	put_base64(writer, option, headers.data, headers.len);
	buf_fini(&headers);
}

static void put_shape(struct writer *writer)
{
	const char *host = get(writer, OPTION_SET_HOST);
	const char *rewrites = get(writer, OPTION_PATH_REWRITE);

	put_headers(writer, OPTION_REQUEST_SET_HEADER, 'H', 'E');
	put_headers(writer, OPTION_RESPONSE_SET_HEADER, 'h', 'e');
	if (host != NULL) {
		put_letter(writer, 'N');
		put_text(writer, OPTION_SET_HOST, host);
	}
	if (rewrites != NULL) {
		put_letter(writer, 'P');
		put_base64(writer, OPTION_PATH_REWRITE, rewrites, strlen(rewrites));
	}
}

static void put_timeouts(struct writer *writer)
{
	static const enum option_id options[] = {OPTION_TIMEOUT_SERVER, OPTION_TIMEOUT_TUNNEL};
	bool has_any = false;

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		const char *value = get(writer, options[i]);
		if (value != NULL) {
			put_number(writer, options[i], number_of(value));
			has_any = true;
		}
	}
	if (has_any) {
		put_letter(writer, 'T');
	}
}

void policy_write(struct policy *ret_policy, const struct policy_owner *owner,
	const struct option_set *const *sets, size_t n_sets)
{
	struct policy policy = {.lacking = OPTION_COUNT};
	struct writer writer = {.sets = sets, .n_sets = n_sets, .policy = &policy, .owner = owner};
	const char *source = get(&writer, OPTION_SRC_IP_HEADER);

	if (source != NULL) {
		put_letter(&writer, 'I');
		put_text(&writer, OPTION_SRC_IP_HEADER, source);
	}
	if (!is_true(&writer, OPTION_FORWARDED_FOR)) {
		put_letter(&writer, 'F');
	}
	put_timeouts(&writer);
	put_access(&writer);
	put_https(&writer);
	put_limit(&writer);
	put_question(&writer);
	put_canary(&writer);
	put_capture(&writer);
	put_redirect(&writer);
	put_cors(&writer);
	put_shape(&writer);
	policy.record = xasprintf("%s|{%s}", buf_str(&writer.letters), buf_str(&writer.members));
	assert(strlen(policy.record) <= POLICY_MAX_RECORD);
	buf_fini(&writer.letters);
	buf_fini(&writer.members);
	*ret_policy = policy;
}

bool policy_is_wanted(const struct option_set *set, bool is_shared)
{
	if (set == NULL) {
		return false;
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		bool is_elsewhere = is_shared && i == OPTION_SSL_REDIRECT;
		if (option_table[i].group != 0 && set->values[i] != NULL && !is_elsewhere) {
			return true;
		}
	}
	return set->is_closed;
}

/* Of an IPv6 network: the first half of its addresses, or one address. */
static void add_ipv6(
	const char *name, const char *text, unsigned length, policy_entry_fn add, void *ctx)
{
	unsigned char bytes[16];
	char key[2 * POLICY_LIST_SIZE + INET6_ADDRSTRLEN];

	assert(length <= 64 || length == 128);
	if (length == 128) {
		snprintf(key, sizeof(key), "%s|%s", name, text);
		add(ctx, MODEL_MAP_ADDRESSES, key);
		return;
	}
	(void)!inet_pton(AF_INET6, text, bytes);
	snprintf(key, sizeof(key), "%s:%x:%x:%x:%x/%u", name + 10, bytes[0] << 8 | bytes[1],
		bytes[2] << 8 | bytes[3], bytes[4] << 8 | bytes[5], bytes[6] << 8 | bytes[7],
		64 + length);
	add(ctx, MODEL_MAP_NETWORKS, key);
}

void policy_list_entries(const char *addresses, policy_entry_fn add, void *ctx)
{
	char name[POLICY_LIST_SIZE];

	policy_name_list(name, addresses);
	while (*addresses != '\0') {
		char text[INET6_ADDRSTRLEN];
		char key[2 * POLICY_LIST_SIZE + INET6_ADDRSTRLEN];
		size_t len = strcspn(addresses, "/");
		unsigned length = (unsigned)strtoul(addresses + len + 1, NULL, 10);
		snprintf(text, sizeof(text), "%.*s", (int)len, addresses);
		if (strchr(text, ':') != NULL) {
			add_ipv6(name, text, length, add, ctx);
		} else {
			snprintf(key, sizeof(key), "%s:%s/%u", name, text, 96 + length);
			add(ctx, MODEL_MAP_NETWORKS, key);
		}
		addresses += strcspn(addresses, " ");
		addresses += *addresses == ' ';
	}
}
