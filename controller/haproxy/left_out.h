/*
 * TCP ports that HAProxy is to listen on and can't have when it is started: it would not start, so
 * they are left out. Nobody else's settings are touched: a file of its own, which HAProxy reads
 * after that of settings, says them once more without these ports, and their digest, so that
 * whoever reads back what HAProxy runs with is told the truth.
 *
 * The file holds for as long as that of settings is the one that was there at the start: a master
 * goes on reading what it was started with, and what the controller writes later goes before it.
 * So the ports come back when the controller has written the settings anew.
 */
#ifndef HG_HAPROXY_LEFT_OUT_H
#define HG_HAPROXY_LEFT_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "haproxy/process.h"

/*
 * Tries the ports that the file of settings says. NULL = HAProxy can have all of them. Else the log
 * has been told which it can't have, and the file that leaves them out, RUN-DIR/ports.cfg, is
 * written: its name, which the caller frees.
 */
char *left_out_write(const struct process_options *options) MUST_USE;

/* Appends what such a file says, for the content of a file of settings. False = that is not one;
 * the buffer is what it was. */
bool left_out_encode(
	struct buf *buf, const char *content, const uint16_t *ports, size_t n) MUST_USE;

#endif
