/*
 * Why HAProxy could not listen: it says so on its standard error, which is ours and not read by us,
 * and ends. So the addresses are tried once more, in its place.
 */
#ifndef HG_HAPROXY_BINDABLE_H
#define HG_HAPROXY_BINDABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "haproxy/process.h"

/*
 * Binds to each TCP address that HAProxy was told to listen on, as HAProxy does, and lets go at
 * once. False = all are free, or of a form that is not looked at (Unix sockets, names). Else the
 * text names the first that is not, its option, the reason and the remedy.
 */
bool bindable_find_fault(
	const struct process_options *options, char *ret_text, size_t size) MUST_USE;

#endif
