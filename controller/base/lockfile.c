/* See lockfile.h. */
#include "base/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define POLL_NS (20 * 1000 * 1000)

static bool lock_within(int fd, unsigned wait_ms)
{
	static const struct timespec poll = {.tv_nsec = POLL_NS};
	uint64_t end_ms = clock_now_ms() + wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK || clock_now_ms() >= end_ms) {
			return false;
		}
		nanosleep(&poll, NULL);
	}
	return true;
}

int lockfile_take(const char *path, unsigned wait_ms, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		err_set(err, errno == EACCES ? ERR_DENIED : ERR_INPUT,
			"can't make the file %s: %s: make its directory writable for the "
			"controller's user, or choose another",
			path, strerror(errno));
		return -1;
	}
	if (lock_within(fd, wait_ms)) {
		return fd;
	}
	err_set(err, ERR_INPUT,
		errno == EWOULDBLOCK ? "%s is held by another controller: stop that one, or choose "
				       "another directory"
				     : "can't lock %s: choose a directory on another file system",
		path);
	close(fd);
	return -1;
}
