/* See options_command.h. */
#include "options_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/attr.h"
#include "command_flags.h"
#include "option/read.h"

static const char *const apply_texts[] = {
	[OPTION_APPLY_NONE] = "not supported yet",
	[OPTION_APPLY_MAP] = "live",
	[OPTION_APPLY_BACKEND] = "live; a reload before HAProxy 3.4",
	[OPTION_APPLY_RELOAD] = "a reload",
	[OPTION_APPLY_CONTROLLER] = "nothing in HAProxy",
};

static const char head[] =
	"# Options\n\n"
	"Made by `headgate options` from the controller's tables; a test compares.\n\n"
	"An option is set by the annotation `headgate.dev/<name>` of an Ingress or a Service,\n"
	"or by the key `<name>` of a ConfigMap: of the one that an IngressClass's parameters\n"
	"name, or of the controller's own (`--configmap`). What holds is what the Service says,\n"
	"else the Ingress, its class, the controller. An empty value turns off what stands\n"
	"behind, where the kind of value allows it. A value that can't be used is refused and\n"
	"told of on the Ingress (`AnnotationRefused`); the other options hold. While one about\n"
	"who may come in (`allow-list`, `deny-list`, `auth-…`) can't be used, nobody may.\n\n"
	"For `true` there may also be `1`, `t`, `T`, `TRUE`, `True`, `on` and `enabled`, for\n"
	"`false` their opposites. Times are whole numbers with `ms`, `s`, `m`, `h` or `d`.\n\n"
	"`headgate check FILE…` says the same of manifests without a cluster.\n\n";

static void print_scopes(unsigned scopes)
{
	static const struct {
		enum option_scope scope;
		const char *name;
	} names[] = {{OPTION_SCOPE_SERVICE, "Service"}, {OPTION_SCOPE_INGRESS, "Ingress"},
		{OPTION_SCOPE_CLASS, "class"}, {OPTION_SCOPE_CONTROLLER, "controller"}};
	const char *comma = "";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if ((scopes & names[i].scope) != 0) {
			printf("%s%s", comma, names[i].name);
			comma = ", ";
		}
	}
}

/* A cell of a table: '|' would end it. */
static void print_cell(const char *text)
{
	for (; *text != '\0'; text++) {
		printf(*text == '|' ? "\\|" : "%c", *text);
	}
}

static void print_form(const struct option_info *info)
{
	printf("%s", option_forms[info->type]);
	if (*info->words != '\0') {
		printf(": `%s`", info->words);
	}
	if (info->type == OPTION_TYPE_INT || info->type == OPTION_TYPE_DURATION) {
		printf(info->type == OPTION_TYPE_DURATION ? ", from %lldms to %lldms"
							  : ", from %lld to %lld",
			(long long)info->min, (long long)info->max);
	}
}

static void print_options(void)
{
	printf("| option | what it does | value | default | set on | a change costs |\n"
	       "|---|---|---|---|---|---|\n");
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_info *info = &option_table[i];
		printf("| `%s` | ", info->name);
		print_cell(info->documentation);
		printf(" | ");
		print_form(info);
		printf(*info->default_value ? " | `%s` | " : " | %s | ", info->default_value);
		print_scopes(info->scopes);
		printf(" | %s |\n", apply_texts[info->apply]);
	}
}

static void print_row(const struct dialect_row *row)
{
	printf("| `%s` | ", row->key);
	switch (row->what) {
	case DIALECT_SAME:
	case DIALECT_ALIAS:
		if (option_table[row->option].apply == OPTION_APPLY_NONE) {
			printf("not yet | `%s` |\n", option_table[row->option].name);
		} else {
			printf("done | `%s` |\n", option_table[row->option].name);
		}
		break;
	case DIALECT_BESIDE:
		printf("done | %s |\n", row->reason);
		break;
	case DIALECT_NOTHING:
		printf("needs nothing | %s |\n", row->reason);
		break;
	case DIALECT_REFUSED:
		printf("refused | %s |\n", row->reason);
		break;
	}
}

static void print_expressions(void)
{
	printf("\n## Expressions\n\n"
	       "What `%%[…]` in headers and the lines of `request-capture` may say; where there is "
	       "a "
	       "name, it stands in brackets: `%%[req.hdr(X-User)]`.\n\n");
#define EXPRESSION(name, has_argument) printf("- `%s%s`\n", (name), (has_argument) ? "(NAME)" : "");
#include "option/expression.def"
}

static void print_log_words(void)
{
	printf("\n## Log formats\n\n"
	       "What a line of `log-format` may say, as HAProxy knows it: `%%ST`, `%%{+Q}r`, "
	       "`%%[src]`; `%%%%` is a percent sign. "
	       "`json` is a line of JSON a request: time, client, method, host, uri, protocol, "
	       "status, bytes, namespace, ingress, service, "
	       "pod, times in milliseconds, TLS version and request id.\n\n");
#define LOG_ALIAS(name) printf("`%%%s` ", (name));
#define LOG_EXPRESSION(text)
#include "option/log.def"
	printf("\n\n");
#define LOG_ALIAS(name)
#define LOG_EXPRESSION(text) printf("`%%[%s]` ", (text));
#include "option/log.def"
	printf("\n");
}

int options_command(int argc, char **argv)
{
	if (argc > 1) {
		bool is_help = strcmp(argv[1], "--help") == 0;
		command_flags_print_help(is_help ? stdout : stderr, argv[0],
			"Usage: headgate options [OPTION]...\n"
			"Print the options that annotations and ConfigMap keys set, and what "
			"becomes of the annotations of\n"
			"haproxytech/kubernetes-ingress, as Markdown.\n",
			"Exit status: 0 printed, 2 wrong usage.\n");
		return is_help ? 0 : 2;
	}
	printf("%s", head);
	print_options();
	print_expressions();
	print_log_words();
	printf("\n## Annotations of haproxytech/kubernetes-ingress\n\n"
	       "Under `haproxy.org/`, `ingress.kubernetes.io/` and `haproxy.com/`, which mean the "
	       "same; in a ConfigMap without a prefix.\n\n"
	       "| key | verdict | option, or why |\n|---|---|---|\n");
	for (size_t i = 0; i < dialect_n_haproxytech; i++) {
		print_row(&dialect_haproxytech[i]);
	}
	return 0;
}
