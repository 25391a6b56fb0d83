/*
 * See config.h. Owns the reading of kubeconfig and of the files that Kubernetes gives a pod; called
 * once at start by run.c. Must not know how requests are made (client.c) nor that files change
 * later (credentials.c).
 */
#include "kube/config.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/secret_file.h"
#include "kube/yaml_find.h"

#define IN_CLUSTER_DIRECTORY "/var/run/secrets/kubernetes.io/serviceaccount"

enum field_type {
	FIELD_TEXT,
	FIELD_PATH,    /* relative to the kubeconfig's folder */
	FIELD_BASE64,  /* becomes a PEM text */
	FIELD_REFUSED, /* `remedy` says what to do instead */
};

struct field {
	const char *key;
	enum field_type type;
	size_t offset; /* in struct kube_config */
	const char *remedy;
};

#define TO(member) offsetof(struct kube_config, member)

static const struct field cluster_fields[] = {
	{"server", FIELD_TEXT, TO(server), NULL},
	{"tls-server-name", FIELD_TEXT, TO(tls_server_name), NULL},
	{"certificate-authority", FIELD_PATH, TO(ca_file), NULL},
	{"certificate-authority-data", FIELD_BASE64, TO(ca_pem), NULL},
	{"insecure-skip-tls-verify", FIELD_REFUSED, 0,
		"give the server's CA in certificate-authority-data"},
	{"proxy-url", FIELD_REFUSED, 0, "connect without a proxy"},
};

static const struct field user_fields[] = {
	{"token", FIELD_TEXT, TO(token), NULL},
	{"tokenFile", FIELD_PATH, TO(token_file), NULL},
	{"client-certificate", FIELD_PATH, TO(client_cert_file), NULL},
	{"client-certificate-data", FIELD_BASE64, TO(client_cert_pem), NULL},
	{"client-key", FIELD_PATH, TO(client_key_file), NULL},
	{"client-key-data", FIELD_BASE64, TO(client_key_pem), NULL},
	{"exec", FIELD_REFUSED, 0,
		"make a token for a service account (kubectl create token) and use token or "
		"tokenFile"},
	{"auth-provider", FIELD_REFUSED, 0,
		"make a token for a service account (kubectl create token) and use token or "
		"tokenFile"},
	{"username", FIELD_REFUSED, 0, "use token, tokenFile or a client certificate"},
	{"password", FIELD_REFUSED, 0, "use token, tokenFile or a client certificate"},
	{"as", FIELD_REFUSED, 0, "use the credentials of that user"},
	{"as-uid", FIELD_REFUSED, 0, "use the credentials of that user"},
	{"as-groups", FIELD_REFUSED, 0, "use the credentials of that user"},
	{"as-user-extra", FIELD_REFUSED, 0, "use the credentials of that user"},
};

/* One kubeconfig while it is being read. */
struct reading {
	yaml_document_t document;
	const char *path;
	struct kube_config *config;
};

static bool read_document(struct reading *reading, struct err *err);
static bool check_config(struct kube_config *config, struct err *err);
static bool check_server(struct kube_config *config, struct err *err);

/* Whatever is wrong with the file. Always NULL. */
static struct kube_config *name_remedy(struct err *err)
{
	struct err fault = *err;

	(void)err_set(err, fault.kind, "%s; mend the file, or name another with --kubeconfig",
		fault.text);
	return NULL;
}

struct kube_config *kube_config_load(const char *path, struct err *err)
{
	char *text = secret_text_read(path, err);

	if (text == NULL) {
		(void)err_wrap(err, "kubeconfig");
		return name_remedy(err);
	}
	struct kube_config *config = kube_config_parse(text, strlen(text), path, err);
	secret_text_free(text);
	return config != NULL ? config : name_remedy(err);
}

struct kube_config *kube_config_parse(
	const char *text, size_t len, const char *path, struct err *err)
{
	struct reading reading = {.path = path};

	if (!yaml_find_load(text, len, &reading.document, err)) {
		(void)err_wrap(err, "kubeconfig %s", path);
		return NULL;
	}
	reading.config = xcalloc(1, sizeof(*reading.config));
	reading.config->source = xstrdup(path);
	bool is_ok = read_document(&reading, err) && check_config(reading.config, err);
	yaml_find_delete(&reading.document);
	if (!is_ok) {
		(void)err_wrap(err, "kubeconfig %s", path);
		kube_config_free(reading.config);
		return NULL;
	}
	return reading.config;
}

static bool check_in_cluster_files(const struct kube_config *config, struct err *err)
{
	const char *const files[] = {config->token_file, config->ca_file};

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		char *text = secret_text_read(files[i], err);
		if (text == NULL) {
			return err_wrap(err, "does the pod mount its service account's token");
		}
		secret_text_free(text);
	}
	return true;
}

struct kube_config *kube_config_in_cluster(const char *directory, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");

	if (host == NULL || port == NULL || *host == '\0' || *port == '\0') {
		(void)err_set(err, ERR_INPUT,
			"in-cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not "
			"set: run in a pod, or name a kubeconfig with --kubeconfig");
		return NULL;
	}
	if (directory == NULL) {
		directory = IN_CLUSTER_DIRECTORY;
	}
	bool is_ipv6 = strchr(host, ':') != NULL && host[0] != '[';
	struct kube_config *config = xcalloc(1, sizeof(*config));
	config->source = xstrdup("in-cluster");
	config->server = xasprintf(is_ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port);
	config->token_file = xasprintf("%s/token", directory);
	config->ca_file = xasprintf("%s/ca.crt", directory);
	if (!check_server(config, err) || !check_in_cluster_files(config, err)) {
		(void)err_wrap(err, "in-cluster");
		kube_config_free(config);
		return NULL;
	}
	return config;
}

void kube_config_free(struct kube_config *config)
{
	if (config == NULL) {
		return;
	}
	free(config->server);
	free(config->tls_server_name);
	free(config->ca_file);
	free(config->ca_pem);
	free(config->token_file);
	secret_text_free(config->token);
	free(config->client_cert_file);
	free(config->client_cert_pem);
	free(config->client_key_file);
	secret_text_free(config->client_key_pem);
	free(config->source);
	free(config);
}

/* Value of a base64 digit; -1 = none. */
static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What has been read of a base64 text. */
struct base64 {
	char *out;
	size_t out_len;
	size_t n_digits;
	size_t n_pads;
	unsigned bits; /* the last four digits, the newest in the lowest six bits */
};

static bool base64_add(struct base64 *base64, char c)
{
	int digit = base64_digit(c);

	if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
		return true; /* YAML may have folded the text */
	}
	if (c == '=') {
		return ++base64->n_pads <= 2;
	}
	if (digit < 0 || base64->n_pads > 0) {
		return false;
	}
	base64->bits = (base64->bits << 6 | (unsigned)digit) & 0xffffff;
	unsigned n = ++base64->n_digits % 4;
	if (n != 1) {
		unsigned shift = n == 0 ? 0 : 8 - 2 * n;
		base64->out[base64->out_len++] = (char)(base64->bits >> shift & 0xff);
	}
	return true;
}

/* NULL = not the base64 of a text. The caller frees with secret_text_free(). */
static char *base64_decode(const char *text, size_t len)
{
	struct base64 base64 = {.out = xcalloc(1, len / 4 * 3 + 4)};
	bool is_ok = true;

	for (size_t i = 0; i < len && is_ok; i++) {
		is_ok = base64_add(&base64, text[i]);
	}
	if (is_ok && (base64.n_digits + base64.n_pads) % 4 == 0 &&
		strlen(base64.out) == base64.out_len) {
		return base64.out;
	}
	OPENSSL_cleanse(base64.out, base64.out_len);
	free(base64.out);
	return NULL;
}

static char *resolve_path(const char *path, const char *kubeconfig)
{
	const char *slash = strrchr(kubeconfig, '/');

	if (path[0] == '/' || slash == NULL) {
		return xstrdup(path);
	}
	return xasprintf("%.*s/%s", (int)(slash - kubeconfig), kubeconfig, path);
}

static bool is_off(const yaml_node_t *node)
{
	size_t len = 0;
	const char *text = yaml_find_text(node, &len);

	return text != NULL && (len == 0 || strcmp(text, "false") == 0);
}

static bool read_field(struct reading *reading, const struct field *field, const yaml_node_t *node,
	struct err *err)
{
	char **target = (char **)(void *)((char *)reading->config + field->offset);
	size_t len = 0;
	const char *text = yaml_find_text(node, &len);

	if (field->type == FIELD_REFUSED) {
		return is_off(node) || err_set(err, ERR_INPUT, "%s is not supported: %s",
					       field->key, field->remedy);
	}
	if (text == NULL || strlen(text) != len) {
		return err_set(err, ERR_INPUT, "%s: not a text", field->key);
	}
	if (len == 0) {
		return true;
	}
	if (field->type == FIELD_TEXT) {
		*target = xstrdup(text);
	} else if (field->type == FIELD_PATH) {
		*target = resolve_path(text, reading->path);
	} else {
		*target = base64_decode(text, len);
		if (*target == NULL || strstr(*target, "-----BEGIN ") == NULL) {
			return err_set(
				err, ERR_INPUT, "%s: not a base64 text of PEM data", field->key);
		}
	}
	return true;
}

static bool read_fields(struct reading *reading, const yaml_node_t *mapping,
	const struct field *fields, size_t n_fields, struct err *err)
{
	for (size_t i = 0; i < n_fields; i++) {
		const yaml_node_t *node =
			yaml_find_member(&reading->document, mapping, fields[i].key);
		if (node != NULL && !read_field(reading, &fields[i], node, err)) {
			return false;
		}
	}
	return true;
}

/* The `member` of the entry called `name` in the list `list`: clusters[name].cluster and its like.
 */
static const yaml_node_t *find_entry(struct reading *reading, const char *list, const char *member,
	const char *name, struct err *err)
{
	yaml_document_t *document = &reading->document;
	const yaml_node_t *root = yaml_document_get_root_node(document);
	const yaml_node_t *entry =
		yaml_find_named(document, yaml_find_member(document, root, list), name);

	if (entry == NULL) {
		(void)err_set(err, ERR_INPUT, "%s: no entry is called \"%s\"", list, name);
		return NULL;
	}
	const yaml_node_t *body = yaml_find_member(document, entry, member);
	if (body == NULL || body->type != YAML_MAPPING_NODE) {
		(void)err_set(err, ERR_INPUT, "%s: entry \"%s\" has no %s", list, name, member);
		return NULL;
	}
	return body;
}

/* A text that must be there. */
static const char *need_text(
	struct reading *reading, const yaml_node_t *mapping, const char *key, struct err *err)
{
	size_t len = 0;
	const char *text = yaml_find_text(yaml_find_member(&reading->document, mapping, key), &len);

	if (text == NULL || len == 0) {
		(void)err_set(err, ERR_INPUT, "%s is not set", key);
		return NULL;
	}
	return text;
}

static bool read_cluster(struct reading *reading, const char *name, struct err *err)
{
	const yaml_node_t *cluster = find_entry(reading, "clusters", "cluster", name, err);

	if (cluster == NULL) {
		return false;
	}
	return read_fields(reading, cluster, cluster_fields, ARRAY_LEN(cluster_fields), err) ||
	       err_wrap(err, "cluster \"%s\"", name);
}

static bool read_user(struct reading *reading, const char *name, struct err *err)
{
	const yaml_node_t *user = find_entry(reading, "users", "user", name, err);

	if (user == NULL) {
		return false;
	}
	return read_fields(reading, user, user_fields, ARRAY_LEN(user_fields), err) ||
	       err_wrap(err, "user \"%s\"", name);
}

static bool read_document(struct reading *reading, struct err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&reading->document);

	if (root == NULL || root->type != YAML_MAPPING_NODE) {
		return err_set(err, ERR_INPUT, "not a kubeconfig: no mapping at the top");
	}
	const char *name = need_text(reading, root, "current-context", err);
	if (name == NULL) {
		return err_wrap(err, "choose a context (kubectl config use-context)");
	}
	const yaml_node_t *context = find_entry(reading, "contexts", "context", name, err);
	if (context == NULL) {
		return false;
	}
	const char *cluster = need_text(reading, context, "cluster", err);
	const char *user = cluster ? need_text(reading, context, "user", err) : NULL;
	if (user == NULL) {
		return err_wrap(err, "context \"%s\"", name);
	}
	return read_cluster(reading, cluster, err) && read_user(reading, user, err);
}

/* `winner` is used when both are there. */
static void keep_one(const char *winner, char **loser)
{
	if (winner != NULL) {
		secret_text_free(*loser);
		*loser = NULL;
	}
}

static bool check_config(struct kube_config *config, struct err *err)
{
	keep_one(config->ca_pem, &config->ca_file);
	keep_one(config->token_file, &config->token);
	keep_one(config->client_cert_pem, &config->client_cert_file);
	keep_one(config->client_key_pem, &config->client_key_file);
	bool has_cert = config->client_cert_pem != NULL || config->client_cert_file != NULL;
	bool has_key = config->client_key_pem != NULL || config->client_key_file != NULL;

	if (config->server == NULL) {
		return err_set(err, ERR_INPUT, "the cluster has no server");
	}
	if (has_cert && !has_key) {
		return err_set(err, ERR_INPUT,
			"the user has a client certificate but no client-key or client-key-data");
	}
	if (has_key && !has_cert) {
		return err_set(err, ERR_INPUT,
			"the user has a client key but no client-certificate or "
			"client-certificate-data");
	}
	for (const char *c = config->token; c != NULL && *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f) {
			return err_set(err, ERR_INPUT,
				"the user's token has a blank or a control "
				"character in it");
		}
	}
	return check_server(config, err);
}

static bool is_loopback(const char *host)
{
	struct in_addr address;

	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
		return true;
	}
	return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static bool has_part(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	bool is_there = curl_url_get(url, part, &text, 0) == CURLUE_OK;

	curl_free(text);
	return is_there;
}

static bool check_url(CURLU *url, const char *server, struct err *err)
{
	char *scheme = NULL;
	char *host = NULL;
	bool is_ok = false;

	if (curl_url_set(url, CURLUPART_URL, server, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
		(void)err_set(err, ERR_INPUT, "server \"%s\": must be https://host:port", server);
	} else if (has_part(url, CURLUPART_USER) || has_part(url, CURLUPART_PASSWORD) ||
		   has_part(url, CURLUPART_QUERY) || has_part(url, CURLUPART_FRAGMENT)) {
		/* The URL may hold a password: it isn't repeated. */
		(void)err_set(err, ERR_INPUT, "server: only https://host:port/path is understood");
	} else if (strcmp(scheme, "http") == 0 && !is_loopback(host)) {
		(void)err_set(err, ERR_INPUT,
			"server \"%s\": http would send the token in the clear: use https", server);
	} else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0) {
		(void)err_set(err, ERR_INPUT, "server \"%s\": must begin with https://", server);
	} else {
		is_ok = true;
	}
	curl_free(scheme);
	curl_free(host);
	return is_ok;
}

static bool check_server(struct kube_config *config, struct err *err)
{
	size_t len = strlen(config->server);

	while (len > 0 && config->server[len - 1] == '/') {
		config->server[--len] = '\0';
	}
	CURLU *url = curl_url();
	if (url == NULL) {
		return err_set(err, ERR_RETRY, "no memory for a URL");
	}
	bool is_ok = check_url(url, config->server, err);
	curl_url_cleanup(url);
	return is_ok;
}
