/* See lockfile.h. */
#include "base/lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int lockfile_take(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0) {
		err_set(err, errno == EACCES ? ERR_DENIED : ERR_INPUT,
			"can't make the file %s: %s: make its directory writable for the "
			"controller's user, or choose another",
			path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
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
