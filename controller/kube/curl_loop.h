/*
 * libcurl's multi interface on a libevent loop: transfers go in, their end comes out. Nothing here
 * waits.
 *
 * One loop is one pool of connections. A transfer that is added while another one is already
 * connected to the same server shares that connection when both sides speak HTTP/2.
 */
#ifndef HG_KUBE_CURL_LOOP_H
#define HG_KUBE_CURL_LOOP_H

#include <curl/curl.h>
#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"

struct curl_loop;

/* A transfer that ended by itself; it has been removed and is the receiver's again. Called from the
 * event loop only. */
typedef void (*curl_loop_done_fn)(void *ctx, CURL *easy, CURLcode code);

struct curl_loop *curl_loop_new(
	struct event_base *base, curl_loop_done_fn on_done, void *ctx) MUST_USE;

/* Every transfer must have been removed. Not from within a libcurl callback. */
void curl_loop_free(struct curl_loop *loop);

/* false = libcurl refused. Not from within a libcurl callback, nor is remove. */
bool curl_loop_add(struct curl_loop *loop, CURL *easy) MUST_USE;
void curl_loop_remove(struct curl_loop *loop, CURL *easy);

/* Is libcurl running one of its callbacks right now? */
bool curl_loop_is_inside(const struct curl_loop *loop) MUST_USE;

#endif
