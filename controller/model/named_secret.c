/* See named_secret.h. */
#include "model/named_secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void named_secret_set(struct model *model, const struct store *store, char **reference,
	struct secret_node **secret, const char *wanted)
{
	struct secret_node *before = *secret;

	wanted = wanted != NULL && *wanted != '\0' ? wanted : NULL;
	if (same_text(wanted, *reference)) {
		return;
	}
	free(*reference);
	*reference = wanted ? xstrdup(wanted) : NULL;
	*secret = NULL;
	const char *slash = wanted ? strchr(wanted, '/') : NULL;
	if (slash != NULL) {
		CLEANUP(free_ptr) char *namespace = xstrndup(wanted, (size_t)(slash - wanted));
		*secret = tls_take_secret(model, store, namespace, slash + 1);
	}
	/* Taken before released: one that stays is never dropped in between. */
	if (before != NULL) {
		tls_release_secret(model, before);
	}
}
