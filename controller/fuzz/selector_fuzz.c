/* A label selector of any bytes, before the first line feed, and the labels of an object behind it:
 * refused with a reason, or the same answer whenever it is asked. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "kube/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	char *text = xstrndup((const char *)data, size);
	char *rest = strchr(text, '\n');

	if (rest != NULL) {
		*rest++ = '\0';
	}
	struct selector *selector = selector_parse(text, &err);
	assert((selector == NULL) == (err.kind != ERR_NONE));
	if (selector != NULL) {
		struct json_object *labels = rest != NULL ? json_tokener_parse(rest) : NULL;
		bool is_chosen = selector_matches(selector, labels);
		assert(selector_matches(selector, labels) == is_chosen);
		json_object_put(labels);
	}
	selector_free(selector);
	free(text);
	return 0;
}
