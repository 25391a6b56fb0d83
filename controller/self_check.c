/* See self_check.h. */
#include "self_check.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"

bool self_check(
	const struct model *model, const struct model_options *options, const struct store *store)
{
	struct model *fresh = model_new(options);
	struct store_changes all = store_all_keys(store);
	struct buf is = BUF_INIT(0);
	struct buf should = BUF_INIT(0);
	const struct model_held_port *held;
	size_t n_held = model_held_ports(model, &held);

	model_update(fresh, store, &all);
	/* Of what can be had the store says nothing. */
	if (n_held > 0) {
		model_hold_ports(fresh, store, held, n_held);
	}
	model_dump(model, &is);
	model_dump(fresh, &should);
	bool is_same = strcmp(buf_str(&is), buf_str(&should)) == 0;
	store_changes_fini(&all);
	model_free(fresh);
	buf_fini(&is);
	buf_fini(&should);
	return is_same;
}

void self_check_tell(
	const struct model *model, const struct model_options *options, const struct store *store)
{
	if (!self_check(model, options, store)) {
		metrics_add(METRIC_SELF_CHECK_ERRORS, NULL, 1);
		log_line(LOG_ERROR,
			"the model differs from one built from nothing: please report this", NULL);
	}
}
