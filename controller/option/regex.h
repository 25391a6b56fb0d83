/*
 * Regular expressions of tenants: which ones may reach HAProxy. Pure.
 *
 * HAProxy's engine is PCRE2. What is let through is the part of its syntax that can't be made to
 * run for long on a short text: literals, '.', classes, groups, alternatives, anchors and
 * repetition, but
 *
 *   - no reference back, look-around, recursion, condition or option letter,
 *   - no repetition of a group that holds a repetition or alternatives ("(a+)+", "(a|b)*"),
 *   - at most REGEX_MAX_VARYING of '*', '+', '{n,}' and '{n,m}' in all.
 *
 * What that leaves can still take seconds on a text of kilobytes, so lua/headgate.lua gives each
 * match a limit as well.
 *
 * Source of the syntax: pcre2pattern(3).
 */
#ifndef HG_OPTION_REGEX_H
#define HG_OPTION_REGEX_H

#include "base/attr.h"

#define REGEX_MAX_LENGTH  512
#define REGEX_MAX_VARYING 4
#define REGEX_MAX_GROUPS  9
#define REGEX_MAX_COUNT	  255
#define REGEX_MAX_DEPTH	  8

/* NULL = may be used; else what is wrong, a constant text that ends with the remedy. *ret_n_groups
 * gets the number of capture groups. */
const char *regex_check(const char *pattern, unsigned *ret_n_groups) MUST_USE;

#endif
