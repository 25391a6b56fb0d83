/*
 * Where HAProxy asks who may come in, and the admin server who may read the metrics: joins the
 * endpoint (auth/endpoint.h) with the model, which knows whose users a policy lets in, and the
 * store, which has them. Called by run.c.
 */
#ifndef HG_ENTRANCE_H
#define HG_ENTRANCE_H

#include <event2/event.h>

#include "auth/endpoint.h"
#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

#define ENTRANCE_RETRY_SECONDS 5

struct entrance;

/* Listens beside the runtime socket; where that can't be (its directory is not there yet), it is
 * logged and tried again every ENTRANCE_RETRY_SECONDS. Store and model are borrowed and outlive it.
 */
struct entrance *entrance_open(struct event_base *base, const char *runtime_socket,
	const struct store *store, const struct model *model) MUST_USE;
void entrance_close(struct entrance *entrance);

/*
 * May who sends this header Authorization ("" = none) read the controller's metrics? `on_answer` is
 * called once, with an enum endpoint_answer, at once or later; never after entrance_close().
 */
void entrance_ask_metrics(struct entrance *entrance, const char *authorization,
	endpoint_answer_fn on_answer, void *ctx);

#endif
