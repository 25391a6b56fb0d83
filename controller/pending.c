/* See pending.h. A key may stand here twice: plan_make() looks at each once. */
#include "pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void pending_fini(struct pending *pending)
{
	model_delta_fini(&pending->delta);
	*pending = (struct pending){0};
}

static size_t count_keys(const struct model_delta *delta)
{
	return delta->n_entries + delta->n_backends + delta->n_certificates;
}

size_t pending_count(const struct pending *pending)
{
	return count_keys(&pending->delta);
}

void pending_take(struct pending *pending, struct model_delta *delta)
{
	struct model_delta *all = &pending->delta;

	if (count_keys(all) == 0) {
		model_delta_fini(all);
		*all = *delta;
		*delta = (struct model_delta){0};
		return;
	}
	all->entries = xreallocarray(
		all->entries, all->n_entries + delta->n_entries, sizeof(*all->entries));
	all->backends = xreallocarray(
		all->backends, all->n_backends + delta->n_backends, sizeof(*all->backends));
	all->certificates = xreallocarray(all->certificates,
		all->n_certificates + delta->n_certificates, sizeof(*all->certificates));
	for (size_t i = 0; i < delta->n_entries; i++) {
		all->entries[all->n_entries++] = delta->entries[i];
	}
	for (size_t i = 0; i < delta->n_backends; i++) {
		all->backends[all->n_backends++] = delta->backends[i];
	}
	for (size_t i = 0; i < delta->n_certificates; i++) {
		all->certificates[all->n_certificates++] = delta->certificates[i];
	}
	free(delta->entries);
	free(delta->backends);
	free(delta->certificates);
	*delta = (struct model_delta){0};
	if (count_keys(all) > PENDING_MAX_KEYS) {
		model_delta_fini(all);
		pending->is_everything = true;
	}
}

/* Taken out of the list and not deleted: to be listed anew, for other names. */
static bool is_half_way(const struct plan *plan, size_t i)
{
	const struct plan_op *op = &plan->ops[i];
	const struct plan_op *next = i + 1 < plan->n_ops ? op + 1 : NULL;

	return op->kind == PLAN_OP_CERT_UNLIST && op->result == PLAN_DONE &&
	       !(next != NULL && next->kind == PLAN_OP_CERT_DEL &&
		       strcmp(next->certificate, op->certificate) == 0);
}

bool pending_keep_busy(struct pending *pending, const struct plan *plan)
{
	if (plan->reasons != 0) {
		return false;
	}
	struct model_delta busy = {.backends = xcalloc(plan->n_ops, sizeof(char *)),
		.certificates = xcalloc(plan->n_ops, sizeof(char *))};
	bool has_half = false;

	for (size_t i = 0; i < plan->n_ops; i++) {
		if (plan->ops[i].result == PLAN_BUSY && plan->ops[i].certificate != NULL) {
			busy.certificates[busy.n_certificates++] =
				xstrdup(plan->ops[i].certificate);
		} else if (plan->ops[i].result == PLAN_BUSY) {
			busy.backends[busy.n_backends++] = xstrdup(plan->ops[i].backend);
		} else if (is_half_way(plan, i)) {
			has_half = true;
			busy.certificates[busy.n_certificates++] =
				xstrdup(plan->ops[i].certificate);
		}
	}
	pending_fini(pending);
	pending->delta = busy;
	return has_half;
}
