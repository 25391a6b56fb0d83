/*
 * Values of options. What is accepted must be canonical (reading it again gives the same for those
 * types whose canonical text is one that users may write), printable, and free of what the grammar
 * of records and maps is made of.
 *
 * Input: the number of an option, then the value.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/read.h"
#include "option/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Types whose canonical text is written differently from what users write. */
static bool is_rewritten(enum option_type type)
{
	return type == OPTION_TYPE_HEADERS || type == OPTION_TYPE_BALANCE ||
	       type == OPTION_TYPE_ADDRESSES || type == OPTION_TYPE_PATHS;
}

static void check_again(enum option_id option, const char *value)
{
	char *reason = NULL;

	if (*value == '\0' || is_rewritten(option_table[option].type)) {
		return;
	}
	char *again = option_parse(option, value, &reason);
	/* What is longer for being canonical may be too long. */
	assert(again == NULL || strcmp(again, value) == 0);
	assert(again != NULL || strstr(reason, "shorten it") != NULL);
	free(again);
	free(reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *reason = NULL;

	if (size < 1) {
		return 0;
	}
	enum option_id option = (enum option_id)(data[0] % OPTION_COUNT);
	char *text = xstrndup((const char *)data + 1, strnlen((const char *)data + 1, size - 1));
	char *value = option_parse(option, text, &reason);
	assert((value == NULL) == (reason != NULL));
	for (const char *c = value ? value : reason; *c != '\0' && value != NULL; c++) {
		assert((*c >= ' ' && *c <= '~') || *c == '\n');
	}
	if (value != NULL) {
		check_again(option, value);
	}
	const struct option_pair pair = {option_table[option].name, text};
	option_set_free(option_read(
		&(struct option_source){OPTION_SCOPE_CONTROLLER, "default"}, &pair, 1, NULL, NULL));
	free(value);
	free(reason);
	free(text);
	return 0;
}
