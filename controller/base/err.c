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
	size_t used = len < 0 ? 0 : strlen(err->text);
	size_t room = sizeof(err->text) - used;
	if (snprintf(err->text + used, room, ": %s", inner) < 0) {
		err->text[used] = '\0';
	}
	return false;
}
