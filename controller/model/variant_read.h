/* The variant that a claim's options ask for. Pure. */
#ifndef HG_MODEL_VARIANT_READ_H
#define HG_MODEL_VARIANT_READ_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"

struct claim;
struct trust_wish;

/* Does anybody set an option for it? In the usual case nobody does. */
bool variant_is_wanted(const struct claim *claim) MUST_USE;

/*
 * Appends the words (variant.h) that follow from the options that hold for the claim and from how
 * the Service's port wants to be spoken to.
 *
 *   load-balance         "static-rr" is "roundrobin": servers come and go at run time, which it
 * can't. With a cookie, hashing counts as "roundrobin": the cookie decides. check-http asks for
 * checks, too, unless check is "false" check-interval       counts where there are checks
 *   server-ssl           "false" says nothing: the port's appProtocol holds
 *   server-ca, server-crt    what the claim's wish has come to; either is TLS, whatever server-ssl
 *                        says
 *   server-proto         of the two, or of TLS, whatever server-ssl and appProtocol come to
 *
 * Where connections go, not requests, what is about requests says nothing (cookies, keys that are
 * none of a connection, server-proto, appProtocol), and check-http asks for connecting.
 */
void variant_read(struct buf *words, const struct claim *claim, enum model_transport port,
	const struct trust_wish *wish);

#endif
