/*
 * A row of the ConfigMap of TCP services, any bytes: key, NUL, value. What is taken consists of
 * names that Kubernetes allows and of ports, or is a log format that fits between single quotes.
 * What is refused is printable.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/tcp_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LABEL "abcdefghijklmnopqrstuvwxyz0123456789-"

static void check_name(const char *name)
{
	size_t len = strlen(name);

	assert(len > 0 && len <= 63 && name[strspn(name, LABEL)] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_ptr) char *text = xcalloc(1, size + 2);
	struct tcp_services services = {0};

	if (size > 0) {
		memcpy(text, data, size);
	}
	const char *value = text + strlen(text) + 1;
	CLEANUP(free_ptr)
	char *reason = tcp_services_add(&services, text, value, "--http-bind=:8080");
	for (const char *c = reason ? reason : ""; *c != '\0'; c++) {
		assert(*c >= 0x20 && *c <= 0x7e);
	}
	assert((reason == NULL) == (services.n == 1 || services.log_format != NULL));
	if (services.n == 1) {
		const struct tcp_service *service = &services.items[0];
		assert(service->port != 0 && service->port != 8080);
		check_name(service->namespace);
		check_name(service->service);
		check_name(service->service_port);
	}
	for (const char *c = services.log_format ? services.log_format : ""; *c != '\0'; c++) {
		assert(*c >= 0x20 && *c <= 0x7e && *c != '\'');
	}
	tcp_services_fini(&services);
	return 0;
}
