/* For tests of haproxy/state: a state in a directory of its own. Include after cmocka.h. */
#ifndef HG_HAPROXY_STATE_TESTING_H
#define HG_HAPROXY_STATE_TESTING_H

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/dir_testing.h"
#include "haproxy/state.h"

struct fixture {
	char directory[64];
	struct state *state;
	struct applied *applied;
};

static inline int testing_open_state(void **test)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};

	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-state.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->state = state_open(f->directory, &err);
	f->applied = applied_new();
	*test = f;
	return f->state == NULL;
}

static inline void testing_remove_state(struct fixture *f)
{
	state_close(f->state);
	applied_free(f->applied);
	testing_remove_dir(f->directory);
	free(f);
}

#endif
