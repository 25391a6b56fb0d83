/*
 * The file of TLS ticket keys. It is none of a generation: it is older than all of them and changes
 * by the clock, not with the routes. It is replaced as a whole, so HAProxy never reads a part.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "haproxy/state_priv.h"
#include "haproxy/tickets.h"

enum verdict { GOOD, MISSING, DAMAGED };

static bool read_whole(int fd, char *data, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, data + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR) {
			return false;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	*ret_len = len;
	return true;
}

static enum verdict look(const struct state *state, struct ticket_keys *ret_keys, int64_t *ret_time)
{
	char text[TICKETS_TEXT_LEN + 1]; /* a byte more shows that there is more */
	struct stat info;
	size_t len;
	int fd = openat(state->fd, STATE_TICKETS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0) {
		return errno == ENOENT ? MISSING : DAMAGED;
	}
	bool is_good = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
		       read_whole(fd, text, sizeof(text), &len) &&
		       tickets_parse(text, len, ret_keys);
	explicit_bzero(text, sizeof(text));
	/* What others may read is no secret: some volumes are made readable for a group. */
	if (is_good && (info.st_mode & 0077) != 0) {
		(void)fchmod(fd, 0600);
	}
	close(fd);
	if (is_good) {
		*ret_time = info.st_mtime;
	}
	return is_good ? GOOD : DAMAGED;
}

static bool write_keys(struct state *state, const struct ticket_keys *keys, struct err *err)
{
	struct buf text = {.max = TICKETS_TEXT_LEN, .is_secret = true};

	tickets_format(&text, keys);
	const struct state_content content = {buf_str(&text), text.len, 0600};
	bool is_ok = state_replace_file(state, STATE_TICKETS, &content, err);
	buf_fini(&text);
	return is_ok;
}

/* A new directory has none, of course. */
static void report(const struct state *state, enum verdict verdict)
{
	enum log_level level = verdict == DAMAGED ? LOG_WARN
			       : state->gen > 0	  ? LOG_INFO
						  : LOG_DEBUG;

	log_line(level, "made new TLS ticket keys", "file", state->tickets_file, "reason",
		verdict == DAMAGED ? "the file was damaged" : "there was no file", NULL);
}

bool state_read_tickets(
	struct state *state, struct ticket_keys *ret_keys, int64_t *ret_time, struct err *err)
{
	struct ticket_keys keys = {0};

	enum verdict verdict = look(state, ret_keys, ret_time);
	if (verdict == GOOD) {
		return true;
	}
	bool is_ok = tickets_make(&keys, err) && write_keys(state, &keys, err);
	if (is_ok) {
		report(state, verdict);
		*ret_keys = keys;
		*ret_time = 0;
	}
	tickets_wipe(&keys);
	return is_ok;
}

bool state_check_tickets(struct state *state, struct err *err)
{
	struct ticket_keys keys = {0};
	int64_t written;
	bool is_ok = state_read_tickets(state, &keys, &written, err);

	tickets_wipe(&keys);
	return is_ok;
}

bool state_rotate_tickets(struct state *state, struct ticket_keys *ret_keys, struct err *err)
{
	struct ticket_keys keys = {0};
	int64_t written;
	bool is_ok = state_read_tickets(state, &keys, &written, err) &&
		     tickets_rotate(&keys, err) && write_keys(state, &keys, err);

	if (is_ok) {
		*ret_keys = keys;
	}
	tickets_wipe(&keys);
	return is_ok;
}

const char *state_tickets_file(const struct state *state)
{
	return state->tickets_file;
}
