/*
 * Settings: what the controller's ConfigMap says about the whole of HAProxy, as the variables that
 * haproxy-cfg takes it from (globals.def). Pure.
 *
 *   NAME value\n      a line each, always all of them, in the order of the table
 *
 * So equal settings are equal texts, and their digest says which settings a HAProxy runs with.
 * Values are printable ASCII, have no single quote, and come from canonical texts of options.
 */
#ifndef HG_MODEL_GLOBALS_H
#define HG_MODEL_GLOBALS_H

#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"
#include "model/tcp_read.h"
#include "option/option.h"

/* Of a variable that says that nothing is set. */
#define GLOBALS_NONE "none"

/* Files that settings may name: rows of globals.def. */
enum globals_file {
#define GLOBAL(option, variable, unit)
#define LINE(option, variable, number)
#define CHOICE(variable, function)
#define NAMED(id, variable) GLOBALS_FILE_##id,
#include "model/globals.def"
	GLOBALS_FILE_COUNT
};

/* Appends the settings that a set of options asks for, NULL = nobody sets anything, with the names
 * of these GLOBALS_FILE_COUNT files and with these TCP services, NULL = none; `has_passthrough`:
 * TLS connections may go to pods as they are. */
void globals_write(struct buf *buf, const struct option_set *set, const char *const *files,
	const struct tcp_services *tcp, bool has_passthrough);

/* The first digits of the SHA-256 of its lines, part by part. */
void globals_digest(char ret_digest[MODEL_DIGEST_SIZE], const char *text);

#endif
