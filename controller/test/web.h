/*
 * For component tests: web servers that answer with the name of their backend, and a client that
 * sends whatever bytes it is given. Failures end the test (cmocka's assertions).
 */
#ifndef HG_TEST_WEB_H
#define HG_TEST_WEB_H

#include <stddef.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/buf.h"

/* The name of a server whose body is the header of the request, as it came. */
#define WEB_ECHO "echo"

/*
 * One server a name, each on a port of its own on 127.0.0.1, all in one child process, which ends
 * with the test program. Each answers one request a connection: 200 with its name as the body.
 * Writes the addresses ("127.0.0.1:40001") into texts that the caller frees.
 */
pid_t web_start(const char *const *names, size_t n_names, char **ret_addresses) MUST_USE;

/* Sends the bytes to a Unix socket and reads until the end of the connection. The caller frees the
 * answer. */
char *web_exchange(const char *socket_path, const struct buf *request) MUST_USE;

/* The body of an answer with status 200, else the status ("404"), else "no answer". The caller
 * frees it. */
char *web_judge(const char *answer) MUST_USE;

#endif
