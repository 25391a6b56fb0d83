/* See options.h. */
#include "options.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "status/addresses.h"
#include "status/lease.h"
#include "kube/selector.h"
#include "rotation.h"
#include "version.h"

#define MAX_ENV_NAME 64
#define HELP_COLUMN  34

#define LEASE_DEFAULT_NAME "headgate-leader"

static const struct {
	const char *name;
	const char *argument;
	const char *default_value;
	const char *help;
} rows[OPTION_COUNT] = {
#define OPTION(id, name, argument, default_, help) {name, argument, default_, help},
#include "options.def"
};

static bool is_switch(int which)
{
	return rows[which].argument[0] == '\0';
}

static void set_value(struct options *options, int which, const char *value)
{
	free(options->values[which]);
	options->values[which] = xstrdup(value);
}

static void env_name(int which, char name[MAX_ENV_NAME])
{
	snprintf(name, MAX_ENV_NAME, "HEADGATE_%s", rows[which].name);
	for (char *c = name; *c != '\0'; c++) {
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	}
}

static void read_defaults(struct options *options)
{
	char name[MAX_ENV_NAME];

	for (int i = 0; i < OPTION_COUNT; i++) {
		env_name(i, name);
		const char *value = getenv(name);
		if (value == NULL || value[0] == '\0') {
			value = rows[i].default_value;
		}
		if (value[0] != '\0') {
			set_value(options, i, value);
		}
	}
}

static enum options_outcome read_arguments(
	struct options *options, int argc, char *const *argv, struct err *err)
{
	struct option longs[OPTION_COUNT + 2] = {0};
	int found;

	for (int i = 0; i < OPTION_COUNT; i++) {
		longs[i] = (struct option){
			rows[i].name, is_switch(i) ? no_argument : required_argument, NULL, i};
	}
	longs[OPTION_COUNT] = (struct option){"help", no_argument, NULL, 'h'};
	opterr = 0;
	optind = 0;
	while ((found = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		if (found == 'h') {
			return OPTIONS_HELP;
		}
		if (found == '?' || found == ':') {
			err_set(err, ERR_INPUT, "%s option '%s': see 'headgate run --help'",
				found == '?' ? "unknown or ambiguous" : "missing argument of",
				argv[optind - 1]);
			return OPTIONS_ERROR;
		}
		if (!is_switch(found) && optarg[0] == '\0') {
			err_set(err, ERR_INPUT, "--%s: empty: give %s or leave the option out",
				rows[found].name, rows[found].argument);
			return OPTIONS_ERROR;
		}
		set_value(options, found, is_switch(found) ? "true" : optarg);
	}
	if (optind < argc) {
		err_set(err, ERR_INPUT, "unexpected argument '%s': see 'headgate run --help'",
			argv[optind]);
		return OPTIONS_ERROR;
	}
	return OPTIONS_RUN;
}

static bool read_switch(
	const struct options *options, enum option_id which, bool *ret, struct err *err)
{
	const char *value = options_get(options, which);

	if (value == NULL || strcmp(value, "false") == 0) {
		*ret = false;
	} else if (strcmp(value, "true") == 0) {
		*ret = true;
	} else {
		return err_set(err, ERR_INPUT, "--%s: '%s' is neither true nor false",
			rows[which].name, value);
	}
	return true;
}

static bool read_log(struct options *options, struct err *err)
{
	const char *level = options_get(options, OPTION_LOG_LEVEL);
	const char *format = options_get(options, OPTION_LOG_FORMAT);

	if (!log_level_parse(level, &options->log_level)) {
		return err_set(err, ERR_INPUT,
			"--log-level: '%s' is not a level: use debug, info, warn or error", level);
	}
	if (strcmp(format, "logfmt") != 0 && strcmp(format, "json") != 0) {
		return err_set(err, ERR_INPUT,
			"--log-format: '%s' is not a format: use logfmt or json", format);
	}
	options->log_format = strcmp(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
	return true;
}

#define AUDIT_MAX_SECONDS (24 * 3600)

/* "0", or a number and its unit. */
static bool read_audit_interval(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_AUDIT_INTERVAL);
	size_t n_digits = strspn(text, "0123456789");
	const char *unit = text + n_digits;
	unsigned long factor = strcmp(unit, "s") == 0	? 1
			       : strcmp(unit, "m") == 0 ? 60
			       : strcmp(unit, "h") == 0 ? 3600
							: 0;
	/* More digits than that are too much in any unit. */
	unsigned long number = n_digits > 0 && n_digits <= 6 ? strtoul(text, NULL, 10) : 0;

	if (strcmp(text, "0") != 0 &&
		(number * factor == 0 || number * factor > AUDIT_MAX_SECONDS)) {
		return err_set(err, ERR_INPUT,
			"--audit-interval: '%s' is neither 0 nor a time from 1s to 24h, like 30s, "
			"5m or 1h",
			text);
	}
	options->audit_seconds = (unsigned)(number * factor);
	return true;
}

/* Bytes of the names that Kubernetes gives; the whole grammar is the API server's. */
static bool is_object_name(const char *name)
{
	return name[0] != '\0' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

static bool refuse_form(enum option_id which, const char *text, struct err *err)
{
	return err_set(err, ERR_INPUT, "--%s: '%s' is not of the form %s", rows[which].name, text,
		rows[which].argument);
}

/* "namespace/name"; the name may be followed by more, which is the caller's to look at. */
static bool split_name(enum option_id which, const char *text, char **ret_namespace,
	char **ret_name, struct err *err)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL) {
		return refuse_form(which, text, err);
	}
	*ret_namespace = xstrndup(text, (size_t)(slash - text));
	*ret_name = xstrdup(slash + 1);
	return is_object_name(*ret_namespace) || refuse_form(which, text, err);
}

/* A port's number or name. */
static bool is_port(const char *text)
{
	char *end;

	if (text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0') {
		return false;
	}
	long number = strtol(text, &end, 10);
	return *end != '\0' || (number > 0 && number <= UINT16_MAX);
}

static bool read_default_backend(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_DEFAULT_BACKEND);

	if (text == NULL) {
		return true;
	}
	if (!split_name(OPTION_DEFAULT_BACKEND, text, &options->default_namespace,
		    &options->default_service, err)) {
		return false;
	}
	char *colon = strchr(options->default_service, ':');
	if (colon == NULL) {
		return refuse_form(OPTION_DEFAULT_BACKEND, text, err);
	}
	*colon = '\0';
	options->default_port = xstrdup(colon + 1);
	return (is_object_name(options->default_service) && is_port(options->default_port)) ||
	       refuse_form(OPTION_DEFAULT_BACKEND, text, err);
}

/* What the pod says about itself (the downward API) is no option. */
static bool read_pod_namespace(struct options *options, struct err *err)
{
	const char *namespace = getenv("POD_NAMESPACE");

	if (namespace == NULL || namespace[0] == '\0') {
		return true;
	}
	if (!is_object_name(namespace)) {
		return err_set(err, ERR_INPUT,
			"POD_NAMESPACE in the environment: '%s' is not the name of a namespace",
			namespace);
	}
	options->own_namespace = xstrdup(namespace);
	return true;
}

static bool read_default_certificate(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_DEFAULT_CERTIFICATE);

	if (text == NULL) {
		return true;
	}
	return split_name(OPTION_DEFAULT_CERTIFICATE, text, &options->certificate_namespace,
		       &options->certificate_secret, err) &&
	       ((is_object_name(options->certificate_namespace) &&
			is_object_name(options->certificate_secret)) ||
		       refuse_form(OPTION_DEFAULT_CERTIFICATE, text, err));
}

static bool read_config_map(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_CONFIG_MAP);

	if (text == NULL) {
		return read_pod_namespace(options, err);
	}
	if (!split_name(OPTION_CONFIG_MAP, text, &options->config_map_namespace,
		    &options->config_map_name, err) ||
		!is_object_name(options->config_map_name)) {
		return refuse_form(OPTION_CONFIG_MAP, text, err);
	}
	options->own_namespace = xstrdup(options->config_map_namespace);
	return true;
}

/* It becomes a part of a configuration line, in which '%' and quotes mean something. */
static bool check_server_header(const struct options *options, struct err *err)
{
	static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._/+ ()";
	const char *text = options_get(options, OPTION_SERVER_HEADER);

	return text == NULL || text[strspn(text, bytes)] == '\0' ||
	       err_set(err, ERR_INPUT,
		       "--server-header: '%s' may have letters, digits, blanks and -._/+() only",
		       text);
}

static bool watches(const struct options *options, const char *namespace)
{
	for (size_t i = 0; i < options->n_watch_namespaces; i++) {
		if (strcmp(options->watch_namespaces[i], namespace) == 0) {
			return true;
		}
	}
	return options->n_watch_namespaces == 0;
}

static bool add_watch_namespace(struct options *options, const char *name, struct err *err)
{
	if (!is_object_name(name)) {
		return err_set(err, ERR_INPUT,
			"--watch-namespace: '%s' is not the name of a namespace", name);
	}
	if (options->n_watch_namespaces > 0 && watches(options, name)) {
		return err_set(err, ERR_INPUT, "--watch-namespace: '%s' is there twice", name);
	}
	if (options->n_watch_namespaces == OPTIONS_MAX_WATCH_NAMESPACES) {
		return err_set(err, ERR_INPUT,
			"--watch-namespace: more than %d namespaces: watch all of them and choose "
			"with --ingress-selector",
			OPTIONS_MAX_WATCH_NAMESPACES);
	}
	options->watch_namespaces = xreallocarray(options->watch_namespaces,
		options->n_watch_namespaces + 1, sizeof(*options->watch_namespaces));
	options->watch_namespaces[options->n_watch_namespaces++] = xstrdup(name);
	return true;
}

static bool read_watch(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_WATCH_NAMESPACE);
	CLEANUP(free_ptr) char *copy = text ? xstrdup(text) : NULL;
	char *rest = copy;

	while (rest != NULL) {
		if (!add_watch_namespace(options, strsep(&rest, ","), err)) {
			return false;
		}
	}
	if (options->default_namespace != NULL && !watches(options, options->default_namespace)) {
		return err_set(err, ERR_INPUT,
			"--default-backend: namespace '%s' is not one of --watch-namespace: add "
			"it there",
			options->default_namespace);
	}
	text = options_get(options, OPTION_INGRESS_SELECTOR);
	if (text != NULL) {
		struct selector *selector = selector_parse(text, err);
		selector_free(selector);
		return selector != NULL || err_wrap(err, "--ingress-selector");
	}
	return true;
}

/* What is asked of an API server means nothing to a directory: its owner chooses the files. */
static bool check_manifests(const struct options *options, struct err *err)
{
	static const enum option_id others[] = {
		OPTION_KUBECONFIG, OPTION_WATCH_NAMESPACE, OPTION_INGRESS_SELECTOR};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (options_get(options, others[i]) != NULL) {
			return err_set(err, ERR_INPUT,
				"--manifests and --%s exclude each other: give one of them",
				rows[others[i]].name);
		}
	}
	return true;
}

static bool read_seconds(const struct options *options, enum option_id which, long min, long max,
	unsigned *ret, struct err *err)
{
	const char *text = options_get(options, which);
	char *end;

	long number = strtol(text, &end, 10);
	if (*end != '\0' || number < min || number > max) {
		return err_set(err, ERR_INPUT, "--%s: '%s' is not a number from %ld to %ld",
			rows[which].name, text, min, max);
	}
	*ret = (unsigned)number;
	return true;
}

/* Manifests have no status that anybody could write. */
static bool read_lease(struct options *options, struct err *err)
{
	const char *text = options_get(options, OPTION_LEASE);
	const char *namespace = getenv("POD_NAMESPACE");

	if (!read_seconds(options, OPTION_LEASE_DURATION, LEASE_MIN_DURATION_SECONDS,
		    LEASE_MAX_DURATION_SECONDS, &options->lease_seconds, err)) {
		return false;
	}
	if (options_get(options, OPTION_MANIFESTS) != NULL) {
		return text == NULL || err_set(err, ERR_INPUT,
					       "--manifests and --lease exclude each other: give "
					       "one of them");
	}
	if (text == NULL && namespace != NULL && is_object_name(namespace)) {
		options->lease_namespace = xstrdup(namespace);
		options->lease_name = xstrdup(LEASE_DEFAULT_NAME);
	}
	return text == NULL || (split_name(OPTION_LEASE, text, &options->lease_namespace,
					&options->lease_name, err) &&
				       (is_object_name(options->lease_name) ||
					       refuse_form(OPTION_LEASE, text, err)));
}

static bool read_publish(struct options *options, struct err *err)
{
	const char *service = options_get(options, OPTION_PUBLISH_SERVICE);
	const char *text = options_get(options, OPTION_PUBLISH_ADDRESS);
	struct addresses addresses;

	if (service == NULL && text == NULL) {
		return true;
	}
	if (service != NULL && text != NULL) {
		return err_set(err, ERR_INPUT,
			"--publish-service and --publish-address exclude each other: give one of "
			"them");
	}
	if (options->lease_name == NULL) {
		return err_set(err, ERR_INPUT,
			"--%s needs a Lease: give --lease, or set POD_NAMESPACE in the environment",
			rows[service ? OPTION_PUBLISH_SERVICE : OPTION_PUBLISH_ADDRESS].name);
	}
	if (text != NULL) {
		if (!addresses_parse(&addresses, text, err)) {
			return err_wrap(err, "--publish-address");
		}
		addresses_fini(&addresses);
	}
	return service == NULL ||
	       (split_name(OPTION_PUBLISH_SERVICE, service, &options->publish_namespace,
			&options->publish_name, err) &&
		       (is_object_name(options->publish_name) ||
			       refuse_form(OPTION_PUBLISH_SERVICE, service, err)));
}

static bool check_conflicts(const struct options *options, struct err *err)
{
	return options_get(options, OPTION_MANIFESTS) == NULL || check_manifests(options, err);
}

static void read_sockets(struct options *options)
{
	static const struct {
		enum option_id which;
		const char *file;
	} sockets[] = {
		{OPTION_RUNTIME_SOCKET, "runtime.sock"},
		{OPTION_MASTER_SOCKET, "master.sock"},
	};

	for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
		if (options_get(options, sockets[i].which) == NULL) {
			options->values[sockets[i].which] = xasprintf(
				"%s/%s", options_get(options, OPTION_RUN_DIR), sockets[i].file);
		}
	}
}

/* The same directory has one spelling: it becomes part of names that HAProxy compares byte by byte.
 */
static void strip_slashes(char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/') {
		path[--len] = '\0';
	}
}

/* HAProxy is given these too, and takes only absolute ones for sockets; a program's bare name is
 * looked up on PATH. */
static void make_absolute(struct options *options)
{
	static const enum option_id paths[] = {OPTION_MANIFESTS, OPTION_KUBECONFIG, OPTION_HAPROXY,
		OPTION_RUNTIME_SOCKET, OPTION_MASTER_SOCKET, OPTION_CONFIG_DIR, OPTION_STATE_DIR,
		OPTION_RUN_DIR};
	CLEANUP(free_ptr) char *here = getcwd(NULL, 0);

	for (size_t i = 0; here != NULL && i < ARRAY_LEN(paths); i++) {
		const char *value = options_get(options, paths[i]);
		bool is_bare =
			paths[i] == OPTION_HAPROXY && value != NULL && strchr(value, '/') == NULL;
		if (value != NULL && value[0] != '/' && !is_bare) {
			char *absolute = xasprintf("%s/%s", here, value);
			free(options->values[paths[i]]);
			options->values[paths[i]] = absolute;
		}
		if (options->values[paths[i]] != NULL) {
			strip_slashes(options->values[paths[i]]);
		}
	}
}

static bool interpret(struct options *options, struct err *err)
{
	make_absolute(options);
	read_sockets(options);
	return read_log(options, err) && read_audit_interval(options, err) &&
	       read_switch(options, OPTION_SELF_CHECK, &options->is_self_check, err) &&
	       read_switch(options, OPTION_STRICT_SNI, &options->is_strict_sni, err) &&
	       read_switch(options, OPTION_ACCEPT_PROXY, &options->is_proxy_accepted, err) &&
	       read_seconds(options, OPTION_TICKET_ROTATION, ROTATION_MIN_SECONDS,
		       ROTATION_MAX_SECONDS, &options->rotation_seconds, err) &&
	       check_server_header(options, err) &&
	       read_switch(
		       options, OPTION_ALLOW_EXTERNAL_NAME, &options->allows_external_name, err) &&
	       read_switch(
		       options, OPTION_LEGACY_CLASS_ANNOTATION, &options->has_legacy_class, err) &&
	       read_default_backend(options, err) && read_config_map(options, err) &&
	       read_watch(options, err) && read_lease(options, err) && read_publish(options, err) &&
	       read_switch(options, OPTION_NO_SSL_REDIRECT, &options->is_ssl_redirect_off, err) &&
	       read_default_certificate(options, err) && check_conflicts(options, err);
}

enum options_outcome options_parse(
	struct options *options, int argc, char *const *argv, struct err *err)
{
	*options = (struct options){0};
	read_defaults(options);
	enum options_outcome outcome = read_arguments(options, argc, argv, err);
	if (outcome == OPTIONS_RUN && !interpret(options, err)) {
		return OPTIONS_ERROR;
	}
	return outcome;
}

void options_fini(struct options *options)
{
	for (int i = 0; i < OPTION_COUNT; i++) {
		free(options->values[i]);
	}
	for (size_t i = 0; i < options->n_watch_namespaces; i++) {
		free(options->watch_namespaces[i]);
	}
	free(options->watch_namespaces);
	free(options->default_namespace);
	free(options->default_service);
	free(options->default_port);
	free(options->own_namespace);
	free(options->config_map_namespace);
	free(options->certificate_namespace);
	free(options->certificate_secret);
	free(options->config_map_name);
	free(options->lease_namespace);
	free(options->lease_name);
	free(options->publish_namespace);
	free(options->publish_name);
	*options = (struct options){0};
}

static void print_row(FILE *out, int which)
{
	char left[96];
	const char *default_value = rows[which].default_value;

	snprintf(left, sizeof(left), "  --%s%s%s", rows[which].name, is_switch(which) ? "" : "=",
		rows[which].argument);
	fprintf(out, "%-*s %s", HELP_COLUMN, left, rows[which].help);
	if (default_value[0] != '\0') {
		fprintf(out, " (default: %s)", default_value);
	}
	fputc('\n', out);
}

void options_print_help(FILE *out)
{
	fputs("Usage: headgate run [OPTION]...\n"
	      "Keep HAProxy in step with the Ingress objects of a Kubernetes cluster.\n\n"
	      "Options; each can also be given as HEADGATE_<NAME> in the environment:\n",
		out);
	for (int i = 0; i < OPTION_COUNT; i++) {
		print_row(out, i);
	}
	fputs("  --help                           show this text\n\n"
	      "Signals: SIGTERM and SIGINT end the program, after the HAProxy that it supervises "
	      "(--haproxy) has\n"
	      "ended in order; SIGHUP reads back HAProxy's maps, backends and servers and repairs "
	      "what differs;\n"
	      "SIGUSR1 does the same piece by piece, and says what differs ('headgate audit').\n\n"
	      "Exit status: 0 ended in order, 1 failed while running, 2 wrong usage, 3 unusable "
	      "input\n"
	      "(kubeconfig, manifests, directories), 4 the API server refuses the credentials, 5 "
	      "HAProxy is\n"
	      "missing, unfit or out of reach.\n",
		out);
}
