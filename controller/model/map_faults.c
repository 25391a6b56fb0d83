/* See map_faults.h. Called by pages.c, patterns.c and tcp.c. */
#include "model/map_faults.h"

#include <stddef.h>

#include "base/alloc.h"
#include "base/buf.h"

void map_faults_add(void *faults, const char *key, const char *reason)
{
	struct buf *text = faults;

	if (reason != NULL) {
		buf_printf(text, "%sdata[%s] %s", text->len > 0 ? "; " : "", key, reason);
	}
}

char *map_faults_take(struct buf *faults, bool is_there, const char *namespace, const char *name)
{
	char *text = NULL;

	if (!is_there) {
		buf_append_str(faults, "there is no such ConfigMap: create it");
	}
	if (faults->len > 0) {
		text = xasprintf("ConfigMap %s/%s: %s", namespace, name, buf_str(faults));
	}
	buf_fini(faults);
	return text;
}
