/* `headgate plan`: what objects in files would change in HAProxy. */
#ifndef HG_PLAN_COMMAND_H
#define HG_PLAN_COMMAND_H

#include "base/attr.h"

enum plan_status {
	PLAN_STATUS_LIVE = 0,	/* operations only, or nothing */
	PLAN_STATUS_RELOAD = 1, /* a reload too */
	PLAN_STATUS_INPUT = 2,
};

enum plan_status plan_command(int argc, char **argv) MUST_USE;

#endif
