/* See process_metrics.h. Source of the fields: proc(5). */
#include "admin/process_metrics.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static void write_metric(
	struct buf *buf, const char *type, const char *name, const char *help, double value)
{
	buf_printf(
		buf, "# HELP %s %s\n# TYPE %s %s\n%s %.17g\n", name, help, name, type, name, value);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double resident_bytes(void)
{
	unsigned long total = 0;
	unsigned long resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file == NULL) {
		return 0;
	}
	if (fscanf(file, "%lu %lu", &total, &resident) != 2) {
		resident = 0;
	}
	fclose(file);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	double n = 0;

	if (dir == NULL) {
		return 0;
	}
	while (readdir(dir) != NULL) {
		n++;
	}
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

/* Field 22 of /proc/self/stat, in ticks since boot; the name in field 2 may hold blanks, so count
 * from its ')'. */
static double start_time(void)
{
	char line[1024];
	double boot = 0;
	FILE *file = fopen("/proc/self/stat", "re");

	if (file == NULL || fgets(line, sizeof(line), file) == NULL) {
		line[0] = '\0';
	}
	if (file != NULL) {
		fclose(file);
	}
	char *field = strrchr(line, ')');
	for (int i = 0; field != NULL && i < 20; i++) {
		field = strchr(field + 1, ' ');
	}
	double ticks = field ? strtod(field, NULL) : 0;
	file = fopen("/proc/stat", "re");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "btime ", 6) == 0) {
			boot = strtod(line + 6, NULL);
		}
	}
	if (file != NULL) {
		fclose(file);
	}
	return boot + ticks / (double)sysconf(_SC_CLK_TCK);
}

void process_metrics_write(struct buf *buf)
{
	write_metric(buf, "counter", "process_cpu_seconds_total",
		"Total user and system CPU time spent in seconds.", cpu_seconds());
	write_metric(buf, "gauge", "process_resident_memory_bytes",
		"Resident memory size in bytes.", resident_bytes());
	write_metric(
		buf, "gauge", "process_open_fds", "Number of open file descriptors.", open_files());
	write_metric(buf, "gauge", "process_start_time_seconds",
		"Start time of the process since unix epoch in seconds.", start_time());
}
