/*
 * HAProxy's answers to operations, classified by table (reply.def): every text that is not known is
 * a refusal. Pure.
 *
 * 3.4 repeats earlier messages in front of the answer ("Server b/s is going DOWN for maintenance
 * ..."), so what counts is the last line that is not empty.
 */
#ifndef HG_HAPROXY_REPLY_H
#define HG_HAPROXY_REPLY_H

#include <stddef.h>

#include "base/attr.h"
#include "plan/plan.h"

/*
 * PLAN_DONE, PLAN_BUSY or PLAN_REFUSED for the answer text of an operation. `name`: what HAProxy
 * calls the certificate that a CERT_* operation is about; NULL = none, then no answer that names
 * one is known.
 */
enum plan_result reply_classify(
	enum plan_op_kind kind, const char *name, const char *text) MUST_USE;

/* The line that counts; inside `text`. */
const char *reply_last_line(const char *text, size_t *ret_len) MUST_USE;

#endif
