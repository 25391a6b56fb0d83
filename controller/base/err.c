/* See err.h. */
#include "base/err.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
	va_list args;

	assert(kind != ERR_NONE);
	err->kind = kind;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return false;
}

bool err_wrap(struct err *err, const char *format, ...)
{
	char inner[ERR_TEXT_SIZE];
	va_list args;

	memcpy(inner, err->text, sizeof(inner));
	va_start(args, format);
	int len = vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	if (len >= 0 && (size_t)len < sizeof(err->text)) {
		snprintf(err->text + len, sizeof(err->text) - (size_t)len, ": %s", inner);
	}
	return false;
}
