/* See master.h. */
#include "haproxy/master.h"

#include <stdio.h>
#include <string.h>

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL ? end + 1 : line + strlen(line);
}

/*
 * #<PID>          <type>          <reloads>       <uptime>        <version>
 * 10374           master          2 [failed: 1]   0d00h00m03s     3.4.7-1
 * # workers
 * # old workers
 * 10577           worker          1               0d00h00m02s     3.4.7-1
 *
 * Reloads of a worker: how many were tried since it started. After one that failed, newer versions
 * list the worker that is still in charge as an old one: it is the one with the fewest.
 */
bool master_parse_status(const char *text, struct master_status *ret_status)
{
	struct master_status status = {0};
	long fewest = 0;
	bool is_known = false;

	for (const char *line = text; *line != '\0'; line = next_line(line)) {
		long pid = 0;
		long n = 0;
		long n_failed = 0;
		char type[16];

		if (sscanf(line, "%9ld %15s %9ld [failed: %9ld]", &pid, type, &n, &n_failed) < 3 ||
			pid <= 0) {
			continue;
		}
		if (strcmp(type, "master") == 0) {
			status.pid = pid;
			status.n_reloads = n;
			status.n_failed = n_failed;
			is_known = true;
		} else if (strcmp(type, "worker") == 0 && (status.worker_pid == 0 || n < fewest)) {
			status.worker_pid = pid;
			fewest = n;
		}
	}
	if (is_known) {
		*ret_status = status;
	}
	return is_known;
}

enum master_outcome master_parse_reload(const char *text)
{
	int success = -1;

	if (sscanf(text, "Success=%1d", &success) != 1 || success < 0) {
		return MASTER_UNKNOWN;
	}
	if (success == 1) {
		return MASTER_RELOADED;
	}
	return strstr(text, "Another reload is still in progress") != NULL ? MASTER_BUSY
									   : MASTER_REFUSED;
}

bool master_find_alert(const char *text, char *ret_alert, size_t size)
{
	const char *alert = strstr(text, "[ALERT]");

	if (alert == NULL) {
		return false;
	}
	size_t line_len = strcspn(alert, "\n");
	/* "[ALERT]    (10677) : config : parsing [file:1] : …": the words begin after the PID. */
	const char *words = memmem(alert, line_len, " : ", 3);
	const char *start = words != NULL ? words + 3 : alert;
	snprintf(ret_alert, size, "%.*s", (int)(line_len - (size_t)(start - alert)), start);
	return true;
}

long master_parse_worker_pid(const char *text)
{
	for (const char *line = text; *line != '\0'; line = next_line(line)) {
		long pid = 0;

		if (sscanf(line, "Pid: %9ld", &pid) == 1 && pid > 0) {
			return pid;
		}
	}
	return 0;
}

bool master_parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor)
{
	unsigned major = 0;
	unsigned minor = 0;

	/* "HA-Proxy" was how it wrote itself up to 2.3. */
	if (sscanf(text, "HAProxy version %4u.%4u", &major, &minor) != 2 &&
		sscanf(text, "HA-Proxy version %4u.%4u", &major, &minor) != 2) {
		return false;
	}
	*ret_major = major;
	*ret_minor = minor;
	return true;
}
