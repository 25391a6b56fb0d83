/*
 * Error pages: what HAProxy answers by itself, in the words of the operator. Pure.
 *
 * A page is a whole HTTP/1 response: a status line with the status that it is for, headers, an
 * empty line and a body. Lines end with LF or CR LF. It is brought into the one form that every
 * HAProxy from 2.6 on reads the same way: CR LF, and a Content-Length that is right. What HAProxy
 * would refuse, or read otherwise than it is written, is refused here.
 *
 * Sources: RFC 9112 (sections 2 to 6); HAProxy's manual, errorfile.
 */
#ifndef HG_OPTION_PAGE_H
#define HG_OPTION_PAGE_H

#include <stddef.h>

#include "base/attr.h"

/* HAProxy keeps a page in one buffer (16,384 bytes), with 1,024 left for what rules add. */
#define PAGE_MAX_SIZE	 12000
#define PAGE_MAX_HEADERS 40

/* The statuses that HAProxy has pages for, in order. */
#define PAGE_COUNT 15
extern const char *const page_statuses[PAGE_COUNT];

/* The place of a status in that list; PAGE_COUNT = it is none of them. */
size_t page_find(const char *status) MUST_USE;

/*
 * The page for a status in HAProxy's form; the caller frees it. NULL: it can't be used, and
 * *ret_reason (owned) says why, with the remedy: "has …".
 */
char *page_read(const char *status, const char *text, char **ret_reason) MUST_USE;

#endif
