/*
 * Values of options: from what a user writes to the canonical text that is kept. Pure.
 *
 * Canonical texts hold printable ASCII and, between lines, '\n'. By type:
 *
 *   BOOL         "true", "false"
 *   INT, STATUS  decimal digits
 *   DURATION     milliseconds, decimal digits
 *   WORD         the word in lower case; WORDS: in the order of the table, separated by ','
 *   ADDRESSES    networks as inet_ntop() writes them with "/length", each once, IPv4 before IPv6,
 *                sorted, separated by ' '
 *   CLIENTS      the same, or "patterns/<name>"
 *   HOST         lower case
 *   ORIGIN       "http://host" or "https://host", with ":port" where one was written
 *   URL          "http://host[:port]/path[?query]": scheme and host in lower case, always a path
 *   PLACE        the same, or "/path[?query]"
 *   SERVICE      "name:80", "name:http"
 *   TARGET       "namespace/name", "namespace/name:80", "namespace/name:http"
 *   NAMESPACES   "*", or names separated by ','
 *   HEADER_LIST  names in lower case separated by ','
 *   HEADERS      lines "Name: value"
 *   REWRITES     lines "pattern path"; a path alone has the pattern "^.*$"
 *   PATHS        paths without '/' at the end, but for "/" itself, separated by ' '
 *   CHECK        "METHOD path"
 *   LOG_FORMAT, LOG_FORMAT_TCP   as written; without single quotes
 *   SYSLOG       lines "ADDRESS:PORT len N format F FACILITY LEVEL MINLEVEL", as HAProxy's `log`
 * has them; without port for stdout, without format and minlevel where none was written BALANCE
 * words separated by one blank: "roundrobin", "hdr X-User", "uri depth 2" others       as written,
 * without blanks at the ends
 *
 * An empty value is allowed for everything but BOOL, INT, STATUS, DURATION and WORD, and turns the
 * option off.
 *
 * Limits: a value has at most OPTION_MAX_VALUE bytes, a list at most OPTION_MAX_ITEMS items.
 */
#ifndef HG_OPTION_VALUE_H
#define HG_OPTION_VALUE_H

#include <stdbool.h>

#include "base/attr.h"
#include "option/option.h"

#define OPTION_MAX_VALUE 8192
#define OPTION_MAX_ITEMS 256
/* Networks in a file of patterns: they are the operator's, and one is there for all who name it. */
#define OPTION_MAX_PATTERNS 4096

/* What the canonical text of CLIENTS begins with where it names a file of patterns. */
#define OPTION_PATTERNS "patterns/"

/*
 * The canonical text of a value; the caller frees it. NULL: it can't be used, and *ret_reason says
 * why and what to write instead, in words that stand behind "is '…'"; the caller frees it.
 */
char *option_parse(enum option_id option, const char *text, char **ret_reason) MUST_USE;

/*
 * The addresses in a file of patterns, in the form of ADDRESSES; the caller frees it. An address or
 * a network a line, as HAProxy reads such files (-f): empty lines and those that begin with '#' say
 * nothing, blanks around an address are not its own. NULL: it can't be used, and *ret_reason says
 * why and what to write instead: "has …"; the caller frees it.
 */
char *option_read_patterns(const char *text, char **ret_reason) MUST_USE;

/* The same, of the key log-format-tcp (model/tcp.h), which is no option: its ConfigMap has keys of
 * another kind. */
char *option_parse_log_format_tcp(const char *text, char **ret_reason) MUST_USE;

#endif
