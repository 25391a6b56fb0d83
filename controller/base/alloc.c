/* See alloc.h. The only file that calls malloc and its kin directly. */
#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void NORETURN out_of_memory(void)
{
	fputs("headgate: out of memory\n", stderr);
	abort();
}

static void *check(void *ptr)
{
	if (ptr == NULL) {
		out_of_memory();
	}
	return ptr;
}

void *xmalloc(size_t size)
{
	return check(malloc(size ? size : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size ? size : 1));
}

void *xreallocarray(void *ptr, size_t n, size_t size)
{
	return check(reallocarray(ptr, n ? n : 1, size ? size : 1));
}

char *xstrdup(const char *text)
{
	return check(strdup(text));
}

char *xstrndup(const char *text, size_t len)
{
	return check(strndup(text, len));
}

char *xstrpair(const char *first, const char *second, char **ret_second)
{
	size_t first_size = strlen(first) + 1;
	size_t second_size = strlen(second) + 1;
	char *block = xmalloc(first_size + second_size);

	memcpy(block, first, first_size);
	memcpy(block + first_size, second, second_size);
	*ret_second = block + first_size;
	return block;
}

char *xasprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0) {
		out_of_memory();
	}
	return text;
}

void free_ptr(void *variable)
{
	void *ptr;

	memcpy(&ptr, variable, sizeof(ptr));
	free(ptr);
}
