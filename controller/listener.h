/* Who wants to know what a pass took up, and what was read back, besides the plan: the log, always,
 * and one listener. */
#ifndef HG_LISTENER_H
#define HG_LISTENER_H

#include <stdint.h>

#include "haproxy/cli.h"
#include "model/diag.h"
#include "model/model.h"
#include "plan/caps.h"
#include "store/store.h"

/* All functions are set, or none. */
struct listener {
	void (*changes)(void *ctx, const struct store_changes *changes);
	model_ingress_fn let_go;
	diag_fn diags;
	/* A worker was read back: its connection, borrowed for the life of `reconcile`. */
	void (*worker)(void *ctx, struct cli *cli, const struct caps *caps, long pid);
	void *ctx;
	uint32_t told_client_ca; /* which fault was told last; 0 = none */
	uint32_t told_pages;
	uint32_t told_patterns;
	uint32_t told_monitors;
	uint32_t told_tcp;
};

/* To be called once after each model_update() with these changes. */
/* Diagnostics are told when the store is complete: what has not been listed yet is not wrong. */
void listener_tell(struct listener *listener, struct model *model,
	const struct store_changes *changes, bool is_complete);

#endif
