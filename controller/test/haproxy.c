/* See haproxy.h. Blocking on purpose: it runs before and after the event loop of a test. */
#include "haproxy.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/model.h"

#define TRIES	1000
#define WAIT_US 10000

static void write_file(const char *dir, const char *name, const char *text)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/%s", dir, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The configuration with the folder's name in it. */
static void write_config(const struct haproxy *haproxy, const char *config)
{
	static const char mark[] = "@DIR@";
	struct buf text = BUF_INIT(0);
	const char *next;

	buf_printf(&text, "global\n\tstats socket %s mode 600 level admin\n\tstats timeout 1h\n",
		haproxy->socket);
	while ((next = strstr(config, mark)) != NULL) {
		buf_append(&text, config, (size_t)(next - config));
		buf_append_str(&text, haproxy->dir);
		config = next + strlen(mark);
	}
	buf_append_str(&text, config);
	write_file(haproxy->dir, "haproxy.cfg", buf_str(&text));
	buf_fini(&text);
}

static void run_haproxy(const struct haproxy *haproxy)
{
	const char *program = getenv("HAPROXY");
	CLEANUP(free_ptr) char *config = xasprintf("%s/haproxy.cfg", haproxy->dir);
	CLEANUP(free_ptr) char *log = xasprintf("%s/haproxy.log", haproxy->dir);
	CLEANUP(free_ptr) char *master = xasprintf("%s/master.sock", haproxy->dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	/* A test that dies takes its HAProxy along. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd >= 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
	}
	if (program == NULL || program[0] == '\0') {
		program = "haproxy";
	}
	execlp(program, program, "-W", "-S", master, "-f", config, (char *)NULL);
	dprintf(STDERR_FILENO, "can't run %s: %m\n", program);
	_exit(127);
}

static bool does_answer(const char *path)
{
	static const char command[] = "show version\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char answer[64];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path) + 1);
	bool is_ok = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		     send(fd, command, strlen(command), MSG_NOSIGNAL) > 0 &&
		     recv(fd, answer, sizeof(answer), 0) > 0;
	close(fd);
	return is_ok;
}

static void show_log(const struct haproxy *haproxy)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/haproxy.log", haproxy->dir);
	FILE *file = fopen(path, "r");
	char line[1024];

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		print_error("%s", line);
	}
	if (file != NULL) {
		fclose(file);
	}
}

static void wait_for_answer(const struct haproxy *haproxy)
{
	for (int i = 0; i < TRIES; i++) {
		if (does_answer(haproxy->socket)) {
			return;
		}
		if (waitpid(haproxy->master, NULL, WNOHANG) != 0) {
			break;
		}
		usleep(WAIT_US);
	}
	show_log(haproxy);
	fail_msg("HAProxy does not start");
}

struct haproxy *haproxy_start(const char *config)
{
	struct haproxy *haproxy = xcalloc(1, sizeof(*haproxy));

	haproxy->dir = xstrdup("/tmp/headgate-test.XXXXXX");
	assert_non_null(mkdtemp(haproxy->dir));
	haproxy->socket = xasprintf("%s/runtime.sock", haproxy->dir);
	write_config(haproxy, config);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		write_file(haproxy->dir, model_map_files[map], "");
	}
	haproxy->master = fork();
	assert_true(haproxy->master >= 0);
	if (haproxy->master == 0) {
		run_haproxy(haproxy);
	}
	wait_for_answer(haproxy);
	return haproxy;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *where)
{
	(void)info;
	(void)type;
	(void)where;
	return remove(path);
}

void haproxy_stop(struct haproxy *haproxy)
{
	if (haproxy == NULL) {
		return;
	}
	/* The worker ends when its master is gone. */
	kill(haproxy->master, SIGTERM);
	for (int i = 0; i < TRIES && waitpid(haproxy->master, NULL, WNOHANG) == 0; i++) {
		usleep(WAIT_US);
		if (i == TRIES / 4) {
			kill(haproxy->master, SIGKILL);
		}
	}
	nftw(haproxy->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(haproxy->socket);
	free(haproxy->dir);
	free(haproxy);
}
