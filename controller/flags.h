/* The command line and the environment as one set of values. The only reader of argv and of
 * HEADGATE_ variables. */
#ifndef HG_FLAGS_H
#define HG_FLAGS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/log.h"

enum flag_id {
#define FLAG(id, name, argument, default_, help) FLAG_##id,
#include "flags.def"
	FLAG_COUNT
};

/* Exit statuses of the program; --help lists them. */
enum exit_status {
	EXIT_STATUS_OK = 0,
	EXIT_STATUS_FAILED = 1,	 /* something went wrong while running */
	EXIT_STATUS_USAGE = 2,	 /* the command line or the environment */
	EXIT_STATUS_INPUT = 3,	 /* kubeconfig, manifests, state directory */
	EXIT_STATUS_REFUSED = 4, /* the API server refuses our credentials */
	EXIT_STATUS_HAPROXY = 5, /* HAProxy is missing, unfit or out of reach */
};

struct flags {
	char *values[FLAG_COUNT]; /* owned; NULL = not set and no default */
	enum log_level log_level;
	enum log_format log_format;
	bool is_self_check;
	unsigned audit_seconds; /* --audit-interval; 0 = never by itself */
	bool allows_external_name;
	bool has_legacy_class;	 /* --legacy-class-annotation */
	char **watch_namespaces; /* --watch-namespace, each once; NULL = all */
	size_t n_watch_namespaces;
	unsigned rotation_seconds; /* --ticket-rotation */
	unsigned drain_delay_seconds;
	unsigned drain_timeout_seconds;
	bool is_strict_sni;
	bool is_proxy_accepted;
	char *default_namespace; /* parts of --default-backend; NULL = not set */
	char *default_service;
	char *default_port;
	char *stats_name;	  /* of --stats-user; NULL = none */
	char *stats_hash;	  /* of the password */
	char *own_namespace;	  /* that of --configmap, else $POD_NAMESPACE; NULL = not known */
	bool is_ssl_redirect_off; /* --no-ssl-redirect */
	bool has_passthrough;	  /* --enable-ssl-passthrough */
	char *certificate_namespace; /* parts of --default-certificate; NULL = not set */
	char *certificate_secret;
	char *config_map_namespace; /* parts of --configmap; NULL = not set */
	char *config_map_name;
	char *pages_namespace; /* parts of --configmap-errorfiles; NULL = not set */
	char *pages_name;
	char *patterns_namespace; /* of --configmap-patternfiles; the same */
	char *patterns_name;
	char *tcp_namespace; /* parts of --configmap-tcp-services; NULL = not set */
	char *tcp_name;
	char *listeners;       /* what says where something listens: "--http-bind=:8080 ..." */
	char *lease_namespace; /* parts of --lease, or of its default; NULL = there is none */
	char *lease_name;
	unsigned lease_seconds;
	char *publish_namespace; /* parts of --publish-service; NULL = not set */
	char *publish_name;
};

/* Each namespace costs a list and a watch a kind. */
#define FLAGS_MAX_WATCH_NAMESPACES 64

enum flags_outcome { FLAGS_RUN, FLAGS_HELP, FLAGS_ERROR };

/*
 * Reads the arguments behind the command's name, which is argv[0] and decides about the flags
 * that there are (command_flags.h), and the environment.
 * FLAGS_ERROR: `err` names the option and the remedy, the help of that command where it has one.
 * `flags` is filled in any case; release with flags_fini().
 */
enum flags_outcome flags_parse(
	struct flags *flags, int argc, char *const *argv, struct err *err) MUST_USE;
void flags_fini(struct flags *flags);

static inline const char *flags_get(const struct flags *flags, enum flag_id which)
{
	return flags->values[which];
}

/* Is the namespace one of --watch-namespace, or are all watched? */
bool flags_watch(const struct flags *flags, const char *namespace) MUST_USE;

void flags_print_help(FILE *out);

#endif
