/*
 * What HAProxy says about itself: whatever the lines are, a fact has the texts that its kind
 * promises, and what is ours by name is something that we could ask about.
 *
 * Input: one byte for the kind of answer, then its lines.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/encode.h"
#include "haproxy/readout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct fact *fact)
{
	struct buf line = BUF_INIT(0);

	switch (fact->kind) {
	case FACT_SERVER:
		assert(strstr(fact->backend, MODEL_BACKEND_INFIX) != NULL);
		assert(fact->name[0] != '\0' && strrchr(fact->value, ':') != NULL);
		assert(fact->admin <= APPLIED_MAINT);
		break;
	case FACT_ENTRY:
		assert(encode_map_line(&line, fact->name, "x") && fact->value != NULL);
		break;
	case FACT_LISTED:
	case FACT_VERSION:
	case FACT_FINGERPRINT:
	case FACT_SETTINGS:
	case FACT_CONFIGURATION:
		assert(fact->value != NULL);
		break;
	case FACT_BACKEND:
		assert(strstr(fact->name, MODEL_BACKEND_INFIX) != NULL);
		break;
	case FACT_CERTIFICATE:
		assert(strchr(fact->name, '/') == NULL);
		break;
	case FACT_PORTS:
		assert(strlen(fact->value) < APPLIED_PORTS_SIZE);
		break;
	case FACT_PID:
		assert(fact->number < 1000000000);
		break;
	default:
		break;
	}
	buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct readout readout;
	struct fact fact;
	char *line;

	if (size == 0) {
		return 0;
	}
	char *text = xstrndup((const char *)data + 1, size - 1);
	char *rest = text;
	readout_init(&readout, "/d");
	readout_begin(&readout, (enum readout_kind)(data[0] % (READOUT_PORTS + 1)));
	while ((line = strsep(&rest, "\n")) != NULL && readout_line(&readout, line, &fact)) {
		check(&fact);
	}
	(void)readout_is_complete(&readout);
	readout_fini(&readout);
	free(text);
	return 0;
}
