/* See event.h. Called by status.c. */
#include "status/event.h"

#include <inttypes.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "kube/time.h"

/* A qualified name, which --controller-name need not be. */
#define REPORTER "headgate.dev/ingress-controller"

/* "." and 16 digits behind the Ingress's name. */
#define SUFFIX_SIZE 18

uint64_t event_hash(const struct ingress *ingress, const struct diag *diag)
{
	struct buf text = BUF_INIT(0);
	unsigned char digest[SHA256_DIGEST_LENGTH];
	uint64_t hash = 0;

	/* None but the last can hold a line feed. */
	buf_printf(&text, "%s\n%s\n%s\n%s", obj_str(ingress, ingress->uid),
		diag_reason_names[diag->reason], diag->field, diag->text);
	SHA256((const unsigned char *)text.data, text.len, digest);
	buf_fini(&text);
	for (size_t i = 0; i < sizeof(hash); i++) {
		hash = hash << 8 | digest[i];
	}
	return hash;
}

/* A long name is cut, and not in a way that leaves a '.' or '-' at its end. */
static void write_name(const struct ingress *ingress, const struct diag *diag, struct buf *buf)
{
	const char *name = object_name(&ingress->head);
	size_t len = strlen(name);

	len = len > EVENT_NAME_MAX_SIZE - SUFFIX_SIZE ? EVENT_NAME_MAX_SIZE - SUFFIX_SIZE : len;
	while (len > 0 && (name[len - 1] == '.' || name[len - 1] == '-')) {
		len--;
	}
	buf_printf(buf, "\"%.*s.%016" PRIx64 "\"", (int)len, name, event_hash(ingress, diag));
}

static void write_regarding(const struct ingress *ingress, struct buf *buf)
{
	buf_printf(buf, "{\"apiVersion\":\"%s\",\"kind\":\"%s\",\"namespace\":",
		kube_kinds[KUBE_INGRESS].api_version, kube_kinds[KUBE_INGRESS].name);
	json_append_text(buf, object_namespace(&ingress->head), JSON_TEXT_WHOLE);
	buf_append_str(buf, ",\"name\":");
	json_append_text(buf, object_name(&ingress->head), JSON_TEXT_WHOLE);
	buf_append_str(buf, ",\"uid\":");
	json_append_text(buf, obj_str(ingress, ingress->uid), JSON_TEXT_WHOLE);
	buf_append_char(buf, '}');
}

void event_write(const struct ingress *ingress, const struct diag *diag, const char *instance,
	int64_t unix_us, struct buf *buf)
{
	char now[KUBE_TIME_SIZE];
	struct buf note = BUF_INIT(0);

	kube_time_write(unix_us, now);
	buf_printf(&note, "%s: %s", diag->field, diag->text);
	buf_append_str(buf,
		"{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",\"metadata\":{\"name\":");
	write_name(ingress, diag, buf);
	buf_append_str(buf, ",\"namespace\":");
	json_append_text(buf, object_namespace(&ingress->head), JSON_TEXT_WHOLE);
	buf_printf(buf,
		"},\"eventTime\":\"%s\",\"type\":\"Warning\",\"reason\":\"%s\","
		"\"action\":\"Configure\",\"reportingController\":\"" REPORTER "\","
		"\"reportingInstance\":",
		now, diag_reason_names[diag->reason]);
	json_append_text(buf, instance, EVENT_INSTANCE_MAX_SIZE);
	buf_append_str(buf, ",\"regarding\":");
	write_regarding(ingress, buf);
	buf_append_str(buf, ",\"note\":");
	json_append_text(buf, buf_str(&note), EVENT_NOTE_MAX_SIZE);
	buf_append_char(buf, '}');
	buf_fini(&note);
}
