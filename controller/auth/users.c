/* See users.h. Called by kube/secret.c, and by endpoint.c to look users up. */
#include "auth/users.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "base/buf.h"

#define FILE_KEY "auth"

/* One user; borrowed from the pairs. */
struct user {
	const char *name;
	size_t name_len;
	const char *hash;
	size_t hash_len;
	size_t order; /* of two with one name the lower one goes first; 0 = a key of its own */
};

struct reader {
	struct user *users;
	size_t n;
	size_t n_allocated;
	size_t n_faults;
	struct users *result;
};

static void add_fault(struct reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_fault(struct reader *reader, const char *format, ...)
{
	va_list args;

	if (reader->n_faults++ > 0) {
		return;
	}
	struct buf text = BUF_INIT(0);
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	reader->result->fault = buf_take(&text);
}

static bool is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];
		if (c < ' ' || c == 0x7f || c == ':') {
			return false;
		}
	}
	return len > 0 && len <= USERS_MAX_NAME;
}

static void add_user(struct reader *reader, const struct user *user)
{
	if (reader->n == USERS_MAX) {
		add_fault(reader, "it has more than %d users: spread them over several Secrets",
			USERS_MAX);
		return;
	}
	if (reader->n == reader->n_allocated) {
		reader->n_allocated = reader->n_allocated ? 2 * reader->n_allocated : 8;
		reader->users =
			xreallocarray(reader->users, reader->n_allocated, sizeof(*reader->users));
	}
	reader->users[reader->n++] = *user;
}

static void read_line(struct reader *reader, const char *line, size_t len, size_t number)
{
	const char *colon = memchr(line, ':', len);
	struct user user = {.name = line, .order = number};

	if (len == 0 || line[0] == '#') {
		return;
	}
	user.name_len = colon ? (size_t)(colon - line) : 0;
	if (!is_name(line, user.name_len)) {
		add_fault(reader,
			"data[" FILE_KEY "] line %zu has no user, of 1 to %d bytes, "
			"before a ':': write user:hash",
			number, USERS_MAX_NAME);
		return;
	}
	user.hash = colon + 1;
	user.hash_len = len - user.name_len - 1;
	const char *end = memchr(user.hash, ':', user.hash_len);
	user.hash_len = end ? (size_t)(end - user.hash) : user.hash_len;
	const char *fault = password_fault(user.hash, user.hash_len);
	if (fault != NULL) {
		add_fault(reader, "the hash in data[" FILE_KEY "] line %zu %s", number, fault);
		return;
	}
	add_user(reader, &user);
}

static size_t without_return(const char *line, size_t len)
{
	return len > 0 && line[len - 1] == '\r' ? len - 1 : len;
}

static void read_file(struct reader *reader, const char *text, size_t len)
{
	const char *end = text + len;
	size_t number = 0;

	while (text < end) {
		const char *feed = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = (size_t)((feed ? feed : end) - text);
		read_line(reader, text, without_return(text, line_len), ++number);
		text += line_len + (feed ? 1 : 0);
	}
}

static void read_pair(struct reader *reader, const struct users_pair *pair)
{
	struct user user = {pair->key, strlen(pair->key), pair->value, pair->value_len, 0};

	if (strcmp(pair->key, FILE_KEY) == 0 && memchr(pair->value, ':', pair->value_len) != NULL) {
		read_file(reader, pair->value, pair->value_len);
		return;
	}
	if (user.hash_len > 0 && user.hash[user.hash_len - 1] == '\n') {
		user.hash_len = without_return(user.hash, user.hash_len - 1);
	}
	if (user.hash_len == 0) {
		return;
	}
	const char *fault = password_fault(user.hash, user.hash_len);
	if (fault != NULL || !is_name(user.name, user.name_len)) {
		add_fault(reader, "the value of data[%.*s] %s", USERS_MAX_NAME, pair->key,
			fault ? fault : "is of a user whose name is too long: shorten it");
		return;
	}
	add_user(reader, &user);
}

static int compare_users(const void *a, const void *b)
{
	const struct user *left = a;
	const struct user *right = b;
	size_t len = left->name_len < right->name_len ? left->name_len : right->name_len;
	int order = memcmp(left->name, right->name, len);

	if (order == 0 && left->name_len != right->name_len) {
		order = left->name_len < right->name_len ? -1 : 1;
	}
	if (order == 0 && left->order != right->order) {
		order = left->order < right->order ? -1 : 1;
	}
	return order;
}

static bool is_same_name(const struct user *a, const struct user *b)
{
	return a->name_len == b->name_len && memcmp(a->name, b->name, a->name_len) == 0;
}

static void write_text(struct reader *reader)
{
	struct buf text = BUF_INIT(0);

	text.is_secret = true;
	qsort(reader->users, reader->n, sizeof(*reader->users), compare_users);
	for (size_t i = 0; i < reader->n; i++) {
		const struct user *user = &reader->users[i];
		if (i > 0 && is_same_name(user, user - 1)) {
			continue;
		}
		buf_append(&text, user->name, user->name_len);
		buf_append_char(&text, ':');
		buf_append(&text, user->hash, user->hash_len);
		buf_append_char(&text, '\n');
		reader->result->n++;
	}
	reader->result->text = buf_take(&text);
}

static int compare_pairs(const void *a, const void *b)
{
	const struct users_pair *const *left = a;
	const struct users_pair *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

void users_read(struct users *ret_users, const struct users_pair *pairs, size_t n)
{
	struct users users = {0};
	struct reader reader = {.result = &users};
	CLEANUP(free_ptr)
	const struct users_pair **sorted = xcalloc(n + 1, sizeof(struct users_pair *));

	for (size_t i = 0; i < n; i++) {
		sorted[i] = &pairs[i];
	}
	qsort(sorted, n, sizeof(*sorted), compare_pairs);
	for (size_t i = 0; i < n; i++) {
		read_pair(&reader, sorted[i]);
	}
	if (reader.n > 0) {
		write_text(&reader);
	}
	if (reader.n == 0 && users.fault == NULL) {
		users.fault = xstrdup("it has no users: store a key a user, or what htpasswd "
				      "writes in the key " FILE_KEY);
	}
	if (reader.n_faults > 1) {
		char *first = users.fault;
		users.fault = xasprintf("%s (and %zu more)", first, reader.n_faults - 1);
		free(first);
	}
	free(reader.users);
	*ret_users = users;
}

void users_fini(struct users *users)
{
	if (users->text != NULL) {
		OPENSSL_cleanse(users->text, strlen(users->text));
	}
	free(users->text);
	free(users->fault);
	*users = (struct users){0};
}

static char *copy_hash(const char *hash)
{
	return xstrndup(hash, strcspn(hash, "\n"));
}

char *users_find(const char *text, const char *name)
{
	size_t len = strlen(name);

	while (*text != '\0') {
		const char *colon = strchr(text, ':');
		if ((size_t)(colon - text) == len && memcmp(text, name, len) == 0) {
			return copy_hash(colon + 1);
		}
		text = strchr(colon, '\n') + 1;
	}
	return NULL;
}

char *users_first(const char *text)
{
	return copy_hash(strchr(text, ':') + 1);
}
