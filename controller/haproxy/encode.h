/*
 * The only code that turns our values into HAProxy's languages: Runtime API command lines, map
 * files and configuration lines. Whatever tenants wrote passes through here or not at all.
 *
 * What can't be written safely is refused, never repaired: control bytes, DEL, bytes over 0x7e, an
 * empty word, "<<" anywhere in a word (2.6 takes a line that ends with it for the beginning of a
 * payload, 3.4 a last word that begins with it), names with other bytes than letters, digits and
 * "_.:-", addresses that are not "IPv4:port" or "[IPv6]:port" in the form in which HAProxy gives
 * them back, and lines over ENCODE_MAX_LINE. A map entry must be possible in all three places where
 * it is written or read (command, map file, `show map`), so its key has no blank and no leading
 * '#', and its value neither begins nor ends with a blank.
 *
 * Of settings, names are variables of ours and values stand in single quotes, where nothing means
 * anything but the next one: they have none.
 *
 * A certificate's content is refused unless every line is base64 or the first or last of a PEM
 * block; a name of a client unless it is letters, digits and "-._" after an optional "*." or "!".
 * The folder of the certificates must be a path without blanks and quotes, as a list of
 * certificates knows no escapes.
 *
 * Sources: HAProxy management guide, section 9.3 (escaping on the command line: backslash before
 * backslash, semicolon and space); configuration manual, section 2.2 (quoting).
 */
#ifndef HG_HAPROXY_ENCODE_H
#define HG_HAPROXY_ENCODE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "plan/applied.h"
#include "plan/plan.h"

/* HAProxy takes 2048 words a line of a list of certificates. */
#define ENCODE_MAX_HOSTS 2000

/* Files below the folder of the maps. */
#define ENCODE_CERTS_DIR   "certs"
#define ENCODE_CERTS_LIST  "certs.list"
#define ENCODE_CERT_SUFFIX ".pem"

/* The variable that says which settings a HAProxy was started with. */
#define ENCODE_SETTINGS_MARK "HEADGATE_SETTINGS"

/* And the one that says when their file was written: another one each time (haproxy/left_out.h).
 */
#define ENCODE_SETTINGS_WRITTEN ENCODE_SETTINGS_MARK "_WRITTEN"

/* And the one with the ports of TCP services (model/globals.c). */
#define ENCODE_PORTS "HEADGATE_TCP_PORTS"

/* tune.bufsize is 16384 by default; longer lines are cut off or hang on some versions. */
#define ENCODE_MAX_LINE 15000

/* Every function here: false = refused, and the buffer is what it was. */

/* Appends the command of an operation, without line feed; `map_dir` is the folder of the map files
 * as HAProxy knows it. */
bool encode_op(struct buf *buf, const struct plan_op *op, const char *map_dir) MUST_USE;

/* Does it say what a certificate holds? */
bool encode_has_content(enum plan_op_kind kind) MUST_USE;

/* Has the operation a payload? */
bool encode_has_payload(enum plan_op_kind kind) MUST_USE;

/* Appends the payload of such an operation: lines, none of them empty. With its command it is at
 * most ENCODE_MAX_LINE bytes. That of CERT_SET has a key: `buf` must be marked secret (asserted).
 */
bool encode_payload(struct buf *buf, const struct plan_op *op, const char *map_dir) MUST_USE;

/* Appends "DIR/certs/NAME.pem", the name of a certificate in commands. */
bool encode_cli_certificate(struct buf *buf, const char *name, const char *map_dir) MUST_USE;

/* Appends "DIR/certs.list", the name of the list of certificates in commands. */
bool encode_cli_list(struct buf *buf, const char *map_dir) MUST_USE;

/* Appends "DIR/certs/NAME.pem HOST HOST...\n" of the list of certificates; at least one host. */
bool encode_certificate_line(
	struct buf *buf, const char *name, const char *hosts, const char *map_dir) MUST_USE;

/* Appends "DIR/FILE", the name of a map in commands. */
bool encode_cli_map(struct buf *buf, enum model_map map, const char *map_dir) MUST_USE;

/*
 * Appends the command that gives HAProxy one more TLS ticket key; `file`: where HAProxy has the
 * others from, an absolute path. Refused is what tickets_is_key() does not know. The command has a
 * key in it: `buf` must be marked secret (asserted).
 */
bool encode_cli_ticket_key(struct buf *buf, const char *file, const char *key) MUST_USE;

/* Appends one escaped word. */
bool encode_cli_word(struct buf *buf, const char *word) MUST_USE;

/* Appends "key value\n" of a map file. */
bool encode_map_line(struct buf *buf, const char *key, const char *value) MUST_USE;

/* Appends the file of settings: the lines of model_settings(), and their digest as one more. */
bool encode_settings(struct buf *buf, const char *settings, const char *digest) MUST_USE;

/* Appends a backend section with its servers; those in maintenance and those that drain are left
 * out: who reads it (a worker that is started) shall send them nothing. */
bool encode_backend_section(
	struct buf *buf, const struct applied_backend *backend, const char *map_dir) MUST_USE;

#endif
