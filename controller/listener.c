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

/* Once for each time that it is another one. `told` is a hash; 0 = nothing is wrong. */
static void tell_fault(uint32_t *told, const char *fault, const char *of, const char *what)
{
	uint32_t now = fault != NULL ? hash_str(fault) | 1 : 0;

	if (now != *told) {
		log_line(fault != NULL ? LOG_WARN : LOG_INFO,
			fault != NULL ? fault : "nothing is wrong any more", of, what, NULL);
	}
	*told = now;
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
		tell_fault(&listener->told_client_ca, model_client_ca_fault(model), "key",
			"client-ca");
		tell_fault(&listener->told_pages, model_pages_fault(model), "flag",
			"configmap-errorfiles");
		tell_fault(&listener->told_patterns, model_patterns_fault(model), "flag",
			"configmap-patternfiles");
		tell_fault(&listener->told_monitors, model_monitors_fault(model), "key",
			"prometheus-endpoint-auth-secret");
		tell_fault(&listener->told_tcp, model_tcp_fault(model), "flag",
			"configmap-tcp-services");
	}
}
