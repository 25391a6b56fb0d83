/*
 * Which addresses HAProxy is told to listen on, and why it could not listen: it says so on its
 * standard error, which is ours and not read by us, and ends. So the addresses are tried once more,
 * in its place.
 */
#ifndef HG_HAPROXY_BINDABLE_H
#define HG_HAPROXY_BINDABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "haproxy/process.h"

/*
 * Binds to each TCP address that HAProxy was told to listen on, as HAProxy does, and lets go at
 * once. False = all are free, or of a form that is not looked at (Unix sockets, names). Else the
 * text names the first that is not, its option, the reason and the remedy.
 */
bool bindable_find_fault(
	const struct process_options *options, char *ret_text, size_t size) MUST_USE;

/* The same for a port of TCP services: on all addresses of IPv4, and of IPv6 if HAProxy has one of
 * these for HTTP. 0 = HAProxy can have it, else errno. A port that HAProxy has itself can be had
 * only by its user. */
int bindable_try_port(uint16_t port, bool has_ipv6) MUST_USE;

/*
 * Of `binds` ("ADDRESS:PORT", separated by commas) those that a machine can have: where the kernel
 * has no IPv6, HAProxy would not start for an address of that family. If there are no others, all.
 * NULL for NULL; the caller frees the text.
 */
char *bindable_choose(const char *binds, bool has_ipv6) MUST_USE;

bool bindable_has_ipv6(void) MUST_USE;

/* Does bindable_choose() leave one of IPv6? `binds` may be NULL. */
bool bindable_has_chosen_ipv6(const char *binds) MUST_USE;

#endif
