/* See scalar.h. */
#include "manifest/scalar.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/attr.h"

/* A longer number says nothing that a field here could take. */
#define NUMBER_MAX_LEN 63

struct word {
	const char *text;
	enum scalar_type type;
	bool is_true;
};

static const struct word words[] = {
	{"", SCALAR_NULL, false},
	{"~", SCALAR_NULL, false},
	{"null", SCALAR_NULL, false},
	{"Null", SCALAR_NULL, false},
	{"NULL", SCALAR_NULL, false},
	{"true", SCALAR_BOOL, true},
	{"True", SCALAR_BOOL, true},
	{"TRUE", SCALAR_BOOL, true},
	{"yes", SCALAR_BOOL, true},
	{"Yes", SCALAR_BOOL, true},
	{"YES", SCALAR_BOOL, true},
	{"on", SCALAR_BOOL, true},
	{"On", SCALAR_BOOL, true},
	{"ON", SCALAR_BOOL, true},
	{"y", SCALAR_BOOL, true},
	{"Y", SCALAR_BOOL, true},
	{"false", SCALAR_BOOL, false},
	{"False", SCALAR_BOOL, false},
	{"FALSE", SCALAR_BOOL, false},
	{"no", SCALAR_BOOL, false},
	{"No", SCALAR_BOOL, false},
	{"NO", SCALAR_BOOL, false},
	{"off", SCALAR_BOOL, false},
	{"Off", SCALAR_BOOL, false},
	{"OFF", SCALAR_BOOL, false},
	{"n", SCALAR_BOOL, false},
	{"N", SCALAR_BOOL, false},
};

static const struct word *find_word(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strlen(words[i].text) == len && memcmp(words[i].text, text, len) == 0) {
			return &words[i];
		}
	}
	return NULL;
}

/* Copies a number without its underscores; false = can't be a number. */
static bool copy_number(char *number, const char *text, size_t len)
{
	size_t n = 0;

	if (len == 0 || len > NUMBER_MAX_LEN || strchr("+-.0123456789", *text) == NULL) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0') {
			return false;
		}
		if (text[i] != '_') {
			number[n++] = text[i];
		}
	}
	number[n] = '\0';
	return true;
}

/* The base that a prefix asks for; skips the prefix. */
static int take_base(const char **digits)
{
	static const struct {
		const char *prefix;
		int base;
	} bases[] = {{"0x", 16}, {"0X", 16}, {"0o", 8}, {"0O", 8}, {"0b", 2}, {"0B", 2}, {"0", 8}};

	for (size_t i = 0; i < ARRAY_LEN(bases); i++) {
		size_t len = strlen(bases[i].prefix);
		if (strncmp(*digits, bases[i].prefix, len) == 0 && (*digits)[len] != '\0') {
			*digits += len;
			return bases[i].base;
		}
	}
	return 10;
}

static struct json_object *decode_int(const char *number)
{
	const char *digits = number + (*number == '-' || *number == '+');
	bool is_negative = *number == '-';
	int base = take_base(&digits);
	char *end;

	if (!isxdigit((unsigned char)*digits)) {
		return NULL; /* strtoull would take a second sign */
	}
	errno = 0;
	unsigned long long value = strtoull(digits, &end, base);
	if (*end != '\0' || errno != 0 || (is_negative && value > (uint64_t)INT64_MAX)) {
		return NULL;
	}
	return is_negative ? json_object_new_int64(-(int64_t)value) : json_object_new_uint64(value);
}

/* [-+]? ( digits [. digits] | . digits ) [exponent], the decimal point being a dot in any locale.
 */
static bool is_decimal(const char *text)
{
	static const char digits[] = "0123456789";

	text += *text == '-' || *text == '+';
	size_t whole = strspn(text, digits);
	text += whole;
	if (*text == '.') {
		size_t fraction = strspn(text + 1, digits);
		text += 1 + fraction;
		whole += fraction;
	}
	if (whole == 0) {
		return false;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '-' || *text == '+';
		size_t exponent = strspn(text, digits);
		text += exponent;
		return exponent > 0 && *text == '\0';
	}
	return *text == '\0';
}

enum scalar_type scalar_decode(const char *text, size_t len, struct json_object **ret_value)
{
	char number[NUMBER_MAX_LEN + 1];
	const struct word *word = find_word(text, len);
	enum scalar_type type = SCALAR_TEXT;
	struct json_object *value = NULL;

	if (word != NULL) {
		type = word->type;
		value = type == SCALAR_BOOL ? json_object_new_boolean(word->is_true) : NULL;
	} else if (copy_number(number, text, len) && (value = decode_int(number)) != NULL) {
		type = SCALAR_INT;
	} else if (copy_number(number, text, len) && is_decimal(number) &&
		   isfinite(strtod(number, NULL))) {
		type = SCALAR_FLOAT;
		value = json_object_new_double(strtod(number, NULL));
	} else {
		value = json_object_new_string_len(text, (int)len);
	}
	assert(type == SCALAR_NULL || value != NULL);
	*ret_value = value;
	return type;
}
