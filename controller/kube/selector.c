/* See selector.h. Called by the reflector and, to check the command line, by options.c. */
#include "kube/selector.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Names and values of labels have at most 63 characters, prefixes of names 253. */
#define MAX_KEY	  317
#define MAX_VALUE 63

enum relation { HAS, HAS_NOT, IN, NOT_IN };

struct requirement {
	enum relation relation;
	char *key;
	char **values;
	size_t n_values;
};

struct selector {
	struct requirement *requirements;
	size_t n_requirements;
};

struct parser {
	const char *text;
	const char *at;
	struct err *err;
};

static bool refuse(const struct parser *parser, const char *why)
{
	return err_set(parser->err, ERR_INPUT, "'%s' is not a label selector: %s at character %zu",
		parser->text, why, (size_t)(parser->at - parser->text) + 1);
}

static void skip_blanks(struct parser *parser)
{
	parser->at += strspn(parser->at, " ");
}

/* Takes `token` when it comes next. */
static bool take(struct parser *parser, const char *token)
{
	size_t len = strlen(token);

	skip_blanks(parser);
	if (strncmp(parser->at, token, len) != 0) {
		return false;
	}
	parser->at += len;
	return true;
}

/* The same for a word, which ends where something else begins. */
static bool take_word(struct parser *parser, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(parser);
	if (strncmp(parser->at, word, len) != 0 || strchr(" (", parser->at[len]) == NULL ||
		parser->at[len] == '\0') {
		return false;
	}
	parser->at += len;
	return true;
}

/* Letters, digits and "-_." (and "/" in keys), with a letter or a digit at both ends. */
static bool take_text(struct parser *parser, bool is_key, char **ret_text)
{
	const char *start;
	size_t len = 0;

	skip_blanks(parser);
	start = parser->at;
	while (isalnum((unsigned char)start[len]) ||
		(start[len] != '\0' && strchr(is_key ? "-_./" : "-_.", start[len]) != NULL)) {
		len++;
	}
	if (is_key && len == 0) {
		return refuse(parser, "a label's name must be");
	}
	if (len > (is_key ? MAX_KEY : MAX_VALUE)) {
		return refuse(parser, "too long a name or value");
	}
	if (len > 0 &&
		(!isalnum((unsigned char)start[0]) || !isalnum((unsigned char)start[len - 1]))) {
		return refuse(parser, "a name or value that begins or ends with neither letter "
				      "nor digit is");
	}
	*ret_text = xstrndup(start, len);
	parser->at += len;
	return true;
}

static bool take_value(struct parser *parser, struct requirement *requirement)
{
	char *value;

	if (!take_text(parser, false, &value)) {
		return false;
	}
	requirement->values = xreallocarray(
		requirement->values, requirement->n_values + 1, sizeof(*requirement->values));
	requirement->values[requirement->n_values++] = value;
	return true;
}

static bool take_set(struct parser *parser, struct requirement *requirement)
{
	if (!take(parser, "(")) {
		return refuse(parser, "'(' must be");
	}
	do {
		if (!take_value(parser, requirement)) {
			return false;
		}
	} while (take(parser, ","));
	return take(parser, ")") || refuse(parser, "',' or ')' must be");
}

static bool take_requirement(struct parser *parser, struct requirement *requirement)
{
	bool is_negative = take(parser, "!");

	if (!take_text(parser, true, &requirement->key)) {
		return false;
	}
	if (is_negative) {
		requirement->relation = HAS_NOT;
		return true;
	}
	if (take(parser, "!=")) {
		requirement->relation = NOT_IN;
		return take_value(parser, requirement);
	}
	if (take(parser, "==") || take(parser, "=")) {
		requirement->relation = IN;
		return take_value(parser, requirement);
	}
	if (take_word(parser, "in")) {
		requirement->relation = IN;
		return take_set(parser, requirement);
	}
	if (take_word(parser, "notin")) {
		requirement->relation = NOT_IN;
		return take_set(parser, requirement);
	}
	requirement->relation = HAS;
	return true;
}

static bool parse(struct parser *parser, struct selector *selector)
{
	do {
		selector->requirements = xreallocarray(selector->requirements,
			selector->n_requirements + 1, sizeof(*selector->requirements));
		struct requirement *requirement =
			&selector->requirements[selector->n_requirements++];
		*requirement = (struct requirement){0};
		if (!take_requirement(parser, requirement)) {
			return false;
		}
	} while (take(parser, ","));
	skip_blanks(parser);
	return *parser->at == '\0' || refuse(parser, "',' or the end must be");
}

struct selector *selector_parse(const char *text, struct err *err)
{
	struct parser parser = {text, text, err};

	if (strnlen(text, SELECTOR_MAX_LEN + 1) > SELECTOR_MAX_LEN) {
		err_set(err, ERR_INPUT, "a label selector of more than %d characters",
			SELECTOR_MAX_LEN);
		return NULL;
	}
	struct selector *selector = xcalloc(1, sizeof(*selector));
	if (!parse(&parser, selector)) {
		selector_free(selector);
		return NULL;
	}
	return selector;
}

void selector_free(struct selector *selector)
{
	if (selector == NULL) {
		return;
	}
	for (size_t i = 0; i < selector->n_requirements; i++) {
		struct requirement *requirement = &selector->requirements[i];
		for (size_t j = 0; j < requirement->n_values; j++) {
			free(requirement->values[j]);
		}
		free(requirement->values);
		free(requirement->key);
	}
	free(selector->requirements);
	free(selector);
}

static bool is_one_of(const struct requirement *requirement, const char *value)
{
	for (size_t i = 0; i < requirement->n_values; i++) {
		if (strcmp(requirement->values[i], value) == 0) {
			return true;
		}
	}
	return false;
}

static bool holds(const struct requirement *requirement, struct json_object *labels)
{
	struct json_object *label = NULL;

	if (json_object_is_type(labels, json_type_object)) {
		json_object_object_get_ex(labels, requirement->key, &label);
	}
	const char *value =
		json_object_is_type(label, json_type_string) ? json_object_get_string(label) : NULL;
	switch (requirement->relation) {
	case HAS:
		return value != NULL;
	case HAS_NOT:
		return value == NULL;
	case IN:
		return value != NULL && is_one_of(requirement, value);
	case NOT_IN:
		return value == NULL || !is_one_of(requirement, value);
	}
	return false;
}

bool selector_matches(const struct selector *selector, struct json_object *labels)
{
	for (size_t i = 0; i < selector->n_requirements; i++) {
		if (!holds(&selector->requirements[i], labels)) {
			return false;
		}
	}
	return true;
}
