/* See bindable.h. Called by launch.c and left_out.c when HAProxy is started, by process.c after it
 * has ended at its start, and by the controller's ports.c. */
#include "haproxy/bindable.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"

/* "ADDRESS:PORT" as HAProxy takes it, the address in brackets, "*" or absent. NULL = of another
 * form. Freed with freeaddrinfo(). */
static struct addrinfo *read_bind(const char *bind)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
	const char *colon = strrchr(bind, ':');
	struct addrinfo *found = NULL;

	if (colon == NULL) {
		return NULL;
	}
	size_t len = (size_t)(colon - bind);
	bool is_in_brackets = len >= 2 && bind[0] == '[' && bind[len - 1] == ']';
	CLEANUP(free_ptr)
	char *host = is_in_brackets ? xstrndup(bind + 1, len - 2) : xstrndup(bind, len);
	bool is_any = *host == '\0' || strcmp(host, "*") == 0;

	return getaddrinfo(is_any ? "0.0.0.0" : host, colon + 1, &hints, &found) == 0 ? found
										      : NULL;
}

/* 0 = can be bound to, else errno. */
static int try_address(const struct addrinfo *address)
{
	static const int on = 1;
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd < 0) {
		return 0; /* says nothing of the address */
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (address->ai_family == AF_INET6) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	if (bind(fd, address->ai_addr, address->ai_addrlen) != 0) {
		error = errno;
	}
	close(fd);
	return error;
}

/* 0 = all of them can be bound to, else the errno of the first. */
static int try_binds(const char *binds)
{
	CLEANUP(free_ptr) char *chosen = bindable_choose(binds, bindable_has_ipv6());
	char *rest = chosen;
	int error = 0;

	while (rest != NULL && error == 0) {
		struct addrinfo *address = read_bind(strsep(&rest, ","));
		if (address != NULL) {
			error = try_address(address);
			freeaddrinfo(address);
		}
	}
	return error;
}

bool bindable_find_fault(const struct process_options *options, char *ret_text, size_t size)
{
	const struct {
		const char *option;
		const char *bind;
	} rows[] = {
		{"--http-bind", options->http_bind},
		{"--https-bind", options->https_bind},
		{"--stats-bind", options->stats_bind},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int error = try_binds(rows[i].bind);
		if (error != 0) {
			snprintf(ret_text, size,
				"can't listen on '%.100s': %s: end what else listens there, or "
				"choose another address or port with %s",
				rows[i].bind, strerror(error), rows[i].option);
			return true;
		}
	}
	return false;
}

int bindable_try_port(uint16_t port, bool has_ipv6)
{
	char binds[32];
	int n = snprintf(binds, sizeof(binds), ":%u", port);

	if (has_ipv6) {
		snprintf(binds + n, sizeof(binds) - (size_t)n, ",[::]:%u", port);
	}
	return try_binds(binds);
}

/* Of the others, only the port has a colon before it. */
static bool is_ipv6(const char *bind)
{
	return strchr(bind, ':') != strrchr(bind, ':');
}

char *bindable_choose(const char *binds, bool has_ipv6)
{
	if (binds == NULL) {
		return NULL;
	}
	CLEANUP(free_ptr) char *copy = xstrdup(binds);
	char *rest = copy;
	char *chosen = NULL;

	while (rest != NULL) {
		const char *bind = strsep(&rest, ",");
		if (has_ipv6 || !is_ipv6(bind)) {
			char *more = chosen ? xasprintf("%s,%s", chosen, bind) : xstrdup(bind);
			free(chosen);
			chosen = more;
		}
	}
	return chosen != NULL ? chosen : xstrdup(binds);
}

bool bindable_has_chosen_ipv6(const char *binds)
{
	CLEANUP(free_ptr) char *chosen = bindable_choose(binds, bindable_has_ipv6());

	return chosen != NULL && strchr(chosen, '[') != NULL;
}

bool bindable_has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0 || errno != EAFNOSUPPORT;
}
