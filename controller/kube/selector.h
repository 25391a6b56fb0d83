/*
 * Label selectors, as the API server understands them: which objects a text like
 * "team=shop,tier in (web,api),!internal" chooses. Objects are asked for with the text and looked
 * at again here, because a server or a proxy that sends others must not get them in.
 *
 *   key           has the label            !key              has it not
 *   key=value     (or ==) is this value    key!=value        is not this one, or is not there
 *   key in (a,b)  is one of these          key notin (a,b)   is none of these, or is not there
 *
 * Requirements are separated by commas and must all hold. A value may be empty.
 *
 * Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#api (the
 * comparisons < and >, which labels don't have there, are refused).
 */
#ifndef HG_KUBE_SELECTOR_H
#define HG_KUBE_SELECTOR_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Of the whole text; it becomes part of a URL. */
#define SELECTOR_MAX_LEN 4096

struct selector;

/* NULL = not a selector, and `err` (ERR_INPUT) says what is wrong with it. An empty text is none:
 * leave it out. */
struct selector *selector_parse(const char *text, struct err *err) MUST_USE;
void selector_free(struct selector *selector);

/* `labels` is metadata.labels of an object; NULL or anything but an object means that it has none.
 */
bool selector_matches(const struct selector *selector, struct json_object *labels) MUST_USE;

#endif
