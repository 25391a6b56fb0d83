/* A kubeconfig of any bytes: refused with a reason, or understood in a way that is safe to connect
 * with. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "kube/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pair(const char *file, const char *text)
{
	assert(file == NULL || text == NULL);
}

static void check_config(const struct kube_config *config)
{
	assert(strncmp(config->server, "https://", 8) == 0 ||
		strncasecmp(config->server, "http", 4) == 0);
	assert(strpbrk(config->server, " \t\r\n") == NULL);
	check_pair(config->ca_file, config->ca_pem);
	check_pair(config->token_file, config->token);
	check_pair(config->client_cert_file, config->client_cert_pem);
	check_pair(config->client_key_file, config->client_key_pem);
	assert((config->client_cert_file || config->client_cert_pem) ==
		(config->client_key_file || config->client_key_pem));
	assert(config->token == NULL || strpbrk(config->token, " \t\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct kube_config *config =
		kube_config_parse((const char *)data, size, "/etc/kubeconfig", &err);

	assert((config == NULL) == (err.kind != ERR_NONE));
	if (config != NULL) {
		check_config(config);
	}
	kube_config_free(config);
	return 0;
}
