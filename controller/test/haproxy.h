/*
 * For component tests: a real HAProxy in master-worker mode in a folder of its own below /tmp,
 * ended with the test program. The program is $HAPROXY, or "haproxy" on PATH. Failures end the test
 * (cmocka's assertions).
 */
#ifndef HG_TEST_HAPROXY_H
#define HG_TEST_HAPROXY_H

#include <sys/types.h>

#include "base/attr.h"

struct haproxy {
	char *dir;    /* also holds the (empty) map files of model/maps.def */
	char *socket; /* runtime socket, level admin */
	pid_t master;
};

/*
 * Starts HAProxy on this configuration and waits until its runtime socket answers. "@DIR@" in the
 * text becomes the folder; the runtime socket is added.
 */
struct haproxy *haproxy_start(const char *config) MUST_USE;

/* Ends it, whatever state it is in, and removes the folder. */
void haproxy_stop(struct haproxy *haproxy);

#endif
