/* See self_check.h. */
#include "self_check.h"

#include <string.h>

#include "base/buf.h"

bool self_check(
	const struct model *model, const struct model_options *options, const struct store *store)
{
	struct model *fresh = model_new(options);
	struct store_changes all = store_all_keys(store);
	struct buf is = BUF_INIT(0);
	struct buf should = BUF_INIT(0);

	model_update(fresh, store, &all);
	model_dump(model, &is);
	model_dump(fresh, &should);
	bool is_same = strcmp(buf_str(&is), buf_str(&should)) == 0;
	store_changes_fini(&all);
	model_free(fresh);
	buf_fini(&is);
	buf_fini(&should);
	return is_same;
}
