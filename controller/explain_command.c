/* See explain_command.h. */
#include "explain_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "check.h"
#include "command_flags.h"
#include "config_maps.h"
#include "manifest_paths.h"
#include "model/explain.h"

#define MAX_HEADERS 32

static const char usage[] =
	"Usage: headgate explain [OPTION]... URL FILE|DIRECTORY...\n"
	"Say which Ingress, rule, Service, servers and options a request to the URL meets, by the "
	"objects in YAML\n"
	"and JSON files ('kubectl get ingress,service,endpointslice,configmap -A -o yaml' writes "
	"one). "
	"'-' is the\n"
	"standard input.\n";
static const char usage_end[] =
	"Exit status: 0 a rule or a default backend is for it, 1 none is, 2 a file can't be read "
	"or "
	"the command line\n"
	"is wrong.\n";

/* The parts of a URL; texts to be freed. */
struct url {
	char *host;
	char *path;
	bool is_https;
};

static bool read_url(const char *text, struct url *ret_url)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t len = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], len) != 0) {
			continue;
		}
		const char *host = text + len;
		size_t host_len = strcspn(host, "/?#");
		size_t path_len = strcspn(host + host_len, "?#");
		ret_url->host = xstrndup(host, host_len);
		ret_url->path = path_len > 0 ? xstrndup(host + host_len, path_len) : xstrdup("/");
		ret_url->is_https = i == 1;
		return host_len > 0;
	}
	return false;
}

/* What the command line says. */
struct command {
	struct model_options options;
	struct config_maps config_maps;
	struct explain_header headers[MAX_HEADERS]; /* owned texts: the names; values are in them */
	size_t n_headers;
};

static enum explain_status explain(
	struct store *store, const struct command *command, const struct url *url)
{
	const struct explain_request request = {
		url->host, url->path, url->is_https, command->headers, command->n_headers};
	struct model *model = check_build_model(store, &command->options);
	struct buf text = BUF_INIT(0);
	bool is_found = model_explain(model, &request, &text);

	fputs(buf_str(&text), stdout);
	buf_fini(&text);
	model_free(model);
	return is_found ? EXPLAIN_STATUS_FOUND : EXPLAIN_STATUS_NOT_FOUND;
}

static enum explain_status explain_paths(const struct command *command, int n, char **arguments)
{
	struct manifest_paths files = {.store = store_new()};
	struct url url = {0};
	enum explain_status status = EXPLAIN_STATUS_INPUT;

	for (int i = 1; i < n; i++) {
		manifest_paths_read(&files, arguments[i]);
	}
	if (!read_url(arguments[0], &url)) {
		fprintf(stderr,
			"headgate: '%s' is no URL: write http://host/path or https://host/path\n",
			arguments[0]);
	} else if (!files.has_bad_file) {
		status = explain(files.store, command, &url);
	}
	free(url.host);
	free(url.path);
	store_free(files.store);
	return status;
}

static bool add_header(struct command *command, const char *text)
{
	size_t name_len = strcspn(text, ":");

	if (name_len == 0 || text[name_len] == '\0' || command->n_headers == MAX_HEADERS) {
		fprintf(stderr, "headgate: --header is '%s': write NAME: VALUE, %d times at most\n",
			text, MAX_HEADERS);
		return false;
	}
	char *name = xstrdup(text);
	name[name_len] = '\0';
	const char *value = name + name_len + 1;
	command->headers[command->n_headers++] =
		(struct explain_header){name, value + strspn(value, " \t")};
	return true;
}

static bool set_flag(void *ctx, const char *name, const char *value)
{
	struct command *command = ctx;

	if (strcmp(name, "header") == 0) {
		return add_header(command, value);
	}
	if (config_maps_has(name)) {
		return config_maps_set(&command->config_maps, &command->options, name, value);
	}
	if (strcmp(name, "enable-ssl-passthrough") == 0) {
		command->options.has_passthrough = true;
	} else {
		command->options.ingress_class = value;
	}
	return true;
}

static enum explain_status read_and_explain(struct command *command, int argc, char **argv)
{
	int first = 0;

	switch (command_flags_read(argc, argv, set_flag, command, &first)) {
	case FLAGS_ERROR:
		return EXPLAIN_STATUS_INPUT;
	case FLAGS_HELP:
		command_flags_print_help(stdout, argv[0], usage, usage_end);
		return EXPLAIN_STATUS_FOUND;
	case FLAGS_RUN:
		break;
	}
	if (argc - first < 2) {
		fputs("headgate: a URL and a file are needed: see 'headgate explain --help'\n",
			stderr);
		return EXPLAIN_STATUS_INPUT;
	}
	return explain_paths(command, argc - first, argv + first);
}

enum explain_status explain_command(int argc, char **argv)
{
	struct command command = {.options = check_model_options()};
	enum explain_status status = read_and_explain(&command, argc, argv);

	for (size_t i = 0; i < command.n_headers; i++) {
		free((char *)command.headers[i].name);
	}
	config_maps_fini(&command.config_maps);
	return status;
}
