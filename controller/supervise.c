/* See supervise.h. Called by run.c and haproxy_command.c. */
#include "supervise.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/lockfile.h"

struct process_options supervise_options(
	const struct flags *flags, const char *backends_dir, const char *settings_file)
{
	return (struct process_options){
		.haproxy = flags_get(flags, FLAG_HAPROXY),
		.config_dir = flags_get(flags, FLAG_CONFIG_DIR),
		.backends_dir = backends_dir,
		.settings_file = settings_file,
		.state_dir = flags_get(flags, FLAG_STATE_DIR),
		.run_dir = flags_get(flags, FLAG_RUN_DIR),
		.runtime_socket = flags_get(flags, FLAG_RUNTIME_SOCKET),
		.master_socket = flags_get(flags, FLAG_MASTER_SOCKET),
		.http_bind = flags_get(flags, FLAG_HTTP_BIND),
		.stats_bind = flags_get(flags, FLAG_STATS_BIND),
		.stats_name = flags->stats_name,
		.stats_hash = flags->stats_hash,
		.stats_tls_bind = flags_get(flags, FLAG_STATS_TLS_BIND),
		.stats_certificate = flags_get(flags, FLAG_STATS_CERTIFICATE),
		.https_bind = flags_get(flags, FLAG_HTTPS_BIND),
		.server_header = flags_get(flags, FLAG_SERVER_HEADER),
		.grace_ms = flags->drain_timeout_seconds * 1000,
		.is_strict_sni = flags->is_strict_sni,
		.is_proxy_accepted = flags->is_proxy_accepted,
	};
}

static bool make_directory(const char *path, struct err *err)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST) {
		return true;
	}
	return err_set(err, ERR_INPUT,
		"can't create '%s': %s: create it, or choose another with --run-dir", path,
		strerror(errno));
}

static bool check_config_directory(const char *path, struct err *err)
{
	return access(path, R_OK | X_OK) == 0 ||
	       err_set(err, ERR_INPUT,
		       "HAProxy's configuration %s: %s: run `make install`, or name the directory "
		       "(haproxy-cfg in Headgate's sources) with --config-dir",
		       path, strerror(errno));
}

/* Two controllers that supervise one HAProxy would each take the other's changes away. */
int supervise_lock(const struct flags *flags, struct err *err)
{
	const char *directory = flags_get(flags, FLAG_RUN_DIR);
	CLEANUP(free_ptr) char *path = xasprintf("%s/lock", directory);

	if (!check_config_directory(flags_get(flags, FLAG_CONFIG_DIR), err) ||
		!make_directory(directory, err)) {
		return -1;
	}
	int fd = lockfile_take(path, LOCKFILE_WAIT_MS, err);
	if (fd < 0) {
		err_wrap(err, "--run-dir");
	}
	return fd;
}
