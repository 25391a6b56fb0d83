/*
 * A Secret that a key of the controller's ConfigMap names ("namespace/name"), as a reference that
 * the model holds. Called by client_ca.c and monitors.c.
 */
#ifndef HG_MODEL_NAMED_SECRET_H
#define HG_MODEL_NAMED_SECRET_H

struct model;
struct secret_node;
struct store;

/*
 * The key says `wanted` now; NULL and "" = nothing. `reference` (owned) becomes a copy of it, or
 * NULL, and `secret` what it names, NULL = nothing that may be used. The Secret before is let go.
 */
void named_secret_set(struct model *model, const struct store *store, char **reference,
	struct secret_node **secret, const char *wanted);

#endif
