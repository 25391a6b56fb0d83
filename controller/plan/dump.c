/* A plan as text; see plan_dump() in plan.h. */
#include "plan/plan.h"

static void dump_op(const struct plan_op *op, struct buf *buf)
{
	buf_append_str(buf, plan_ops[op->kind].name);
	if (op->key != NULL) {
		buf_printf(buf, " %s %s", model_map_files[op->map], op->key);
	}
	if (op->value != NULL) {
		buf_printf(buf, " %s", op->value);
	}
	if (op->backend != NULL) {
		buf_printf(buf, " %s", op->backend);
	}
	if (op->server != NULL) {
		buf_printf(buf, "/%s", op->server);
	}
	if (op->address != NULL) {
		buf_printf(buf, " %s", op->address);
	}
	if (op->certificate != NULL) {
		buf_printf(buf, " %s", op->certificate);
	}
	if (op->hosts != NULL) {
		buf_printf(buf, " %s", op->hosts);
	}
	if (op->fingerprint != NULL) {
		buf_printf(buf, " %s", op->fingerprint);
	}
	buf_append_char(buf, '\n');
}

void plan_dump(const struct plan *plan, struct buf *buf)
{
	if (plan_is_noop(plan)) {
		buf_append_str(buf, "noop\n");
	}
	for (size_t i = 0; i < plan->n_ops; i++) {
		dump_op(&plan->ops[i], buf);
	}
	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		if (plan->reasons & (1u << i)) {
			buf_printf(buf, "reload %s\n", plan_reason_names[i]);
		}
	}
}
