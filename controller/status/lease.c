/* See lease.h. Called by leader.c. */
#include "status/lease.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "kube/time.h"

/* Holder, version and time are short; a longer text is nothing that we could send back. */
#define TEXT_MAX_LEN 1024

void lease_init(struct lease *lease, const char *name, const char *identity,
	unsigned duration_seconds, uint64_t seed)
{
	*lease = (struct lease){
		.name = xstrdup(name),
		.identity = xstrdup(identity),
		.duration_ms = duration_seconds * 1000,
		.renew_ms = duration_seconds * 1000 * 2 / 3,
		.retry_ms = duration_seconds * 1000 * 2 / 15,
		.random = seed | 1,
	};
}

void lease_record_fini(struct lease_record *record)
{
	free(record->version);
	free(record->holder);
	free(record->renewed);
	*record = (struct lease_record){0};
}

void lease_fini(struct lease *lease)
{
	lease_record_fini(&lease->record);
	free(lease->name);
	free(lease->identity);
	*lease = (struct lease){0};
}

bool lease_is_held(const struct lease *lease, uint64_t now_ms)
{
	return lease->is_holder && now_ms < lease->held_until_ms;
}

enum lease_ask lease_next(struct lease *lease, uint64_t now_ms)
{
	if (lease->is_holder && now_ms >= lease->held_until_ms) {
		/* Too late: look at it as everybody else does. */
		lease->is_holder = false;
		lease->ask = LEASE_GET;
	}
	lease->asked_ms = now_ms;
	return lease->ask;
}

/* ---- reading ---- */

static struct json_object *member(struct json_object *json, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(json, name, &value);
	return value;
}

/* A copy of the text, "" when absent; NULL = not a text that can be. */
static char *take_text(struct json_object *json, const char *name)
{
	struct json_object *value = member(json, name);

	if (value == NULL) {
		return xstrdup("");
	}
	size_t len = (size_t)json_object_get_string_len(value);
	if (!json_object_is_type(value, json_type_string) || len > TEXT_MAX_LEN ||
		strlen(json_object_get_string(value)) != len) {
		return NULL;
	}
	return xstrdup(json_object_get_string(value));
}

static int64_t take_number(struct json_object *json, const char *name)
{
	struct json_object *value = member(json, name);
	int64_t number =
		json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;

	/* Both of the API's numbers are 32 bits wide. */
	return number < 0 ? 0 : number > INT32_MAX ? INT32_MAX : number;
}

bool lease_record_parse(struct lease_record *record, const char *text)
{
	struct json_object *json = json_tokener_parse(text);
	struct json_object *spec = member(json, "spec");
	struct json_object *kind = member(json, "kind");

	*record = (struct lease_record){
		.version = take_text(member(json, "metadata"), "resourceVersion"),
		.holder = take_text(spec, "holderIdentity"),
		.renewed = take_text(spec, "renewTime"),
		.duration_ms = take_number(spec, "leaseDurationSeconds") * 1000,
		.n_transitions = take_number(spec, "leaseTransitions"),
	};
	bool is_ok = json_object_is_type(kind, json_type_string) &&
		     strcmp(json_object_get_string(kind), "Lease") == 0 &&
		     record->version != NULL && record->version[0] != '\0' &&
		     record->holder != NULL && record->renewed != NULL;
	json_object_put(json);
	if (!is_ok) {
		lease_record_fini(record);
	}
	return is_ok;
}

/* ---- writing ---- */

static void write_holder(const struct lease *lease, const char *now, struct buf *buf)
{
	buf_append_str(buf, "\"holderIdentity\":");
	json_append_text(buf, lease->identity, JSON_TEXT_WHOLE);
	buf_printf(buf, ",\"leaseDurationSeconds\":%" PRIu32 ",\"renewTime\":\"%s\"",
		lease->duration_ms / 1000, now);
}

static void write_version(const struct lease *lease, struct buf *buf)
{
	buf_append_str(buf, "{\"metadata\":{\"resourceVersion\":");
	json_append_text(buf, lease->record.version, JSON_TEXT_WHOLE);
	buf_append_str(buf, "},\"spec\":{");
}

void lease_write(const struct lease *lease, int64_t unix_us, struct buf *buf)
{
	char now[KUBE_TIME_SIZE];

	kube_time_write(unix_us, now);
	if (lease->ask == LEASE_CREATE) {
		buf_append_str(buf, "{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\","
				    "\"metadata\":{\"name\":");
		json_append_text(buf, lease->name, JSON_TEXT_WHOLE);
		buf_append_str(buf, "},\"spec\":{");
		write_holder(lease, now, buf);
		buf_printf(buf, ",\"acquireTime\":\"%s\",\"leaseTransitions\":0}}", now);
	} else if (lease->ask == LEASE_TAKE) {
		write_version(lease, buf);
		write_holder(lease, now, buf);
		if (strcmp(lease->record.holder, lease->identity) != 0) {
			buf_printf(buf, ",\"acquireTime\":\"%s\",\"leaseTransitions\":%" PRId64,
				now, lease->record.n_transitions + 1);
		}
		buf_append_str(buf, "}}");
	}
}

void lease_write_release(const struct lease *lease, int64_t unix_us, struct buf *buf)
{
	char now[KUBE_TIME_SIZE];

	kube_time_write(unix_us, now);
	write_version(lease, buf);
	buf_printf(buf,
		"\"holderIdentity\":\"\",\"leaseDurationSeconds\":1,\"renewTime\":\"%s\","
		"\"acquireTime\":\"%s\"}}",
		now, now);
}

/* ---- deciding ---- */

static bool same_renewal(const struct lease_record *a, const struct lease_record *b)
{
	return a->version != NULL && strcmp(a->holder, b->holder) == 0 &&
	       strcmp(a->renewed, b->renewed) == 0 && a->duration_ms == b->duration_ms &&
	       a->n_transitions == b->n_transitions;
}

/* Takes the record over. */
static void observe(struct lease *lease, struct lease_record *record, uint64_t now_ms)
{
	if (!same_renewal(&lease->record, record)) {
		lease->observed_ms = now_ms;
	}
	lease_record_fini(&lease->record);
	lease->record = *record;
	*record = (struct lease_record){0};
}

static bool can_take(const struct lease *lease, uint64_t now_ms)
{
	const struct lease_record *record = &lease->record;

	return record->holder[0] == '\0' || strcmp(record->holder, lease->identity) == 0 ||
	       now_ms >= lease->observed_ms + (uint64_t)record->duration_ms;
}

static uint32_t go_on(struct lease *lease, enum lease_ask ask, uint32_t wait_ms)
{
	lease->ask = ask;
	return wait_ms;
}

/* Those that wait do so for different times, or they would all ask at once. */
static uint32_t wait_with_others(struct lease *lease)
{
	lease->random ^= lease->random << 13;
	lease->random ^= lease->random >> 7;
	lease->random ^= lease->random << 17;
	return lease->retry_ms + (uint32_t)(lease->random % (lease->retry_ms + 1u));
}

static uint32_t after_get(struct lease *lease, long status, const char *body, uint64_t now_ms)
{
	struct lease_record record;

	if (status == 404) {
		lease->is_holder = false;
		return go_on(lease, LEASE_CREATE, 0);
	}
	if (status != 200 || !lease_record_parse(&record, body)) {
		return go_on(lease, LEASE_GET, wait_with_others(lease));
	}
	observe(lease, &record, now_ms);
	if (strcmp(lease->record.holder, lease->identity) != 0) {
		lease->is_holder = false;
	}
	if (!can_take(lease, now_ms)) {
		return go_on(lease, LEASE_GET, wait_with_others(lease));
	}
	/* A second conflict in a row isn't fought for. */
	return go_on(lease, LEASE_TAKE, lease->had_conflict ? lease->retry_ms : 0);
}

static uint32_t after_write(struct lease *lease, const char *body, uint64_t now_ms)
{
	struct lease_record record;

	if (!lease_record_parse(&record, body)) {
		return go_on(lease, LEASE_GET, lease->retry_ms);
	}
	observe(lease, &record, now_ms);
	lease->had_conflict = false;
	lease->is_holder = strcmp(lease->record.holder, lease->identity) == 0;
	lease->held_until_ms = lease->asked_ms + lease->renew_ms;
	return go_on(lease, lease->is_holder ? LEASE_TAKE : LEASE_GET, lease->retry_ms);
}

uint32_t lease_answer(struct lease *lease, long status, const char *body, uint64_t now_ms)
{
	bool is_held = lease_is_held(lease, now_ms);

	if (lease->ask == LEASE_GET) {
		return after_get(lease, status, body, now_ms);
	}
	if (status == 200 || status == 201) {
		return after_write(lease, body, now_ms);
	}
	if (status == 409 || status == 404) {
		bool was_conflict = lease->had_conflict;
		lease->had_conflict = true;
		if (!is_held) {
			return go_on(lease, LEASE_GET, wait_with_others(lease));
		}
		/* Whose it is now must be known at once by the one who thinks it is his. Of two
		 * conflicts in a row the second one waits, but leaves time to write again while it
		 * is still held. */
		return go_on(lease, LEASE_GET, was_conflict ? lease->retry_ms : 0);
	}
	return go_on(lease, is_held ? LEASE_TAKE : LEASE_GET, lease->retry_ms);
}
