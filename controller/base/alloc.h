/*
 * Memory that is always there: these functions end the program with a message when the system has
 * no memory left, because a controller that goes on half-informed is worse than one that is started
 * again (HAProxy keeps serving).
 */
#ifndef HG_BASE_ALLOC_H
#define HG_BASE_ALLOC_H

#include <stddef.h>

#include "base/attr.h"

void *xmalloc(size_t size) MUST_USE;
void *xcalloc(size_t n, size_t size) MUST_USE;

/* Aborts also when n * size overflows. */
void *xreallocarray(void *ptr, size_t n, size_t size) MUST_USE;

char *xstrdup(const char *text) MUST_USE;
char *xstrndup(const char *text, size_t len) MUST_USE;

/* Two texts behind each other in one block, which is freed with the first. */
char *xstrpair(const char *first, const char *second, char **ret_second) MUST_USE;

/* Formats into a new string that the caller frees. */
char *xasprintf(const char *format, ...) MUST_USE PRINTF_LIKE(1, 2);

/* For CLEANUP(free_ptr): frees the pointer that the variable holds. */
void free_ptr(void *variable);

#endif
