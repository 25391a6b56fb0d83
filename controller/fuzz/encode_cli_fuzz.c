/*
 * Runtime API commands. The oracle is a model of how HAProxy reads its command line (2.6 to 3.4,
 * tried on both): what encode_op() accepts must come back as exactly the words that were meant, on
 * one line, as one command, and begin no payload.
 *
 * Input: texts, each ended by a NUL: the names of the operation and of the map's file, backend,
 * server, address, key, value, map folder, certificate, hosts, PEM.
 */
#include <assert.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz/keywords.h"
#include "fuzz/named.h"
#include "haproxy/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_WORDS 64
#define N_TEXTS	  9

enum { BACKEND, SERVER, ADDRESS, KEY, VALUE, DIR, CERT, HOSTS, PEM };

struct words {
	char *items[MAX_WORDS];
	size_t n;
};

static void add_word(struct words *words, char *word)
{
	assert(words->n < MAX_WORDS);
	words->items[words->n++] = word;
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->n; i++) {
		free(words->items[i]);
	}
}

/* HAProxy's reader: blanks separate, a backslash takes the next byte as it is, an open ';' would
 * begin another command. */
static void read_line(const char *line, struct words *words)
{
	size_t len = strlen(line);
	const char *last = strrchr(line, ' ');

	assert(memchr(line, '\n', len) == NULL && memchr(line, '\r', len) == NULL);
	assert(len <= ENCODE_MAX_LINE);
	assert(len < 2 || strcmp(line + len - 2, "<<") != 0);
	assert(last == NULL || strncmp(last + 1, "<<", 2) != 0);
	while (*line != '\0') {
		struct buf word = BUF_INIT(0);

		line += strspn(line, " \t");
		for (; *line != '\0' && *line != ' ' && *line != '\t'; line++) {
			assert(*line != ';');
			if (*line == '\\') {
				line++;
				assert(*line != '\0');
			}
			buf_append_char(&word, *line);
		}
		add_word(words, buf_take(&word));
	}
}

static void mean_transport(const char *server, struct words *words)
{
	static const char *const h2c[] = {"proto", "h2"};
	static const char *const https[] = {
		"ssl", "verify", "none", "sni", "var(txn.host)", "alpn", "h2,http/1.1"};
	bool is_h2c = fnmatch("?*_h2c", server, 0) == 0;
	bool is_https = fnmatch("?*_https", server, 0) == 0;
	size_t n = is_h2c ? ARRAY_LEN(h2c) : is_https ? ARRAY_LEN(https) : 0;

	for (size_t i = 0; i < n; i++) {
		add_word(words, xstrdup(is_h2c ? h2c[i] : https[i]));
	}
}

static const char *const verbs[PLAN_OP_COUNT] = {
	[PLAN_OP_CA_NEW] = "new",
	[PLAN_OP_CA_SET] = "set",
	[PLAN_OP_CA_COMMIT] = "commit",
	[PLAN_OP_SHOWN_NEW] = "new",
	[PLAN_OP_SHOWN_SET] = "set",
	[PLAN_OP_SHOWN_COMMIT] = "commit",
	[PLAN_OP_BACKEND_ADD] = "add",
	[PLAN_OP_BACKEND_PUBLISH] = "publish",
	[PLAN_OP_SERVER_ADD] = "add",
	[PLAN_OP_SERVER_ADDRESS] = "set",
	[PLAN_OP_SERVER_CHECK] = "enable",
	[PLAN_OP_SERVER_ENABLE] = "enable",
	[PLAN_OP_CERT_NEW] = "new",
	[PLAN_OP_CERT_SET] = "set",
	[PLAN_OP_CERT_COMMIT] = "commit",
	[PLAN_OP_CERT_LIST] = "add",
	[PLAN_OP_MAP_ADD] = "add",
	[PLAN_OP_MAP_SET] = "set",
	[PLAN_OP_MAP_DEL] = "del",
	[PLAN_OP_CERT_UNLIST] = "del",
	[PLAN_OP_CERT_DEL] = "del",
	[PLAN_OP_SERVER_DRAIN] = "set",
	[PLAN_OP_SERVER_DISABLE] = "disable",
	[PLAN_OP_SERVER_DEL] = "del",
	[PLAN_OP_BACKEND_UNPUBLISH] = "unpublish",
	[PLAN_OP_BACKEND_DEL] = "del",
	[PLAN_OP_CA_DEL] = "del",
	[PLAN_OP_SHOWN_DEL] = "del",
};

/* Is it about a file of certificates: one that clients get, authorities, one that pods are shown?
 */
static bool is_of_certificates(enum plan_op_kind kind)
{
	return fnmatch("certificate-*", plan_ops[kind].name, 0) == 0 ||
	       fnmatch("ca-*", plan_ops[kind].name, 0) == 0 ||
	       fnmatch("pod-certificate-*", plan_ops[kind].name, 0) == 0;
}

static void mean_certificate(
	const struct plan_op *op, const char *const texts[N_TEXTS], struct words *words)
{
	bool has_list = op->kind == PLAN_OP_CERT_LIST || op->kind == PLAN_OP_CERT_UNLIST;
	bool is_ca = fnmatch("ca-*", plan_ops[op->kind].name, 0) == 0;

	add_word(words, xstrdup("ssl"));
	add_word(words, xstrdup(has_list ? "crt-list" : is_ca ? "ca-file" : "cert"));
	if (has_list) {
		add_word(words, xasprintf("%s/certs.list", texts[DIR]));
	}
	if (op->kind != PLAN_OP_CERT_LIST) {
		add_word(words, xasprintf("%s/certs/%s.pem", texts[DIR], texts[CERT]));
	}
}

/* What the operation means, word by word, written without the encoder's templates. */
static void mean(const struct plan_op *op, const char *const texts[N_TEXTS], struct words *words)
{
	bool is_map = op->kind >= PLAN_OP_MAP_ADD && op->kind <= PLAN_OP_MAP_DEL;
	bool is_server = strncmp(plan_ops[op->kind].name, "server", 6) == 0;

	assert(verbs[op->kind] != NULL);
	add_word(words, xstrdup(verbs[op->kind]));
	if (is_of_certificates(op->kind)) {
		mean_certificate(op, texts, words);
		return;
	}
	if (is_map) {
		add_word(words, xstrdup("map"));
		add_word(words, xasprintf("%s/%s", texts[DIR], model_map_files[op->map]));
		add_word(words, xstrdup(texts[KEY]));
		if (op->kind != PLAN_OP_MAP_DEL) {
			add_word(words, xstrdup(texts[VALUE]));
		}
		return;
	}
	const char *what = op->kind == PLAN_OP_SERVER_CHECK ? "health" : "server";
	add_word(words, xstrdup(is_server ? what : "backend"));
	add_word(words, is_server ? xasprintf("%s/%s", texts[BACKEND], texts[SERVER])
				  : xstrdup(texts[BACKEND]));
	if (op->kind == PLAN_OP_BACKEND_ADD) {
		add_word(words, xstrdup("from"));
		add_word(words, xstrdup("http_profile"));
	} else if (op->kind == PLAN_OP_SERVER_ADD) {
		static const char *const keywords[] = {
			"pool-max-conn", "-1", "pool-purge-delay", "5s"};

		add_word(words, xstrdup(texts[ADDRESS]));
		for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
			add_word(words, xstrdup(keywords[i]));
		}
		mean_transport(texts[SERVER], words);
	} else if (op->kind == PLAN_OP_SERVER_DRAIN) {
		add_word(words, xstrdup("state"));
		add_word(words, xstrdup("drain"));
	} else if (op->kind == PLAN_OP_SERVER_ADDRESS) {
		const char *colon = strrchr(texts[ADDRESS], ':');
		bool is_six = texts[ADDRESS][0] == '[';

		assert(colon != NULL);
		add_word(words, xstrdup("addr"));
		add_word(words, xstrndup(texts[ADDRESS] + is_six,
					(size_t)(colon - texts[ADDRESS]) - 2 * is_six));
		add_word(words, xstrdup("port"));
		add_word(words, xstrdup(colon + 1));
	}
}

static void check(const char *line, const struct plan_op *op, const char *const texts[N_TEXTS])
{
	struct words read = {0};
	struct words meant = {0};

	read_line(line, &read);
	if (strchr(texts[BACKEND], ':') != NULL && op->kind == PLAN_OP_BACKEND_ADD) {
		assert(read.n == 5);
		keywords_check_profile(read.items[4]);
		free_words(&read);
		return;
	}
	if (strchr(texts[BACKEND], ':') != NULL && op->kind == PLAN_OP_SERVER_ADD) {
		assert(read.n > 4);
		keywords_check_server(read.items + 4, read.n - 4);
		free_words(&read);
		return;
	}
	mean(op, texts, &meant);
	assert(read.n == meant.n);
	for (size_t i = 0; i < read.n; i++) {
		assert(strcmp(read.items[i], meant.items[i]) == 0);
		assert(read.items[i][0] != '\0');
	}
	free_words(&read);
	free_words(&meant);
}

/*
 * HAProxy's reader of a payload: it ends at the first empty line. What is in it is what was given,
 * and not one byte is left to be read as a command.
 */
static void check_payload(const struct plan_op *op, const char *const texts[N_TEXTS])
{
	struct buf line = BUF_INIT(0);
	struct buf payload = {.is_secret = true};

	bool is_ok = encode_op(&line, op, texts[DIR]);
	if (encode_payload(&payload, op, texts[DIR])) {
		char *meant =
			xasprintf("%s/certs/%s.pem %s\n", texts[DIR], texts[CERT], texts[HOSTS]);
		const char *text = buf_str(&payload);

		assert(is_ok);
		bool is_content = op->kind != PLAN_OP_CERT_LIST;
		assert(strcmp(text, is_content ? texts[PEM] : meant) == 0);
		free(meant);
		assert(text[0] != '\n' && strstr(text, "\n\n") == NULL);
		assert(text[payload.len - 1] == '\n' && strlen(text) == payload.len);
		assert(strpbrk(text, "\r\t;#<\\\"[]") == NULL);
		/* A name that is kept out begins with it; it stands nowhere else. */
		for (const char *mark = strchr(text, '!'); mark != NULL;
			mark = strchr(mark + 1, '!')) {
			assert(!is_content && mark[-1] == ' ');
		}
		assert(line.len + payload.len <= ENCODE_MAX_LINE);
		assert(is_content || strchr(text, '\n') == text + payload.len - 1);
	} else {
		assert(payload.len == 0);
	}
	buf_fini(&line);
	buf_fini(&payload);
}

/* What is left of the input. */
struct input {
	const char *data;
	size_t size;
};

/* Up to the next NUL, or the end; "" when nothing is left. Owned. */
static char *take_text(struct input *input)
{
	size_t len = input->size > 0 ? strnlen(input->data, input->size) : 0;
	char *text = xstrndup(len > 0 ? input->data : "", len);
	size_t taken = len < input->size ? len + 1 : input->size;

	input->data += taken;
	input->size -= taken;
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {(const char *)data, size};
	char *op_name = take_text(&input);
	char *map_name = take_text(&input);
	char *texts[N_TEXTS];

	for (size_t i = 0; i < N_TEXTS; i++) {
		texts[i] = take_text(&input);
	}
	struct plan_op op = {.kind = named_op(op_name, strlen(op_name)),
		.map = named_map(map_name),
		.backend = texts[BACKEND],
		.server = texts[SERVER],
		.address = texts[ADDRESS],
		.key = texts[KEY],
		.value = texts[VALUE],
		.certificate = texts[CERT],
		.hosts = texts[HOSTS],
		.pem = texts[PEM]};
	struct buf buf = BUF_INIT(0);

	buf_append_str(&buf, "before|");
	if (encode_op(&buf, &op, texts[DIR])) {
		assert(strncmp(buf_str(&buf), "before|", 7) == 0);
		check(buf_str(&buf) + 7, &op, (const char *const *)texts);
	} else {
		assert(strcmp(buf_str(&buf), "before|") == 0 && buf.len == 7 && buf_is_ok(&buf));
	}
	buf_fini(&buf);
	if (encode_has_payload(op.kind)) {
		check_payload(&op, (const char *const *)texts);
	}
	for (size_t i = 0; i < N_TEXTS; i++) {
		free(texts[i]);
	}
	free(op_name);
	free(map_name);
	return 0;
}
