/* See flags.h. */
#include "flags.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/password.h"
#include "base/alloc.h"
#include "command_flags.h"
#include "status/addresses.h"
#include "status/lease.h"
#include "kube/selector.h"
#include "rotation.h"
#include "version.h"

#define MAX_ENV_NAME 64

#define LEASE_DEFAULT_NAME "headgate-leader"

static const struct {
	const char *name;
	const char *argument;
	const char *default_value;
} rows[FLAG_COUNT] = {
#define FLAG(id, name, argument, default_, help) {name, argument, default_},
#include "flags.def"
};

static bool is_switch(int which)
{
	return rows[which].argument[0] == '\0';
}

static void set_value(struct flags *flags, int which, const char *value)
{
	free(flags->values[which]);
	flags->values[which] = xstrdup(value);
}

static void env_name(int which, char name[MAX_ENV_NAME])
{
	snprintf(name, MAX_ENV_NAME, "HEADGATE_%s", rows[which].name);
	for (char *c = name; *c != '\0'; c++) {
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	}
}

static void read_defaults(struct flags *flags)
{
	char name[MAX_ENV_NAME];

	for (int i = 0; i < FLAG_COUNT; i++) {
		env_name(i, name);
		const char *value = getenv(name);
		if (value == NULL || value[0] == '\0') {
			value = rows[i].default_value;
		}
		if (value[0] != '\0') {
			set_value(flags, i, value);
		}
	}
}

static enum flags_outcome read_arguments(
	struct flags *flags, int argc, char *const *argv, struct err *err)
{
	struct option longs[FLAG_COUNT + 2] = {0};
	size_t n = 0;
	int found;

	for (int i = 0; i < FLAG_COUNT; i++) {
		if (command_flags_share(argv[0], i)) {
			longs[n++] = (struct option){rows[i].name,
				is_switch(i) ? no_argument : required_argument, NULL, i};
		}
	}
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	opterr = 0;
	optind = 0;
	while ((found = getopt_long(argc, argv, "+:h", longs, NULL)) != -1) {
		if (found == 'h') {
			return FLAGS_HELP;
		}
		if (found == '?' || found == ':') {
			err_set(err, ERR_INPUT, "%s option '%s': see 'headgate %s --help'",
				found == '?' ? "unknown or ambiguous" : "missing argument of",
				argv[optind - 1], argv[0]);
			return FLAGS_ERROR;
		}
		if (!is_switch(found) && optarg[0] == '\0') {
			err_set(err, ERR_INPUT, "--%s: empty: give %s or leave the option out",
				rows[found].name, rows[found].argument);
			return FLAGS_ERROR;
		}
		set_value(flags, found, is_switch(found) ? "true" : optarg);
	}
	if (optind < argc) {
		err_set(err, ERR_INPUT, "unexpected argument '%s': see 'headgate %s --help'",
			argv[optind], argv[0]);
		return FLAGS_ERROR;
	}
	return FLAGS_RUN;
}

static bool read_switch(const struct flags *flags, enum flag_id which, bool *ret, struct err *err)
{
	const char *value = flags_get(flags, which);

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

static bool read_log(struct flags *flags, struct err *err)
{
	const char *level = flags_get(flags, FLAG_LOG_LEVEL);
	const char *format = flags_get(flags, FLAG_LOG_FORMAT);

	if (!log_level_parse(level, &flags->log_level)) {
		return err_set(err, ERR_INPUT,
			"--log-level: '%s' is not a level: use debug, info, warn or error", level);
	}
	if (strcmp(format, "logfmt") != 0 && strcmp(format, "json") != 0) {
		return err_set(err, ERR_INPUT,
			"--log-format: '%s' is not a format: use logfmt or json", format);
	}
	flags->log_format = strcmp(format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
	return true;
}

#define AUDIT_MAX_SECONDS (24 * 3600)

/* "0", or a number and its unit. */
static bool read_audit_interval(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_AUDIT_INTERVAL);
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
	flags->audit_seconds = (unsigned)(number * factor);
	return true;
}

/* Bytes of the names that Kubernetes gives; the whole grammar is the API server's. */
static bool is_object_name(const char *name)
{
	return name[0] != '\0' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

static bool refuse_form(enum flag_id which, const char *text, struct err *err)
{
	return err_set(err, ERR_INPUT, "--%s: '%s' is not of the form %s", rows[which].name, text,
		rows[which].argument);
}

/* "namespace/name"; the name may be followed by more, which is the caller's to look at. */
static bool split_name(enum flag_id which, const char *text, char **ret_namespace, char **ret_name,
	struct err *err)
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

static bool read_default_backend(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_DEFAULT_BACKEND);

	if (text == NULL) {
		return true;
	}
	if (!split_name(FLAG_DEFAULT_BACKEND, text, &flags->default_namespace,
		    &flags->default_service, err)) {
		return false;
	}
	char *colon = strchr(flags->default_service, ':');
	if (colon == NULL) {
		return refuse_form(FLAG_DEFAULT_BACKEND, text, err);
	}
	*colon = '\0';
	flags->default_port = xstrdup(colon + 1);
	return (is_object_name(flags->default_service) && is_port(flags->default_port)) ||
	       refuse_form(FLAG_DEFAULT_BACKEND, text, err);
}

/* What the pod says about itself (the downward API) is no option. */
static bool read_pod_namespace(struct flags *flags, struct err *err)
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
	flags->own_namespace = xstrdup(namespace);
	return true;
}

static bool read_default_certificate(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_DEFAULT_CERTIFICATE);

	if (text == NULL) {
		return true;
	}
	return split_name(FLAG_DEFAULT_CERTIFICATE, text, &flags->certificate_namespace,
		       &flags->certificate_secret, err) &&
	       ((is_object_name(flags->certificate_namespace) &&
			is_object_name(flags->certificate_secret)) ||
		       refuse_form(FLAG_DEFAULT_CERTIFICATE, text, err));
}

static bool read_config_map(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_CONFIG_MAP);

	if (text == NULL) {
		return read_pod_namespace(flags, err);
	}
	if (!split_name(FLAG_CONFIG_MAP, text, &flags->config_map_namespace,
		    &flags->config_map_name, err) ||
		!is_object_name(flags->config_map_name)) {
		return refuse_form(FLAG_CONFIG_MAP, text, err);
	}
	flags->own_namespace = xstrdup(flags->config_map_namespace);
	return true;
}

/* Behind --configmap: ConfigMaps are read in one namespace. */
static bool read_other_map(struct flags *flags, enum flag_id which, char **ret_namespace,
	char **ret_name, struct err *err)
{
	const char *text = flags_get(flags, which);

	if (text == NULL) {
		return true;
	}
	if (!split_name(which, text, ret_namespace, ret_name, err) || !is_object_name(*ret_name)) {
		return refuse_form(which, text, err);
	}
	if (flags->own_namespace == NULL) {
		flags->own_namespace = xstrdup(*ret_namespace);
	}
	return strcmp(flags->own_namespace, *ret_namespace) == 0 ||
	       err_set(err, ERR_INPUT,
		       "--%s: ConfigMaps are read in namespace '%s' only: move it there",
		       rows[which].name, flags->own_namespace);
}

static bool read_other_maps(struct flags *flags, struct err *err)
{
	return read_other_map(
		       flags, FLAG_ERROR_FILES, &flags->pages_namespace, &flags->pages_name, err) &&
	       read_other_map(flags, FLAG_PATTERN_FILES, &flags->patterns_namespace,
		       &flags->patterns_name, err) &&
	       read_other_map(
		       flags, FLAG_TCP_SERVICES, &flags->tcp_namespace, &flags->tcp_name, err);
}

/* It becomes a part of a configuration line, in which '%' and quotes mean something. */
static bool check_server_header(const struct flags *flags, struct err *err)
{
	static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._/+ ()";
	const char *text = flags_get(flags, FLAG_SERVER_HEADER);

	return text == NULL || text[strspn(text, bytes)] == '\0' ||
	       err_set(err, ERR_INPUT,
		       "--server-header: '%s' may have letters, digits, blanks and -._/+() only",
		       text);
}

/* They become words of the configuration, too. */
static bool read_stats_user(struct flags *flags, struct err *err)
{
	static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
				    "-._@";
	const char *text = flags_get(flags, FLAG_STATS_USER);

	if (text == NULL) {
		return true;
	}
	size_t name_len = strspn(text, bytes);
	if (name_len == 0 || text[name_len] != ':') {
		return err_set(err, ERR_INPUT,
			"--stats-user: expected NAME:HASH, and of NAME letters, digits and -._@");
	}
	const char *hash = text + name_len + 1;
	const char *fault = password_fault(hash, strlen(hash));
	if (fault == NULL && (*hash != '$' || strncmp(hash, "$apr1$", 6) == 0)) {
		fault = "is none that HAProxy can check: take one that `mkpasswd` makes";
	}
	if (fault != NULL) {
		return err_set(err, ERR_INPUT, "--stats-user: the hash after '%.*s:' %s",
			(int)name_len, text, fault);
	}
	flags->stats_name = xstrndup(text, name_len);
	flags->stats_hash = xstrdup(hash);
	return true;
}

static bool check_stats_tls(const struct flags *flags, struct err *err)
{
	return flags_get(flags, FLAG_STATS_TLS_BIND) == NULL ||
	       flags_get(flags, FLAG_STATS_CERTIFICATE) != NULL ||
	       err_set(err, ERR_INPUT,
		       "--stats-tls-bind: which certificate? Name it with --stats-certificate");
}

static bool add_watch_namespace(struct flags *flags, const char *name, struct err *err)
{
	if (!is_object_name(name)) {
		return err_set(err, ERR_INPUT,
			"--watch-namespace: '%s' is not the name of a namespace", name);
	}
	if (flags->n_watch_namespaces > 0 && flags_watch(flags, name)) {
		return err_set(err, ERR_INPUT, "--watch-namespace: '%s' is there twice", name);
	}
	if (flags->n_watch_namespaces == FLAGS_MAX_WATCH_NAMESPACES) {
		return err_set(err, ERR_INPUT,
			"--watch-namespace: more than %d namespaces: watch all of them and choose "
			"with --ingress-selector",
			FLAGS_MAX_WATCH_NAMESPACES);
	}
	flags->watch_namespaces = xreallocarray(flags->watch_namespaces,
		flags->n_watch_namespaces + 1, sizeof(*flags->watch_namespaces));
	flags->watch_namespaces[flags->n_watch_namespaces++] = xstrdup(name);
	return true;
}

static bool read_watch(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_WATCH_NAMESPACE);
	CLEANUP(free_ptr) char *copy = text ? xstrdup(text) : NULL;
	char *rest = copy;

	while (rest != NULL) {
		if (!add_watch_namespace(flags, strsep(&rest, ","), err)) {
			return false;
		}
	}
	if (flags->default_namespace != NULL && !flags_watch(flags, flags->default_namespace)) {
		return err_set(err, ERR_INPUT,
			"--default-backend: namespace '%s' is not one of --watch-namespace: add "
			"it there",
			flags->default_namespace);
	}
	text = flags_get(flags, FLAG_INGRESS_SELECTOR);
	if (text != NULL) {
		struct selector *selector = selector_parse(text, err);
		selector_free(selector);
		return selector != NULL || err_wrap(err, "--ingress-selector");
	}
	return true;
}

/* What is asked of an API server means nothing to a directory: its owner chooses the files. */
static bool check_manifests(const struct flags *flags, struct err *err)
{
	static const enum flag_id others[] = {
		FLAG_KUBECONFIG, FLAG_WATCH_NAMESPACE, FLAG_INGRESS_SELECTOR};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (flags_get(flags, others[i]) != NULL) {
			return err_set(err, ERR_INPUT,
				"--manifests and --%s exclude each other: give one of them",
				rows[others[i]].name);
		}
	}
	return true;
}

static bool read_seconds(const struct flags *flags, enum flag_id which, long min, long max,
	unsigned *ret, struct err *err)
{
	const char *text = flags_get(flags, which);
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
static bool read_lease(struct flags *flags, struct err *err)
{
	const char *text = flags_get(flags, FLAG_LEASE);
	const char *namespace = getenv("POD_NAMESPACE");

	if (!read_seconds(flags, FLAG_LEASE_DURATION, LEASE_MIN_DURATION_SECONDS,
		    LEASE_MAX_DURATION_SECONDS, &flags->lease_seconds, err)) {
		return false;
	}
	if (flags_get(flags, FLAG_MANIFESTS) != NULL) {
		return text == NULL || err_set(err, ERR_INPUT,
					       "--manifests and --lease exclude each other: give "
					       "one of them");
	}
	if (text == NULL && namespace != NULL && is_object_name(namespace)) {
		flags->lease_namespace = xstrdup(namespace);
		flags->lease_name = xstrdup(LEASE_DEFAULT_NAME);
	}
	return text == NULL ||
	       (split_name(FLAG_LEASE, text, &flags->lease_namespace, &flags->lease_name, err) &&
		       (is_object_name(flags->lease_name) || refuse_form(FLAG_LEASE, text, err)));
}

static bool read_publish(struct flags *flags, struct err *err)
{
	const char *service = flags_get(flags, FLAG_PUBLISH_SERVICE);
	const char *text = flags_get(flags, FLAG_PUBLISH_ADDRESS);
	struct addresses addresses;

	if (service == NULL && text == NULL) {
		return true;
	}
	if (service != NULL && text != NULL) {
		return err_set(err, ERR_INPUT,
			"--publish-service and --publish-address exclude each other: give one of "
			"them");
	}
	if (flags->lease_name == NULL) {
		return err_set(err, ERR_INPUT,
			"--%s needs a Lease: give --lease, or set POD_NAMESPACE in the environment",
			rows[service ? FLAG_PUBLISH_SERVICE : FLAG_PUBLISH_ADDRESS].name);
	}
	if (text != NULL) {
		if (!addresses_parse(&addresses, text, err)) {
			return err_wrap(err, "--publish-address");
		}
		addresses_fini(&addresses);
	}
	return service == NULL || (split_name(FLAG_PUBLISH_SERVICE, service,
					   &flags->publish_namespace, &flags->publish_name, err) &&
					  (is_object_name(flags->publish_name) ||
						  refuse_form(FLAG_PUBLISH_SERVICE, service, err)));
}

static bool read_drain(struct flags *flags, struct err *err)
{
	return read_seconds(flags, FLAG_DRAIN_DELAY, 0, 3600, &flags->drain_delay_seconds, err) &&
	       read_seconds(
		       flags, FLAG_DRAIN_TIMEOUT, 1, 86400, &flags->drain_timeout_seconds, err);
}

static bool check_conflicts(const struct flags *flags, struct err *err)
{
	return flags_get(flags, FLAG_MANIFESTS) == NULL || check_manifests(flags, err);
}

/* Ports that TCP services can't have. */
static void list_listeners(struct flags *flags)
{
	static const enum flag_id binds[] = {FLAG_HTTP_BIND, FLAG_HTTPS_BIND, FLAG_STATS_BIND,
		FLAG_STATS_TLS_BIND, FLAG_ADMIN_BIND};
	struct buf list = BUF_INIT(0);

	for (size_t i = 0; i < ARRAY_LEN(binds); i++) {
		const char *bind = flags_get(flags, binds[i]);
		if (bind != NULL) {
			buf_printf(&list, "%s--%s=%s", list.len > 0 ? " " : "", rows[binds[i]].name,
				bind);
		}
	}
	flags->listeners = buf_take(&list);
}

static void read_sockets(struct flags *flags)
{
	static const struct {
		enum flag_id which;
		const char *file;
	} sockets[] = {
		{FLAG_RUNTIME_SOCKET, "runtime.sock"},
		{FLAG_MASTER_SOCKET, "master.sock"},
	};

	for (size_t i = 0; i < ARRAY_LEN(sockets); i++) {
		if (flags_get(flags, sockets[i].which) == NULL) {
			flags->values[sockets[i].which] =
				xasprintf("%s/%s", flags_get(flags, FLAG_RUN_DIR), sockets[i].file);
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
static void make_absolute(struct flags *flags)
{
	static const enum flag_id paths[] = {FLAG_MANIFESTS, FLAG_KUBECONFIG, FLAG_HAPROXY,
		FLAG_RUNTIME_SOCKET, FLAG_MASTER_SOCKET, FLAG_CONFIG_DIR, FLAG_STATE_DIR,
		FLAG_RUN_DIR};
	CLEANUP(free_ptr) char *here = getcwd(NULL, 0);

	for (size_t i = 0; here != NULL && i < ARRAY_LEN(paths); i++) {
		const char *value = flags_get(flags, paths[i]);
		bool is_bare =
			paths[i] == FLAG_HAPROXY && value != NULL && strchr(value, '/') == NULL;
		if (value != NULL && value[0] != '/' && !is_bare) {
			char *absolute = xasprintf("%s/%s", here, value);
			free(flags->values[paths[i]]);
			flags->values[paths[i]] = absolute;
		}
		if (flags->values[paths[i]] != NULL) {
			strip_slashes(flags->values[paths[i]]);
		}
	}
}

static bool interpret(struct flags *flags, struct err *err)
{
	make_absolute(flags);
	read_sockets(flags);
	list_listeners(flags);
	return read_log(flags, err) && read_audit_interval(flags, err) &&
	       read_switch(flags, FLAG_SELF_CHECK, &flags->is_self_check, err) &&
	       read_switch(flags, FLAG_STRICT_SNI, &flags->is_strict_sni, err) &&
	       read_switch(flags, FLAG_ACCEPT_PROXY, &flags->is_proxy_accepted, err) &&
	       read_seconds(flags, FLAG_TICKET_ROTATION, ROTATION_MIN_SECONDS, ROTATION_MAX_SECONDS,
		       &flags->rotation_seconds, err) &&
	       read_drain(flags, err) && check_server_header(flags, err) &&
	       read_stats_user(flags, err) && check_stats_tls(flags, err) &&
	       read_switch(flags, FLAG_ALLOW_EXTERNAL_NAME, &flags->allows_external_name, err) &&
	       read_switch(flags, FLAG_LEGACY_CLASS_ANNOTATION, &flags->has_legacy_class, err) &&
	       read_default_backend(flags, err) && read_config_map(flags, err) &&
	       read_other_maps(flags, err) && read_watch(flags, err) && read_lease(flags, err) &&
	       read_publish(flags, err) &&
	       read_switch(flags, FLAG_NO_SSL_REDIRECT, &flags->is_ssl_redirect_off, err) &&
	       read_switch(flags, FLAG_SSL_PASSTHROUGH, &flags->has_passthrough, err) &&
	       read_default_certificate(flags, err) && check_conflicts(flags, err);
}

enum flags_outcome flags_parse(struct flags *flags, int argc, char *const *argv, struct err *err)
{
	*flags = (struct flags){0};
	read_defaults(flags);
	enum flags_outcome outcome = read_arguments(flags, argc, argv, err);
	if (outcome == FLAGS_RUN && !interpret(flags, err)) {
		return FLAGS_ERROR;
	}
	return outcome;
}

void flags_fini(struct flags *flags)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		free(flags->values[i]);
	}
	for (size_t i = 0; i < flags->n_watch_namespaces; i++) {
		free(flags->watch_namespaces[i]);
	}
	free(flags->watch_namespaces);
	free(flags->default_namespace);
	free(flags->default_service);
	free(flags->default_port);
	free(flags->own_namespace);
	free(flags->stats_name);
	free(flags->stats_hash);
	free(flags->config_map_namespace);
	free(flags->certificate_namespace);
	free(flags->certificate_secret);
	free(flags->config_map_name);
	free(flags->pages_namespace);
	free(flags->pages_name);
	free(flags->patterns_namespace);
	free(flags->patterns_name);
	free(flags->tcp_namespace);
	free(flags->tcp_name);
	free(flags->listeners);
	free(flags->lease_namespace);
	free(flags->lease_name);
	free(flags->publish_namespace);
	free(flags->publish_name);
	*flags = (struct flags){0};
}

bool flags_watch(const struct flags *flags, const char *namespace)
{
	for (size_t i = 0; i < flags->n_watch_namespaces; i++) {
		if (strcmp(flags->watch_namespaces[i], namespace) == 0) {
			return true;
		}
	}
	return flags->n_watch_namespaces == 0;
}

void flags_print_help(FILE *out)
{
	command_flags_print_help(out, "run",
		"Usage: headgate run [OPTION]...\n"
		"Keep HAProxy in step with the Ingress objects of a Kubernetes cluster.\n",
		"Signals: SIGTERM (after --drain-delay) and SIGINT end the program, when the "
		"HAProxy "
		"that it supervises\n"
		"(--haproxy) has ended in order; a second one ends the delay, a third everything "
		"at once; SIGHUP reads back HAProxy's maps, backends and servers and repairs "
		"what differs;\n"
		"SIGUSR1 does the same piece by piece, and says what differs ('headgate "
		"audit').\n\n"
		"Exit status: 0 ended in order, 1 failed while running, 2 wrong usage, 3 unusable "
		"input\n"
		"(kubeconfig, manifests, directories), 4 the API server refuses the credentials, 5 "
		"HAProxy is\n"
		"missing, unfit or out of reach.\n");
}
