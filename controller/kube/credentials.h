/*
 * What a request proves itself with, always as new as the files it comes from: token, client
 * certificate and key, and the CA that the server is checked against.
 *
 * A file that can't be read any more, or is empty for a moment, leaves its last good content in
 * use.
 */
#ifndef HG_KUBE_CREDENTIALS_H
#define HG_KUBE_CREDENTIALS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "kube/config.h"

struct credentials;

/* `config` is borrowed for the life of the credentials. Reads every file once: NULL + err when one
 * can't be used. */
struct credentials *credentials_new(const struct kube_config *config, struct err *err) MUST_USE;
void credentials_free(struct credentials *credentials);

/*
 * Looks at the files again. *ret_needs_new_connection = the CA, the client certificate or its key
 * changed: what was checked or proved with the old ones must not be used for new requests. (A token
 * travels with each request and doesn't count.) false + err = a file can't be read; everything
 * keeps its last good content, and the outputs are set all the same.
 */
bool credentials_refresh(
	struct credentials *credentials, bool *ret_needs_new_connection, struct err *err) MUST_USE;

/* The server refused us, or we refused the server: the next refresh reads the files whatever
 * stat(2) says. */
void credentials_distrust(struct credentials *credentials);

/* Sets CA, client certificate and key; libcurl keeps its own copies. */
bool credentials_apply_tls(const struct credentials *credentials, CURL *easy) MUST_USE;

/* The token without blanks around it, NULL = there is none; borrowed until the next refresh. */
const char *credentials_token(const struct credentials *credentials) MUST_USE;

#endif
