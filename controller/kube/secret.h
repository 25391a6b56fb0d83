/*
 * Secrets as Headgate keeps them: what `tls.crt` and `tls.key` are worth, not what they say. Pure.
 *
 * A Secret that can't be used is an object too: it carries what is wrong with it, in words. Where a
 * good version was there before, its content stays in use: the last good state of a Secret lives in
 * the store, so that what is made from the store needs no memory of its own.
 *
 * Source: https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets.
 */
#ifndef HG_KUBE_SECRET_H
#define HG_KUBE_SECRET_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "kube/object.h"

/*
 * The whole Secret from its head and its document: `data` in base64 and, as manifests have it,
 * `stringData`, which goes first. Takes `head` and returns another object. The document's texts are
 * wiped: it is of no use afterwards.
 */
struct object *secret_read(struct object *head, struct json_object *json) MUST_USE;

/*
 * A Secret with this content, `pem` as in struct secret, as it was at `now`; without type and time
 * of creation. NULL = it can't be used. The caller wipes `pem`.
 */
struct object *secret_from_pem(
	const char *namespace, const char *name, const char *pem, size_t len, int64_t now) MUST_USE;

/* A Secret of another type with these authorities, as cert_read_authorities() gives them. */
struct object *secret_from_authorities(
	const char *namespace, const char *name, const char *pem) MUST_USE;

/*
 * What the time says of it: NULL = nothing new; else the Secret to put in its place (owned), which
 * is outside its valid period, or no longer before it; a version that had to wait for its time
 * comes into use then. `now` is Unix time.
 */
struct object *secret_judge(const struct secret *secret, int64_t now) MUST_USE;

/*
 * The same for one that was judged before and may have taken over a last good content: that grows
 * old, too. What is wrong with the newest version stays as it was, unless the time changes it.
 */
struct object *secret_judge_again(const struct secret *secret, int64_t now) MUST_USE;

/*
 * `newer` comes in the place of `older` (neither NULL): NULL = as it is, else the object to put
 * there instead (owned): the last good content, and the last authorities, with what is wrong with
 * the newest. One that is not
 * valid yet is kept beside it (`next`), until secret_judge() finds that it is.
 */
struct object *secret_keep_last_good(
	const struct secret *newer, const struct secret *older) MUST_USE;

/* The Secret was removed: its content and its authorities with that fault; NULL when there is
 * nothing to keep or that is known already. */
struct object *secret_without_object(const struct secret *secret) MUST_USE;

#endif
