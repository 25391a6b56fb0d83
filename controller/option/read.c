/* See read.h. Called by the model and by `headgate check`; must not know what options do. */
#include "option/read.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value.h"

#define NATIVE_PREFIX "headgate.dev/"
/* Under this one keys may be another program's. */
#define SHARED_PREFIX "ingress.kubernetes.io/"
/* Of a value, in a report. */
#define MAX_SHOWN 64

static const char *const prefixes[] = {
	NATIVE_PREFIX, "haproxy.org/", SHARED_PREFIX, "haproxy.com/", NULL};

/* Whoever comes from these controllers has such annotations, and may take them for being in force.
 */
static const struct {
	const char *prefix;
	const char *whose;
} others[] = {
	{"nginx.ingress.kubernetes.io/", "ingress-nginx"},
	{"haproxy-ingress.github.io/", "haproxy-ingress"},
};

const char *const option_verdict_names[OPTION_VERDICT_COUNT] = {
	[OPTION_APPLIED] = "applied", [OPTION_IGNORED] = "ignored", [OPTION_REFUSED] = "refused"};

const struct dialect_row dialect_haproxytech[] = {
#define SAME(key, id)	     {(key), DIALECT_SAME, OPTION_##id, NULL},
#define ALIAS(key, id)	     {(key), DIALECT_ALIAS, OPTION_##id, NULL},
#define BESIDE(key, how)     {(key), DIALECT_BESIDE, OPTION_COUNT, (how)},
#define NOTHING(key, reason) {(key), DIALECT_NOTHING, OPTION_COUNT, (reason)},
#define REFUSED(key, reason) {(key), DIALECT_REFUSED, OPTION_COUNT, (reason)},
#include "option/haproxytech.def"
};

const size_t dialect_n_haproxytech = ARRAY_LEN(dialect_haproxytech);

/* What a key asks for. */
struct request {
	const struct dialect_row *row; /* NULL = the option by its own name, or nothing known */
	enum option_id option;
	unsigned rank; /* the lowest of one option goes first; 0 = no key of ours */
};

struct reading {
	enum option_scope scope;
	const char *namespace; /* see struct option_source */
	const struct option_pair *pairs;
	size_t first[OPTION_COUNT];   /* which pair it is that sets an option, and … */
	unsigned ranks[OPTION_COUNT]; /* … its rank; 0 = none does */
	struct option_set *set;
	bool lacks_source; /* src-ip-header is there and can't be used */
	option_report_fn report;
	void *ctx;
};

static const struct dialect_row *find_row(const char *key)
{
	for (size_t i = 0; i < dialect_n_haproxytech; i++) {
		if (strcmp(dialect_haproxytech[i].key, key) == 0) {
			return &dialect_haproxytech[i];
		}
	}
	return NULL;
}

/* An annotation of the dialect, but for its prefix: haproxytech's controller reads those, too. */
static bool lacks_prefix(const char *key)
{
	return strchr(key, '/') == NULL && find_row(key) != NULL;
}

/* The controller whose annotation this is; NULL = ours, or nobody's that we know. */
static const char *find_other(const char *key)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		if (strncmp(key, others[i].prefix, strlen(others[i].prefix)) == 0) {
			return others[i].whose;
		}
	}
	return NULL;
}

bool option_is_key(const char *key)
{
	for (size_t i = 0; prefixes[i] != NULL; i++) {
		if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0) {
			return true;
		}
	}
	return lacks_prefix(key) || find_other(key) != NULL;
}

static struct request find_foreign(const char *key, unsigned rank)
{
	const struct dialect_row *row = find_row(key);
	bool is_alias = row != NULL && row->what == DIALECT_ALIAS;

	return (struct request){
		row, row ? row->option : OPTION_COUNT, 2 * rank + (is_alias ? 1 : 0)};
}

static bool is_config(enum option_scope scope)
{
	return (scope & OPTION_SCOPES_CONFIG) != 0;
}

static struct request find_request(enum option_scope scope, const char *key)
{
	if (is_config(scope)) {
		enum option_id option = option_find(key);
		return option < OPTION_COUNT ? (struct request){NULL, option, 2}
					     : find_foreign(key, 2);
	}
	for (unsigned i = 0; prefixes[i] != NULL; i++) {
		size_t len = strlen(prefixes[i]);
		if (strncmp(key, prefixes[i], len) != 0) {
			continue;
		}
		return i == 0 ? (struct request){NULL, option_find(key + len), 2}
			      : find_foreign(key + len, i + 1);
	}
	return (struct request){NULL, OPTION_COUNT, 0};
}

static void say(const struct reading *reading, size_t pair, const struct request *request,
	enum option_verdict verdict, const char *reason)
{
	if (reading->report != NULL) {
		reading->report(reading->ctx, &(struct option_report){reading->pairs[pair].key,
						      verdict, request->option, reason});
	}
}

/* Does who is verified hang on this reference: servers, clients, or who reads metrics? */
static bool is_of_peers(enum option_id option)
{
	return option == OPTION_CLIENT_CA || option == OPTION_PROMETHEUS_ENDPOINT_AUTH_SECRET ||
	       (option < OPTION_COUNT && option_table[option].type == OPTION_TYPE_REFERENCE &&
		       option_table[option].apply == OPTION_APPLY_BACKEND);
}

/* Takes the reason. */
static void refuse(
	struct reading *reading, size_t pair, const struct request *request, char *reason)
{
	reading->set->is_closed |=
		request->option < OPTION_COUNT && option_is_access(request->option);
	reading->lacks_source |= request->option == OPTION_SRC_IP_HEADER;
	/* Nobody gets less safety than was asked for. */
	if (is_of_peers(request->option)) {
		free(reading->set->values[request->option]);
		reading->set->values[request->option] = xstrdup(OPTION_REFUSED_REFERENCE);
	}
	say(reading, pair, request, OPTION_REFUSED, reason);
	free(reason);
}

/* Where this option may be set. */
static char *wrong_scope(const struct option_info *info)
{
	return xasprintf("can't be set here: set it %s",
		info->scopes == OPTION_SCOPE_SERVICE   ? "on a Service"
		: info->scopes == OPTION_SCOPE_INGRESS ? "on an Ingress"
		: (info->scopes & OPTION_SCOPE_SERVICE) != 0
			? "on a Service, an Ingress or in a ConfigMap"
		: (info->scopes & OPTION_SCOPE_INGRESS) != 0 ? "on an Ingress or in a ConfigMap"
							     : "in the controller's ConfigMap");
}

/* The reference with its namespace, in the place of one without. Takes `reference`, on failure too.
 */
static char *qualify(const struct reading *reading, char *reference, char **ret_reason)
{
	const char *slash = strchr(reference, '/');

	if (reference[0] == '\0' || reading->namespace == NULL) {
		return reference;
	}
	if (slash == NULL) {
		char *whole = xasprintf("%s/%s", reading->namespace, reference);
		free(reference);
		return whole;
	}
	size_t len = (size_t)(slash - reference);
	bool is_own = strlen(reading->namespace) == len &&
		      strncmp(reading->namespace, reference, len) == 0;
	if (!is_own && !is_config(reading->scope)) {
		*ret_reason = xasprintf("in another namespace than this object: store it in %s, or "
					"let the operator set the option for the class",
			reading->namespace);
		free(reference);
		return NULL;
	}
	return reference;
}

static void take_option(struct reading *reading, size_t pair, const struct request *request)
{
	const struct option_info *info = &option_table[request->option];
	const char *value = reading->pairs[pair].value;
	char *reason = NULL;

	if ((info->scopes & reading->scope) == 0) {
		CLEANUP(free_ptr) char *text = wrong_scope(info);
		say(reading, pair, request, OPTION_REFUSED, text);
		return;
	}
	if (reading->first[request->option] != pair) {
		CLEANUP(free_ptr)
		char *text = xasprintf("is not looked at: %s says the same and goes before it",
			reading->pairs[reading->first[request->option]].key);
		say(reading, pair, request, OPTION_IGNORED, text);
		return;
	}
	if (info->apply == OPTION_APPLY_NONE) {
		refuse(reading, pair, request, xstrdup("is not supported yet: remove it"));
		return;
	}
	char *canonical = value ? option_parse(request->option, value, &reason) : NULL;
	if (canonical != NULL && info->type == OPTION_TYPE_REFERENCE) {
		canonical = qualify(reading, canonical, &reason);
	}
	if (canonical == NULL) {
		refuse(reading, pair, request,
			value ? xasprintf("is '%.*s', %s", MAX_SHOWN, value, reason)
			      : xasprintf("is longer than %d bytes: shorten it", OPTION_MAX_VALUE));
		free(reason);
		return;
	}
	reading->set->values[request->option] = canonical;
	say(reading, pair, request, OPTION_APPLIED, NULL);
}

/* A key that is no option. */
static void take_row(struct reading *reading, size_t pair, const struct request *request)
{
	const struct dialect_row *row = request->row;

	say(reading, pair, request, row->what == DIALECT_REFUSED ? OPTION_REFUSED : OPTION_IGNORED,
		row->reason);
}

/* A key that nothing here is read from. */
static void say_why_unread(
	const struct reading *reading, size_t pair, const struct request *request)
{
	const char *key = reading->pairs[pair].key;
	const char *whose = find_other(key);
	CLEANUP(free_ptr) char *text = NULL;

	if (whose != NULL) {
		text = xasprintf("is %s's and is not read: see docs/options.md for an option that "
				 "does the same",
			whose);
	} else if (lacks_prefix(key)) {
		text = xasprintf("has no prefix and is not read: write haproxy.org/%s", key);
	}
	if (text != NULL) {
		say(reading, pair, request, OPTION_IGNORED, text);
	}
}

static void take_pair(struct reading *reading, size_t pair)
{
	const char *key = reading->pairs[pair].key;
	struct request request = find_request(reading->scope, key);

	if (request.rank == 0) {
		say_why_unread(reading, pair, &request);
		return;
	}
	if (request.option < OPTION_COUNT) {
		take_option(reading, pair, &request);
	} else if (request.row != NULL) {
		take_row(reading, pair, &request);
	} else {
		bool is_shared = strncmp(key, SHARED_PREFIX, strlen(SHARED_PREFIX)) == 0;
		say(reading, pair, &request, is_shared ? OPTION_IGNORED : OPTION_REFUSED,
			"is no option: remove it, or see docs/options.md for how it is written");
	}
}

static void find_first(struct reading *reading, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct request request = find_request(reading->scope, reading->pairs[i].key);
		if (request.option == OPTION_COUNT) {
			continue;
		}
		unsigned rank = reading->ranks[request.option];
		if (rank == 0 || request.rank < rank) {
			reading->ranks[request.option] = request.rank;
			reading->first[request.option] = i;
		}
	}
}

static bool has_list(const struct option_set *set, enum option_id option)
{
	return set->values[option] != NULL && set->values[option][0] != '\0';
}

struct option_set *option_read(const struct option_source *source, const struct option_pair *pairs,
	size_t n, option_report_fn report, void *ctx)
{
	struct reading reading = {.scope = source->scope,
		.namespace = source->namespace,
		.pairs = pairs,
		.report = report,
		.ctx = ctx};

	if (n == 0) {
		return NULL;
	}
	reading.set = xcalloc(1, sizeof(*reading.set));
	find_first(&reading, n);
	for (size_t i = 0; i < n; i++) {
		take_pair(&reading, i);
	}
	/* The lists would be about whoever stands in front of HAProxy. */
	reading.set->is_closed |=
		reading.lacks_source && (has_list(reading.set, OPTION_ALLOW_LIST) ||
						has_list(reading.set, OPTION_DENY_LIST));
	if (option_set_is_empty(reading.set)) {
		option_set_free(reading.set);
		return NULL;
	}
	return reading.set;
}
