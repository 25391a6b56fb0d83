/* See buf.h. */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BUF_MIN_SIZE 64

void buf_init(struct buf *buf, size_t max)
{
	*buf = (struct buf)BUF_INIT(max);
}

/* Bytes that are not used any more. */
static void wipe(const struct buf *buf, size_t from, size_t to)
{
	if (buf->is_secret && from < to) {
		explicit_bzero(buf->data + from, to - from);
	}
}

void buf_fini(struct buf *buf)
{
	wipe(buf, 0, buf->len);
	free(buf->data);
	*buf = (struct buf){0};
}

void buf_clear(struct buf *buf)
{
	wipe(buf, 0, buf->len);
	buf->len = 0;
	buf->has_failed = false;
	if (buf->data != NULL) {
		buf->data[0] = '\0';
	}
}

/* Like realloc, but a secret leaves no copy where it was. */
static void resize(struct buf *buf, size_t size)
{
	if (buf->is_secret && buf->data != NULL) {
		char *data = xmalloc(size);

		memcpy(data, buf->data, buf->len + 1);
		wipe(buf, 0, buf->len);
		free(buf->data);
		buf->data = data;
	} else {
		buf->data = xreallocarray(buf->data, size, 1);
	}
	buf->size = size;
}

/* Makes room for `more` bytes and the closing NUL; false = over the limit. */
static bool reserve(struct buf *buf, size_t more)
{
	size_t max = buf->max ? buf->max : BUF_DEFAULT_MAX;

	if (buf->has_failed || more > max || buf->len > max - more) {
		buf->has_failed = true;
		return false;
	}
	size_t need = buf->len + more + 1;
	if (need <= buf->size) {
		return true;
	}
	size_t size = buf->size ? buf->size : BUF_MIN_SIZE;
	while (size < need) {
		size *= 2;
	}
	resize(buf, size);
	return true;
}

void buf_append(struct buf *buf, const void *data, size_t len)
{
	if (!reserve(buf, len)) {
		return;
	}
	if (len > 0) {
		memcpy(buf->data + buf->len, data, len);
	}
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void buf_append_str(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char c)
{
	buf_append(buf, &c, 1);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	va_list again;

	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	assert(len >= 0);
	if (reserve(buf, (size_t)len)) {
		vsnprintf(buf->data + buf->len, (size_t)len + 1, format, args);
		buf->len += (size_t)len;
	}
}

void buf_truncate(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len < buf->len) {
		wipe(buf, len, buf->len);
		buf->len = len;
		buf->data[len] = '\0';
	}
}

void buf_consume(struct buf *buf, size_t len)
{
	assert(len <= buf->len);
	if (len == 0) {
		return;
	}
	memmove(buf->data, buf->data + len, buf->len - len + 1);
	wipe(buf, buf->len - len + 1, buf->len + 1);
	buf->len -= len;
}

const char *buf_str(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_take(struct buf *buf)
{
	char *text = buf->data ? buf->data : xstrdup("");

	buf->data = NULL;
	buf->len = 0;
	buf->size = 0;
	return text;
}
