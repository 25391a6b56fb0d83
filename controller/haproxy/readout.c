/* See readout.h. One row an answer in kinds[]. */
#include "haproxy/readout.h"

#include <arpa/inet.h>
#include <string.h>

#include "haproxy/encode.h"

#define MAX_LINE    (32 * 1024)
#define MAX_COLUMNS 64

/* The variable of haproxy-cfg/00-digest.cfg. */
#define CONFIGURATION_MARK "HEADGATE_CONFIGURATION"

/* srv_admin_state says "was disabled in the configuration" in this bit, even after `enable server`.
 */
#define ADMIN_WAS_DISABLED 4ul
/* It was told to drain. */
#define ADMIN_DRAIN 8ul

/* HAProxy says where they are. */
static const char *const column_names[READOUT_COLUMN_COUNT] = {
	[READOUT_COLUMN_BACKEND] = "be_name",
	[READOUT_COLUMN_SERVER] = "srv_name",
	[READOUT_COLUMN_ADDRESS] = "srv_addr",
	[READOUT_COLUMN_ADMIN] = "srv_admin_state",
	[READOUT_COLUMN_PORT] = "srv_port",
};

struct kind {
	const char *command;
	bool (*parse)(struct readout *readout, char *line, struct fact *fact);
	bool (*is_complete)(const struct readout *readout);
};

static bool parse_info(struct readout *readout, char *line, struct fact *fact);
static bool parse_help(struct readout *readout, char *line, struct fact *fact);
static bool parse_backend(struct readout *readout, char *line, struct fact *fact);
static bool parse_server(struct readout *readout, char *line, struct fact *fact);
static bool parse_entry(struct readout *readout, char *line, struct fact *fact);
static bool parse_list(struct readout *readout, char *line, struct fact *fact);
static bool parse_certificate(struct readout *readout, char *line, struct fact *fact);
static bool parse_authorities(struct readout *readout, char *line, struct fact *fact);
static bool parse_default(struct readout *readout, char *line, struct fact *fact);
static bool parse_settings(struct readout *readout, char *line, struct fact *fact);
static bool parse_configuration(struct readout *readout, char *line, struct fact *fact);
static bool parse_ports(struct readout *readout, char *line, struct fact *fact);
static bool has_lines(const struct readout *readout);
static bool has_columns(const struct readout *readout);

/* is_complete NULL: an answer without any line is one, too. */
static const struct kind kinds[] = {
	[READOUT_INFO] = {"show info", parse_info, has_lines},
	[READOUT_HELP] = {"help", parse_help, has_lines},
	[READOUT_BACKENDS] = {"show backend", parse_backend, has_lines},
	[READOUT_SERVERS] = {"show servers state", parse_server, has_columns},
	[READOUT_SERVERS_OF] = {"show servers state ", parse_server, has_columns},
	[READOUT_MAP] = {"show map ", parse_entry, NULL},
	[READOUT_LIST] = {"show ssl crt-list -n ", parse_list, has_lines},
	[READOUT_CERTIFICATES] = {"show ssl cert", parse_certificate, NULL},
	[READOUT_AUTHORITIES] = {"show ssl ca-file", parse_authorities, NULL},
	[READOUT_DEFAULT] = {"show ssl cert ", parse_default, has_lines},
	[READOUT_SETTINGS] = {"show env " ENCODE_SETTINGS_MARK, parse_settings, has_lines},
	[READOUT_CONFIGURATION] = {"show env " CONFIGURATION_MARK, parse_configuration, has_lines},
	[READOUT_PORTS] = {"show env " ENCODE_PORTS, parse_ports, has_lines},
};

void readout_init(struct readout *readout, const char *map_dir)
{
	*readout = (struct readout){.map_dir = map_dir};
	buf_init(&readout->scratch, MAX_LINE);
}

void readout_fini(struct readout *readout)
{
	buf_fini(&readout->scratch);
	buf_fini(&readout->address);
	buf_fini(&readout->columns_line);
}

bool readout_ask(struct buf *buf, const struct readout_question *question, const char *map_dir)
{
	buf_append_str(buf, kinds[question->kind].command);
	switch (question->kind) {
	case READOUT_SERVERS_OF:
		return encode_cli_word(buf, question->backend);
	case READOUT_MAP:
		return encode_cli_map(buf, question->map, map_dir);
	case READOUT_LIST:
		return encode_cli_list(buf, map_dir);
	case READOUT_DEFAULT:
		return encode_cli_certificate(buf, MODEL_CERTIFICATE_DEFAULT, map_dir);
	default:
		return true;
	}
}

void readout_begin(struct readout *readout, enum readout_kind kind)
{
	readout->kind = kind;
	readout->n_lines = 0;
	readout->n_columns = 0;
	readout->is_transaction = false;
}

bool readout_line(struct readout *readout, const char *line, struct fact *ret_fact)
{
	struct fact fact = {0};

	readout->n_lines++;
	buf_clear(&readout->scratch);
	/* With its NUL, so that an empty line has memory to be taken apart in, too. */
	buf_append(&readout->scratch, line, strlen(line) + 1);
	if (!buf_is_ok(&readout->scratch) ||
		!kinds[readout->kind].parse(readout, readout->scratch.data, &fact)) {
		return false;
	}
	*ret_fact = fact;
	return true;
}

bool readout_is_complete(const struct readout *readout)
{
	bool (*is_complete)(const struct readout *) = kinds[readout->kind].is_complete;

	return is_complete == NULL || is_complete(readout);
}

static bool has_lines(const struct readout *readout)
{
	return readout->n_lines > 0;
}

static bool has_columns(const struct readout *readout)
{
	return readout->n_columns > 0;
}

static bool read_number(const char *text, unsigned long *ret_number)
{
	unsigned long number = 0;
	size_t len = strlen(text);

	if (len < 1 || len > 9 || strspn(text, "0123456789") != len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		number = number * 10 + (unsigned long)(text[i] - '0');
	}
	*ret_number = number;
	return true;
}

static bool parse_info(struct readout *readout, char *line, struct fact *fact)
{
	char *value = strstr(line, ": ");

	(void)readout;
	if (value == NULL) {
		/* A value may be empty, as "description" is. */
		return strchr(line, ':') != NULL;
	}
	*value = '\0';
	value += strlen(": ");
	if (strcmp(line, "Version") == 0) {
		fact->kind = FACT_VERSION;
		fact->value = value;
	} else if (strcmp(line, "Pid") == 0) {
		fact->kind = FACT_PID;
		return read_number(value, &fact->number);
	}
	return true;
}

static bool parse_help(struct readout *readout, char *line, struct fact *fact)
{
	if (readout->n_lines == 1) {
		return strcmp(line, "The following commands are valid at this level:") == 0;
	}
	fact->kind = FACT_COMMAND;
	fact->name = line + strspn(line, " ");
	return true;
}

static bool is_ours(const char *backend)
{
	return strstr(backend, MODEL_BACKEND_INFIX) != NULL;
}

static bool parse_backend(struct readout *readout, char *line, struct fact *fact)
{
	if (readout->n_lines == 1) {
		return strcmp(line, "# name") == 0;
	}
	if (line[0] == '\0' || strchr(line, ' ') != NULL) {
		return false;
	}
	if (is_ours(line)) {
		fact->kind = FACT_BACKEND;
		fact->name = line;
	}
	return true;
}

/* Splits at single blanks, in place; returns the number of words, 0 = too many. */
static unsigned split(char *line, char **ret_words)
{
	unsigned n = 0;
	char *word;

	while ((word = strsep(&line, " ")) != NULL) {
		if (n == MAX_COLUMNS) {
			return 0;
		}
		ret_words[n++] = word;
	}
	return n;
}

/* "# be_id be_name ..." */
static bool parse_columns(struct readout *readout, char *line)
{
	char *words[MAX_COLUMNS];
	unsigned n_words;

	/* Who asks backend by backend gets the same line each time. */
	if (readout->n_columns_before > 0 && strcmp(line, buf_str(&readout->columns_line)) == 0) {
		readout->n_columns = readout->n_columns_before;
		return true;
	}
	buf_clear(&readout->columns_line);
	buf_append_str(&readout->columns_line, line);
	readout->n_columns_before = 0;
	if (strncmp(line, "# ", 2) != 0 || (n_words = split(line + 2, words)) == 0) {
		return false;
	}
	for (unsigned column = 0; column < READOUT_COLUMN_COUNT; column++) {
		unsigned i = 0;

		while (i < n_words && strcmp(words[i], column_names[column]) != 0) {
			i++;
		}
		if (i == n_words) {
			return false;
		}
		readout->columns[column] = i;
	}
	readout->n_columns = n_words;
	readout->n_columns_before = n_words;
	return true;
}

/* In the form of model_server.address. "-" is HAProxy's word for an address that it can't show: it
 * equals nothing that is wanted. */
static bool format_address(struct buf *buf, const char *ip, const char *port)
{
	unsigned char address[sizeof(struct in6_addr)];
	unsigned long number;

	if (!read_number(port, &number) || number > 65535) {
		return false;
	}
	if (inet_pton(AF_INET6, ip, address) == 1) {
		buf_printf(buf, "[%s]:%lu", ip, number);
	} else if (inet_pton(AF_INET, ip, address) == 1 || strcmp(ip, "-") == 0) {
		buf_printf(buf, "%s:%lu", ip, number);
	} else {
		return false;
	}
	return true;
}

static enum applied_admin admin_of(unsigned long bits)
{
	bits &= ~ADMIN_WAS_DISABLED;
	if (bits == 0) {
		return APPLIED_READY;
	}
	return bits == ADMIN_DRAIN ? APPLIED_DRAIN : APPLIED_MAINT;
}

static bool parse_state(struct readout *readout, char *line, struct fact *fact)
{
	const unsigned *columns = readout->columns;
	char *words[MAX_COLUMNS];
	unsigned long admin;

	if (split(line, words) != readout->n_columns) {
		return false;
	}
	if (!is_ours(words[columns[READOUT_COLUMN_BACKEND]])) {
		return true;
	}
	fact->kind = FACT_SERVER;
	fact->backend = words[columns[READOUT_COLUMN_BACKEND]];
	fact->name = words[columns[READOUT_COLUMN_SERVER]];
	if (fact->name[0] == '\0' || !read_number(words[columns[READOUT_COLUMN_ADMIN]], &admin)) {
		return false;
	}
	fact->admin = admin_of(admin);
	buf_clear(&readout->address);
	if (!format_address(&readout->address, words[columns[READOUT_COLUMN_ADDRESS]],
		    words[columns[READOUT_COLUMN_PORT]])) {
		return false;
	}
	fact->value = buf_str(&readout->address);
	return true;
}

static bool parse_server(struct readout *readout, char *line, struct fact *fact)
{
	if (readout->n_lines == 1 && readout->kind == READOUT_SERVERS_OF &&
		strcmp(line, "Can't find backend.") == 0) {
		readout->n_columns = MAX_COLUMNS + 1; /* there are none, and no line may follow */
		fact->kind = FACT_NO_BACKEND;
		return true;
	}
	if (readout->n_lines == 1) {
		return strcmp(line, "1") == 0;
	}
	if (readout->n_lines == 2 && readout->n_columns == 0) {
		return parse_columns(readout, line);
	}
	return parse_state(readout, line, fact);
}

/* "0x55ad66a2f610 key value" */
static bool parse_entry(struct readout *readout, char *line, struct fact *fact)
{
	size_t digits;

	if (strncmp(line, "0x", 2) != 0 || (digits = strspn(line + 2, "0123456789abcdef")) == 0 ||
		line[2 + digits] != ' ') {
		return false;
	}
	char *key = line + 2 + digits + 1;
	char *value = strchr(key, ' ');
	if (value == NULL || value == key) {
		return false;
	}
	*value++ = '\0';
	/* A key made by hand, in characters that we never write and could not take back: not ours.
	 */
	buf_clear(&readout->address);
	if (encode_map_line(&readout->address, key, "x")) {
		fact->kind = FACT_ENTRY;
		fact->name = key;
		fact->value = value;
	}
	return true;
}

/* Cuts our name of a certificate out of HAProxy's, in place; NULL = it is not one of ours. */
static char *our_name(const struct readout *readout, char *path)
{
	static const char folder[] = "/" ENCODE_CERTS_DIR "/";
	size_t dir_len = strlen(readout->map_dir);
	size_t len = strlen(path);
	size_t suffix_len = strlen(ENCODE_CERT_SUFFIX);
	char *name = path + dir_len + strlen(folder);

	if (len <= dir_len + strlen(folder) + suffix_len ||
		strncmp(path, readout->map_dir, dir_len) != 0 ||
		strncmp(path + dir_len, folder, strlen(folder)) != 0 ||
		strcmp(path + len - suffix_len, ENCODE_CERT_SUFFIX) != 0) {
		return NULL;
	}
	path[len - suffix_len] = '\0';
	return strchr(name, '/') == NULL ? name : NULL;
}

/* "/state/current/certs/a_b_0123456789abcdef.pem:2 a.test *.a.test" */
static bool parse_list(struct readout *readout, char *line, struct fact *fact)
{
	if (readout->n_lines == 1) {
		fact->kind = strncmp(line, "# /", 3) == 0 ? FACT_LIST : FACT_NONE;
		return fact->kind == FACT_LIST ||
		       strcmp(line, "didn't find the specified filename") == 0;
	}
	char *hosts = strchr(line, ' ');
	if (hosts != NULL) {
		*hosts++ = '\0';
	}
	char *number = strrchr(line, ':');
	if (number == NULL || number[1] == '\0' || number[1 + strspn(number + 1, "0123456789")]) {
		return false;
	}
	*number = '\0';
	fact->name = our_name(readout, line);
	fact->value = hosts ? hosts : "";
	fact->kind = fact->name != NULL ? FACT_LISTED : FACT_NONE;
	return true;
}

/* Names below "# filename"; before that, below "# transaction", the one with an open transaction
 * behind a '*'. */
static bool parse_certificate(struct readout *readout, char *line, struct fact *fact)
{
	if (line[0] == '#') {
		readout->is_transaction = strcmp(line, "# transaction") == 0;
		return readout->is_transaction || strcmp(line, "# filename") == 0;
	}
	if (readout->is_transaction) {
		fact->kind = FACT_TRANSACTION;
		fact->name = line + 1;
		return line[0] == '*';
	}
	if (line[0] == '\0') {
		return false;
	}
	fact->name = our_name(readout, line);
	fact->kind = fact->name != NULL ? FACT_CERTIFICATE : FACT_NONE;
	return true;
}

/* The same, with " - 1 certificate(s)" behind each name: with none it was never committed. One that
 * has some is not told again: 2.6 crashes when servers of its configuration have it. */
static bool parse_authorities(struct readout *readout, char *line, struct fact *fact)
{
	char *end = strstr(line, " - ");

	if (line[0] != '#' && end != NULL) {
		*end = '\0';
	}
	bool has_content = end != NULL && strncmp(end + 1, "- 0 ", 4) != 0;
	bool is_ok = parse_certificate(readout, line, fact);
	if (fact->kind == FACT_CERTIFICATE && has_content) {
		fact->value = "";
	}
	if (fact->kind == FACT_TRANSACTION) {
		fact->kind = FACT_AUTHORITIES_TRANSACTION;
	}
	return is_ok;
}

/* "SHA1 FingerPrint: 8311BF1B..." among others; one line of apology when there is no such
 * certificate. */
static bool parse_default(struct readout *readout, char *line, struct fact *fact)
{
	static const char label[] = "SHA1 FingerPrint: ";

	(void)readout;
	if (strncmp(line, label, strlen(label)) == 0) {
		fact->kind = FACT_FINGERPRINT;
		fact->value = line + strlen(label);
	}
	return true;
}

/* "NAME=0123456789abcdef", or one line of apology when it was started without. */
static bool parse_variable(const char *line, const char *label, const char **ret_value)
{
	if (strncmp(line, label, strlen(label)) != 0) {
		return line[0] == '\0' || strcmp(line, "Variable not found") == 0;
	}
	*ret_value = line + strlen(label);
	return true;
}

static bool parse_settings(struct readout *readout, char *line, struct fact *fact)
{
	const char *value = "";
	bool is_ok = parse_variable(line, ENCODE_SETTINGS_MARK "=", &value);

	(void)readout;
	if (strlen(value) == MODEL_DIGEST_SIZE - 1 &&
		strspn(value, "0123456789abcdef") == MODEL_DIGEST_SIZE - 1) {
		fact->kind = FACT_SETTINGS;
		fact->value = value;
	}
	return is_ok;
}

static bool parse_configuration(struct readout *readout, char *line, struct fact *fact)
{
	(void)readout;
	if (!parse_variable(line, CONFIGURATION_MARK "=", &fact->value)) {
		return false;
	}
	fact->kind = fact->value != NULL ? FACT_CONFIGURATION : FACT_NONE;
	return true;
}

/* "5432 6380", or none. */
static bool parse_ports(struct readout *readout, char *line, struct fact *fact)
{
	const char *value = "";
	bool is_ok = parse_variable(line, ENCODE_PORTS "=", &value);
	bool is_list = value[strspn(value, "0123456789 ")] == '\0' && value[0] != '\0';

	(void)readout;
	if (strlen(value) < APPLIED_PORTS_SIZE && (is_list || strcmp(value, "none") == 0)) {
		fact->kind = FACT_PORTS;
		fact->value = value;
	}
	return is_ok;
}
