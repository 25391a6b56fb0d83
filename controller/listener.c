/* See listener.h. Called by reconcile.c. */
#include "listener.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"

static void on_diags(void *ctx, const char *namespace, const char *name, const struct diag *diags,
	size_t n_diags)
{
	const struct listener *listener = ctx;
	CLEANUP(free_ptr) char *object = xasprintf("%s/%s", namespace, name);

	if (n_diags == 0) {
		log_line(LOG_INFO, "nothing is wrong any more", "ingress", object, NULL);
	}
	for (size_t i = 0; i < n_diags; i++) {
		log_line(LOG_WARN, diags[i].text, "ingress", object, "reason",
			diag_reason_names[diags[i].reason], "field", diags[i].field, NULL);
	}
	if (listener->diags != NULL) {
		listener->diags(listener->ctx, namespace, name, diags, n_diags);
	}
}

static void on_let_go(void *ctx, const char *namespace, const char *name)
{
	const struct listener *listener = ctx;

	if (listener->let_go != NULL) {
		listener->let_go(listener->ctx, namespace, name);
	}
}

static void tell_client_ca(struct listener *listener, const struct model *model)
{
	const char *fault = model_client_ca_fault(model);
	uint32_t now = fault != NULL ? hash_str(fault) | 1 : 0;

	if (now == listener->told_client_ca) {
		return;
	}
	listener->told_client_ca = now;
	if (fault != NULL) {
		log_line(LOG_WARN, fault, "key", "client-ca", NULL);
	} else {
		log_line(LOG_INFO, "nothing is wrong any more", "key", "client-ca", NULL);
	}
}

void listener_tell(struct listener *listener, struct model *model,
	const struct store_changes *changes, bool is_complete)
{
	if (listener->changes != NULL) {
		listener->changes(listener->ctx, changes);
	}
	model_report_let_go(model, on_let_go, listener);
	if (is_complete) {
		model_report_diags(model, on_diags, listener);
		tell_client_ca(listener, model);
	}
}
