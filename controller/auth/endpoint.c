/* See endpoint.h. Called by entrance.c. Must not know what a policy is, nor where users come from.
 */
#include "auth/endpoint.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/password.h"
#include "auth/users.h"
#include "auth/verifier.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/metrics.h"

#define BACKLOG	      64
#define PAUSE_SECONDS 1
#define DIGEST_SIZE   32
#define SALT_SIZE     16

struct question {
	struct question *next; /* of the check that it waits for */
	/* Until it waits: */
	const char *policy;
	const char *users;
	const char *authorization;
	struct connection *connection; /* it is a part of; NULL = it is asked from inside, and … */
	endpoint_answer_fn on_answer;  /* … this is called */
	void *ctx;
};

struct connection {
	struct connection *next; /* of the endpoint */
	struct endpoint *endpoint;
	int fd;
	struct event *event;
	size_t len;
	char buffer[ENDPOINT_MAX_REQUEST + 1]; /* wiped when freed */
	struct question question; /* texts of the buffer, when it is whole; NULL = absent */
};

/* What the verifier is asked: by one question or more. */
struct check {
	struct check *next;
	struct endpoint *endpoint;
	struct question *waiting;
	unsigned char digest[DIGEST_SIZE];
	bool is_nobody; /* there is no such user, and it is never right */
	bool is_current;
};

struct remembered {
	unsigned char digest[DIGEST_SIZE];
	uint64_t until_ms;
};

struct endpoint {
	struct event_base *base;
	char *path; /* owned; NULL = not bound */
	int fd;
	struct event *event;
	struct event *retry; /* accepts again */
	struct connection *reading;
	size_t n_connections;
	struct check *checks;
	struct verifier *verifier;
	endpoint_find_fn find;
	void *ctx;
	unsigned char salt[SALT_SIZE];
	struct remembered *remembered; /* ENDPOINT_REMEMBER_MAX */
	size_t next_remembered;	       /* the place that was not written for longest */
};

/* Name and password, decoded; wiped when freed. */
struct credentials {
	char *text; /* owned: the name; NULL = these are none */
	size_t size;
	const char *password;
};

static void on_accept(evutil_socket_t fd, short events, void *ctx);
static void on_retry(evutil_socket_t fd, short events, void *ctx);
static void on_read(evutil_socket_t fd, short events, void *ctx);
static void answer(struct endpoint *endpoint, struct question *question, bool is_whole);

/* ---- the socket ---- */

static int bind_socket(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		err_set(err, ERR_INPUT, "%s is longer than the path of a socket may be", path);
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Nobody can connect before it listens. */
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		chmod(path, S_IRUSR | S_IWUSR) != 0 || listen(fd, BACKLOG) != 0) {
		err_set(err, ERR_INPUT, "can't listen on %s: %s", path, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return -1;
	}
	return fd;
}

struct endpoint *endpoint_open(struct event_base *base, const char *path, endpoint_find_fn find,
	void *ctx, struct err *err)
{
	struct endpoint *endpoint = xcalloc(1, sizeof(*endpoint));

	endpoint->base = base;
	endpoint->find = find;
	endpoint->ctx = ctx;
	endpoint->remembered = xcalloc(ENDPOINT_REMEMBER_MAX, sizeof(struct remembered));
	assert(RAND_bytes(endpoint->salt, sizeof(endpoint->salt)) == 1);
	endpoint->fd = bind_socket(path, err);
	if (endpoint->fd < 0) {
		endpoint_close(endpoint);
		return NULL;
	}
	endpoint->path = xstrdup(path);
	endpoint->event = event_new(base, endpoint->fd, EV_READ | EV_PERSIST, on_accept, endpoint);
	endpoint->retry = evtimer_new(base, on_retry, endpoint);
	assert(endpoint->event != NULL && endpoint->retry != NULL);
	event_add(endpoint->event, NULL);
	endpoint->verifier = verifier_new(base, err);
	if (endpoint->verifier == NULL) {
		endpoint_close(endpoint);
		return NULL;
	}
	return endpoint;
}

static void free_connection(struct connection *connection)
{
	connection->endpoint->n_connections--;
	event_free(connection->event);
	close(connection->fd);
	OPENSSL_cleanse(connection->buffer, sizeof(connection->buffer));
	free(connection);
}

/* Nobody gets an answer any more. */
static void free_questions(struct question *question)
{
	while (question != NULL) {
		struct question *next = question->next;
		if (question->connection != NULL) {
			free_connection(question->connection);
		} else {
			free(question);
		}
		question = next;
	}
}

void endpoint_close(struct endpoint *endpoint)
{
	if (endpoint == NULL) {
		return;
	}
	verifier_free(endpoint->verifier);
	while (endpoint->reading != NULL) {
		struct connection *connection = endpoint->reading;
		endpoint->reading = connection->next;
		free_connection(connection);
	}
	while (endpoint->checks != NULL) {
		struct check *check = endpoint->checks;
		endpoint->checks = check->next;
		free_questions(check->waiting);
		free(check);
	}
	if (endpoint->event != NULL) {
		event_free(endpoint->event);
		event_free(endpoint->retry);
	}
	if (endpoint->fd >= 0) {
		close(endpoint->fd);
	}
	if (endpoint->path != NULL) {
		unlink(endpoint->path);
	}
	OPENSSL_cleanse(endpoint->remembered, ENDPOINT_REMEMBER_MAX * sizeof(struct remembered));
	free(endpoint->remembered);
	free(endpoint->path);
	free(endpoint);
}

void endpoint_ask(struct endpoint *endpoint, const struct endpoint_question *asked)
{
	struct question *question = xcalloc(1, sizeof(*question));

	*question = (struct question){.policy = asked->policy,
		.users = "",
		.authorization = asked->authorization,
		.on_answer = asked->on_answer,
		.ctx = asked->ctx};
	answer(endpoint, question, true);
}

static void on_retry(evutil_socket_t fd, short events, void *ctx)
{
	const struct endpoint *endpoint = ctx;

	(void)fd;
	(void)events;
	event_add(endpoint->event, NULL);
}

static void on_accept(evutil_socket_t fd, short events, void *ctx)
{
	static const struct timeval pause = {.tv_sec = PAUSE_SECONDS};
	static const struct timeval limit = {.tv_sec = ENDPOINT_SECONDS};
	struct endpoint *endpoint = ctx;

	(void)events;
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (accepted < 0) {
		/* To ask the kernel again at once would only turn in circles. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			event_del(endpoint->event);
			evtimer_add(endpoint->retry, &pause);
		}
		return;
	}
	if (endpoint->n_connections == ENDPOINT_MAX_CONNECTIONS) {
		close(accepted);
		return;
	}
	struct connection *connection = xcalloc(1, sizeof(*connection));
	connection->endpoint = endpoint;
	connection->question.connection = connection;
	connection->fd = accepted;
	connection->event =
		event_new(endpoint->base, accepted, EV_READ | EV_PERSIST, on_read, connection);
	assert(connection->event != NULL);
	connection->next = endpoint->reading;
	endpoint->reading = connection;
	endpoint->n_connections++;
	event_add(connection->event, &limit);
}

/* It is the caller's then. */
static void take_out(struct connection *connection)
{
	struct connection **link = &connection->endpoint->reading;

	while (*link != connection) {
		link = &(*link)->next;
	}
	*link = connection->next;
	connection->next = NULL;
	event_del(connection->event);
}

static void reply(struct connection *connection, enum endpoint_answer answer)
{
	char text[100];
	int len = snprintf(text, sizeof(text),
		"HTTP/1.1 %d -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (int)answer);

	/* So little always fits; and who is gone needs none. */
	(void)send(connection->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
	free_connection(connection);
}

/* Takes the question. */
static void answer_question(struct question *question, enum endpoint_answer answer)
{
	if (question->connection != NULL) {
		reply(question->connection, answer);
		return;
	}
	endpoint_answer_fn on_answer = question->on_answer;
	void *ctx = question->ctx;
	free(question);
	on_answer(ctx, answer);
}

/* ---- requests ---- */

/* Cuts the buffer into lines. */
static bool parse_request(struct connection *connection)
{
	struct question *question = &connection->question;
	const struct {
		const char *name;
		const char **value;
	} headers[] = {{"x-policy:", &question->policy}, {"x-users:", &question->users},
		{"authorization:", &question->authorization}};
	char *line = connection->buffer;

	if (strlen(line) != connection->len || strncmp(line, "GET / ", strlen("GET / ")) != 0) {
		return false;
	}
	for (char *end; (end = strstr(line, "\r\n")) != NULL && end != line; line = end + 2) {
		*end = '\0';
		for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
			size_t len = strlen(headers[i].name);
			if (strncasecmp(line, headers[i].name, len) == 0) {
				*headers[i].value = line + len + strspn(line + len, " \t");
			}
		}
	}
	return question->policy && question->users && question->authorization;
}

static void credentials_fini(struct credentials *credentials)
{
	if (credentials->text != NULL) {
		OPENSSL_cleanse(credentials->text, credentials->size);
	}
	free(credentials->text);
}

/* Base64, as it came. Returns how many bytes, -1 = it is none. */
static int decode(const char *text, char *ret_bytes)
{
	EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
	int n = 0;
	int n_last = 0;

	EVP_DecodeInit(ctx);
	bool is_ok = EVP_DecodeUpdate(ctx, (unsigned char *)ret_bytes, &n,
			     (const unsigned char *)text, (int)strlen(text)) >= 0 &&
		     EVP_DecodeFinal(ctx, (unsigned char *)ret_bytes + n, &n_last) >= 0;
	EVP_ENCODE_CTX_free(ctx); /* wipes */
	return is_ok ? n + n_last : -1;
}

static bool read_credentials(const char *authorization, struct credentials *ret_credentials)
{
	static const char scheme[] = "Basic ";

	if (strncasecmp(authorization, scheme, strlen(scheme)) != 0) {
		return false;
	}
	authorization += strlen(scheme);
	authorization += strspn(authorization, " ");
	struct credentials credentials = {.size = strlen(authorization) + 4};
	credentials.text = xcalloc(1, credentials.size);
	int n = decode(authorization, credentials.text);
	char *colon = n >= 0 ? strchr(credentials.text, ':') : NULL;
	if (colon == NULL || strlen(credentials.text) != (size_t)n ||
		colon - credentials.text > USERS_MAX_NAME || strlen(colon + 1) > PASSWORD_MAX_LEN) {
		credentials_fini(&credentials);
		return false;
	}
	*colon = '\0';
	credentials.password = colon + 1;
	*ret_credentials = credentials;
	return true;
}

/* ---- what was right before ---- */

static void make_digest(const struct endpoint *endpoint, const struct endpoint_users *users,
	const char *authorization, unsigned char ret_digest[DIGEST_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert(ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
		EVP_DigestUpdate(ctx, endpoint->salt, sizeof(endpoint->salt)) == 1 &&
		EVP_DigestUpdate(ctx, users->version, strlen(users->version) + 1) == 1 &&
		EVP_DigestUpdate(ctx, authorization, strlen(authorization)) == 1 &&
		EVP_DigestFinal_ex(ctx, ret_digest, NULL) == 1);
	EVP_MD_CTX_free(ctx);
}

static bool is_remembered(
	const struct endpoint *endpoint, const unsigned char digest[DIGEST_SIZE], uint64_t now_ms)
{
	for (size_t i = 0; i < ENDPOINT_REMEMBER_MAX; i++) {
		const struct remembered *one = &endpoint->remembered[i];
		if (one->until_ms > now_ms && memcmp(one->digest, digest, DIGEST_SIZE) == 0) {
			return true;
		}
	}
	return false;
}

static void remember(struct endpoint *endpoint, const unsigned char digest[DIGEST_SIZE])
{
	struct remembered *place = &endpoint->remembered[endpoint->next_remembered];

	endpoint->next_remembered = (endpoint->next_remembered + 1) % ENDPOINT_REMEMBER_MAX;
	memcpy(place->digest, digest, DIGEST_SIZE);
	place->until_ms = clock_now_ms() + ENDPOINT_REMEMBER_SECONDS * 1000u;
}

/* ---- answers ---- */

static void count_check(const char *result)
{
	metrics_add(METRIC_PASSWORD_CHECKS, result, 1);
}

static void remove_check(struct check *check)
{
	struct check **link = &check->endpoint->checks;

	while (*link != check) {
		link = &(*link)->next;
	}
	*link = check->next;
}

static void on_checked(void *ctx, bool is_right)
{
	struct check *check = ctx;
	bool is_in = is_right && !check->is_nobody;
	enum endpoint_answer yes = check->is_current ? ENDPOINT_YES : ENDPOINT_YES_ONCE;

	remove_check(check);
	count_check(is_in ? "right" : "wrong");
	if (is_in) {
		remember(check->endpoint, check->digest);
	}
	while (check->waiting != NULL) {
		struct question *question = check->waiting;
		check->waiting = question->next;
		answer_question(question, is_in ? yes : ENDPOINT_NO);
	}
	free(check);
}

static struct check *find_check(
	const struct endpoint *endpoint, const unsigned char digest[DIGEST_SIZE], bool is_current)
{
	struct check *check = endpoint->checks;

	while (check != NULL && (memcmp(check->digest, digest, DIGEST_SIZE) != 0 ||
					check->is_current != is_current)) {
		check = check->next;
	}
	return check;
}

static void wait_for(struct check *check, struct question *question)
{
	question->next = check->waiting;
	check->waiting = question;
}

static void free_secret_text(char *text)
{
	if (text != NULL) {
		OPENSSL_cleanse(text, strlen(text));
	}
	free(text);
}

/* Asks the verifier; `wanted` has everything but the question. */
static void begin_check(struct question *question, const struct check *wanted,
	const struct endpoint_users *users, const struct credentials *credentials)
{
	struct endpoint *endpoint = wanted->endpoint;
	struct check *check = xcalloc(1, sizeof(*check));
	char *hash = users_find(users->text, credentials->text);

	*check = *wanted;
	check->is_nobody = hash == NULL;
	hash = hash ? hash : users_first(users->text);
	bool is_taken =
		verifier_ask(endpoint->verifier, &(struct verifier_question){question->policy, hash,
							 credentials->password, on_checked, check});
	free_secret_text(hash);
	if (!is_taken) {
		count_check("refused");
		free(check);
		answer_question(question, ENDPOINT_UNKNOWN);
		return;
	}
	check->next = endpoint->checks;
	endpoint->checks = check;
	wait_for(check, question);
}

static void decide(struct endpoint *endpoint, struct question *question,
	const struct endpoint_users *users, const struct credentials *credentials)
{
	struct check wanted = {
		.endpoint = endpoint, .is_current = strcmp(users->name, question->users) == 0};

	make_digest(endpoint, users, question->authorization, wanted.digest);
	if (is_remembered(endpoint, wanted.digest, clock_now_ms())) {
		count_check("remembered");
		answer_question(question, wanted.is_current ? ENDPOINT_YES : ENDPOINT_YES_ONCE);
		return;
	}
	struct check *same = find_check(endpoint, wanted.digest, wanted.is_current);
	if (same != NULL) {
		wait_for(same, question);
		return;
	}
	begin_check(question, &wanted, users, credentials);
}

/* `is_whole`: it has all that a question needs. */
static void answer(struct endpoint *endpoint, struct question *question, bool is_whole)
{
	struct endpoint_users users;
	struct credentials credentials = {0};

	if (!is_whole || !endpoint->find(endpoint->ctx, question->policy, &users)) {
		count_check("unknown");
		answer_question(question, ENDPOINT_UNKNOWN);
		return;
	}
	if (!read_credentials(question->authorization, &credentials)) {
		count_check("wrong");
		answer_question(question, ENDPOINT_NO);
		return;
	}
	decide(endpoint, question, &users, &credentials);
	credentials_fini(&credentials);
}

static void on_read(evutil_socket_t fd, short events, void *ctx)
{
	struct connection *connection = ctx;
	size_t room = ENDPOINT_MAX_REQUEST - connection->len;
	ssize_t n = -1;

	if ((events & EV_TIMEOUT) == 0) {
		n = recv(fd, connection->buffer + connection->len, room, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
			return;
		}
	}
	if (n > 0) {
		connection->len += (size_t)n;
		connection->buffer[connection->len] = '\0';
	}
	bool is_whole = n > 0 && strstr(connection->buffer, "\r\n\r\n") != NULL;
	if (is_whole) {
		take_out(connection);
		answer(connection->endpoint, &connection->question, parse_request(connection));
	} else if (n <= 0 || connection->len == ENDPOINT_MAX_REQUEST) {
		take_out(connection);
		reply(connection, ENDPOINT_UNKNOWN);
	}
}
