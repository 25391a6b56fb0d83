/* See regex.h: one walk over the pattern with a small stack of open groups. Called by value_http.c.
 */
#include "option/regex.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct group {
	bool has_repetition; /* of anything inside, but for '?' */
	bool has_choice;
};

struct walk {
	const char *at;
	struct group open[REGEX_MAX_DEPTH + 1]; /* open[0] is the pattern itself */
	unsigned depth;
	unsigned n_groups;
	unsigned n_varying;
	bool has_atom;	   /* what a repetition would repeat */
	struct group atom; /* what it holds, when it is a group */
	const char *fault;
};

static bool fail(struct walk *walk, const char *fault)
{
	walk->fault = fault;
	return false;
}

static void take_atom(struct walk *walk)
{
	walk->has_atom = true;
	walk->atom = (struct group){0};
}

static bool walk_escape(struct walk *walk)
{
	char c = walk->at[1];

	if (c == '\0') {
		return fail(walk, "ends with a backslash: remove it");
	}
	if (isdigit((unsigned char)c)) {
		return fail(walk, "refers back to a group: write out what is meant");
	}
	if (isalpha((unsigned char)c) && strchr("dDwWsSbBtnr", c) == NULL) {
		return fail(walk, "has an escape other than \\d \\w \\s \\b and their opposites: "
				  "write a class in brackets");
	}
	walk->at += 2;
	take_atom(walk);
	walk->has_atom = c != 'b' && c != 'B';
	return true;
}

/* "[^]a-z[:digit:]]": a ']' that comes first is itself. */
static bool walk_class(struct walk *walk)
{
	const char *c = walk->at + 1;

	c += *c == '^';
	c += *c == ']';
	while (*c != ']') {
		if (*c == '[' && c[1] == ':' && strstr(c + 2, ":]") != NULL) {
			c = strstr(c + 2, ":]") + 2;
			continue;
		}
		c += *c == '\\' && c[1] != '\0';
		if (*c == '\0') {
			return fail(walk, "has a '[' without ']': close it, or write \\[");
		}
		c++;
	}
	walk->at = c + 1;
	take_atom(walk);
	return true;
}

static bool walk_open(struct walk *walk)
{
	if (walk->depth == REGEX_MAX_DEPTH) {
		return fail(walk, "has groups in groups in too many layers: simplify it");
	}
	if (walk->at[1] == '?' && walk->at[2] != ':') {
		return fail(walk, "has a group that begins with (?, other than (?: : write it "
				  "without look-around, names and option letters");
	}
	if (walk->at[1] == '*') {
		return fail(walk, "has a group that begins with (*: remove it");
	}
	bool is_capture = walk->at[1] != '?';
	walk->n_groups += is_capture;
	if (walk->n_groups > REGEX_MAX_GROUPS) {
		return fail(walk, "has more than 9 capture groups: write (?: for those that are "
				  "not used");
	}
	walk->at += is_capture ? 1 : 3;
	walk->open[++walk->depth] = (struct group){0};
	walk->has_atom = false;
	return true;
}

static bool walk_close(struct walk *walk)
{
	if (walk->depth == 0) {
		return fail(walk, "has a ')' without '(': remove it, or write \\)");
	}
	struct group closed = walk->open[walk->depth--];
	walk->open[walk->depth].has_repetition |= closed.has_repetition;
	walk->at++;
	walk->has_atom = true;
	walk->atom = closed;
	return true;
}

/* "{2}", "{2,}", "{2,5}": reads it and says how often at most, 0 = without bound, and whether it
 * can be less. */
static bool read_count(struct walk *walk, long *ret_most, bool *ret_varies)
{
	char *end;
	long least = strtol(walk->at + 1, &end, 10);
	long most = least;

	if (end == walk->at + 1 || !isdigit((unsigned char)walk->at[1])) {
		return fail(walk, "has a '{' that begins no count: write \\{");
	}
	if (*end == ',') {
		const char *second = end + 1;
		most = isdigit((unsigned char)*second) ? strtol(second, &end, 10) : 0;
		end = most == 0 && !isdigit((unsigned char)*second) ? (char *)second : end;
	}
	if (*end != '}' || least > REGEX_MAX_COUNT || most > REGEX_MAX_COUNT) {
		return fail(walk, "has a count that is not like {2}, {2,} or {2,5}, or is above "
				  "255: write a smaller one");
	}
	walk->at = end + 1;
	*ret_most = most;
	*ret_varies = least != most;
	return true;
}

static bool walk_repetition(struct walk *walk)
{
	long most = *walk->at == '?' ? 1 : 0;
	bool varies = most == 0;

	if (!walk->has_atom) {
		return fail(walk, "repeats nothing: write something before *, +, ? or {");
	}
	if (*walk->at == '{') {
		if (!read_count(walk, &most, &varies)) {
			return false;
		}
	} else {
		walk->at++;
	}
	if (most != 1 && (walk->atom.has_repetition || walk->atom.has_choice)) {
		return fail(walk, "repeats a group that holds a repetition or alternatives, which "
				  "can take very long: write it without one of them");
	}
	walk->n_varying += varies;
	if (walk->n_varying > REGEX_MAX_VARYING) {
		return fail(walk, "has more than 4 of *, +, {n,} and {n,m}, which can take very "
				  "long: use fewer");
	}
	walk->open[walk->depth].has_repetition |= most != 1;
	/* Lazy or possessive. */
	walk->at += *walk->at == '?' || *walk->at == '+';
	walk->has_atom = false;
	return true;
}

static bool walk_one(struct walk *walk)
{
	switch (*walk->at) {
	case '\\':
		return walk_escape(walk);
	case '[':
		return walk_class(walk);
	case '(':
		return walk_open(walk);
	case ')':
		return walk_close(walk);
	case '*':
	case '+':
	case '?':
	case '{':
		return walk_repetition(walk);
	case '|':
		walk->open[walk->depth].has_choice = true;
		walk->has_atom = false;
		break;
	case '^':
	case '$':
		walk->has_atom = false;
		break;
	default:
		take_atom(walk);
	}
	walk->at++;
	return true;
}

const char *regex_check(const char *pattern, unsigned *ret_n_groups)
{
	struct walk walk = {.at = pattern};

	if (strlen(pattern) > REGEX_MAX_LENGTH) {
		return "is a regular expression of more than 512 characters: shorten it";
	}
	while (*walk.at != '\0' && walk_one(&walk)) {
	}
	if (walk.fault == NULL && walk.depth > 0) {
		walk.fault = "has a '(' without ')': close it, or write \\(";
	}
	if (walk.fault == NULL) {
		*ret_n_groups = walk.n_groups;
	}
	return walk.fault;
}
