/* See credentials.h. Called by kube/client.c only; must not know what is requested with them, and
 * never logs a content. */
#include "kube/credentials.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/secret_file.h"

#define PEM_MARKER "-----BEGIN "

enum secret { SECRET_TOKEN, SECRET_CA, SECRET_CLIENT_CERT, SECRET_CLIENT_KEY, SECRET_COUNT };

struct secret_info {
	CURLoption option;  /* takes the text as a blob */
	const char *marker; /* NULL: not PEM but the token */
};

/* clang-format off */
static const struct secret_info secret_infos[SECRET_COUNT] = {
	[SECRET_TOKEN] = {0, NULL},
	[SECRET_CA] = {CURLOPT_CAINFO_BLOB, PEM_MARKER},
	[SECRET_CLIENT_CERT] = {CURLOPT_SSLCERT_BLOB, PEM_MARKER},
	[SECRET_CLIENT_KEY] = {CURLOPT_SSLKEY_BLOB, PEM_MARKER},
};
/* clang-format on */

struct credentials {
	const char *fixed[SECRET_COUNT];	/* from the configuration itself; borrowed */
	struct secret_file files[SECRET_COUNT]; /* path NULL = not a file */
	char *token;				/* owned, wiped */
};

static bool take_token(struct credentials *credentials, struct err *err);

static void set_source(
	struct credentials *credentials, enum secret secret, const char *fixed, const char *path)
{
	credentials->fixed[secret] = fixed;
	if (path != NULL) {
		secret_file_init(&credentials->files[secret], path, secret_infos[secret].marker);
	}
}

struct credentials *credentials_new(const struct kube_config *config, struct err *err)
{
	struct credentials *credentials = xcalloc(1, sizeof(*credentials));
	bool is_new;

	set_source(credentials, SECRET_TOKEN, config->token, config->token_file);
	set_source(credentials, SECRET_CA, config->ca_pem, config->ca_file);
	set_source(
		credentials, SECRET_CLIENT_CERT, config->client_cert_pem, config->client_cert_file);
	set_source(credentials, SECRET_CLIENT_KEY, config->client_key_pem, config->client_key_file);
	if (config->token != NULL) {
		credentials->token = xstrdup(config->token);
	}
	if (!credentials_refresh(credentials, &is_new, err)) {
		(void)err_wrap(err, "credentials from %s", config->source);
		credentials_free(credentials);
		return NULL;
	}
	return credentials;
}

void credentials_free(struct credentials *credentials)
{
	if (credentials == NULL) {
		return;
	}
	for (int i = 0; i < SECRET_COUNT; i++) {
		secret_file_fini(&credentials->files[i]);
	}
	secret_text_free(credentials->token);
	free(credentials);
}

bool credentials_refresh(
	struct credentials *credentials, bool *ret_needs_new_connection, struct err *err)
{
	bool is_ok = true;
	bool needs_new = false;

	for (int i = 0; i < SECRET_COUNT; i++) {
		struct secret_file *file = &credentials->files[i];
		bool has_changed = false;
		if (file->path == NULL) {
			continue;
		}
		is_ok &= secret_file_refresh(file, &has_changed, err);
		if (has_changed && i == SECRET_TOKEN) {
			is_ok &= take_token(credentials, err);
		}
		needs_new |= has_changed && secret_infos[i].marker != NULL;
	}
	*ret_needs_new_connection = needs_new;
	return is_ok;
}

void credentials_distrust(struct credentials *credentials)
{
	for (int i = 0; i < SECRET_COUNT; i++) {
		credentials->files[i].is_stale = true;
	}
}

static const char *secret_text(const struct credentials *credentials, enum secret secret)
{
	const char *text = credentials->files[secret].text;

	return text ? text : credentials->fixed[secret];
}

bool credentials_apply_tls(const struct credentials *credentials, CURL *easy)
{
	bool is_ok = true;

	for (int i = 0; i < SECRET_COUNT; i++) {
		const char *text = secret_text(credentials, (enum secret)i);
		if (secret_infos[i].marker == NULL || text == NULL) {
			continue;
		}
		struct curl_blob blob = {
			.data = (void *)(uintptr_t)text,
			.len = strlen(text),
			.flags = CURL_BLOB_COPY,
		};
		is_ok &= curl_easy_setopt(easy, secret_infos[i].option, &blob) == CURLE_OK;
	}
	if (secret_text(credentials, SECRET_CA) != NULL) {
		/* Without this the system's roots would be trusted beside the cluster's own CA. */
		is_ok &= curl_easy_setopt(easy, CURLOPT_CAPATH, NULL) == CURLE_OK;
	}
	return is_ok;
}

const char *credentials_token(const struct credentials *credentials)
{
	return credentials->token;
}

/* The token file's content without blanks around it; one with control characters could forge
 * headers. */
static bool take_token(struct credentials *credentials, struct err *err)
{
	const char *text = credentials->files[SECRET_TOKEN].text;
	const char *path = credentials->files[SECRET_TOKEN].path;
	const char *start = text + strspn(text, " \t\r\n");
	size_t len = strlen(start);

	while (len > 0 && strchr(" \t\r\n", start[len - 1]) != NULL) {
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		if (start[i] <= ' ' || start[i] >= 0x7f) {
			return err_set(err, ERR_INPUT, "%s: not a token", path);
		}
	}
	if (len == 0) {
		return err_set(err, ERR_RETRY, "%s: the file is empty", path);
	}
	secret_text_free(credentials->token);
	credentials->token = xstrndup(start, len);
	return true;
}
