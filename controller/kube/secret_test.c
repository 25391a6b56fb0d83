/*
 * Secrets: what is made of good and of bad ones, what the time says of them, which content stays in
 * use when a newer version can't be, and that no key is left behind in freed memory.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "cert/cert.h"
#include "cert/wipe_testing.h"
#include "kube/secret_testing.h"

#define FROM (-1000)
#define TO   1000

/* Contents, made once: certificates of one key for "a.test", and of what can't be used. */
enum content { GOOD, LONGER, EXPIRED, EXPIRED_LATER, EARLY, EARLIER, INVALID, N_CONTENTS };

static char *contents[N_CONTENTS];
static EVP_PKEY *key;

static int make_contents(void **state)
{
	static const int periods[INVALID][2] = {[GOOD] = {FROM, TO},
		[LONGER] = {FROM + 1, TO + 1},
		[EXPIRED] = {-3000, -200},
		[EXPIRED_LATER] = {-3000, -100},
		[EARLY] = {3000, 5000},
		[EARLIER] = {2000, 6000}};

	(void)state;
	key = EVP_EC_gen("P-256");
	for (size_t i = 0; i < INVALID; i++) {
		contents[i] = testing_secret_data(&(struct testing_cert){.common_name = "a.test",
			.names = "DNS:a.test,DNS:*.a.test",
			.key = key,
			.from_seconds = periods[i][0],
			.to_seconds = periods[i][1]});
	}
	contents[INVALID] = xstrdup("'tls.crt':'','tls.key':'bm8='");
	return 0;
}

static int free_contents(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CONTENTS; i++) {
		free(contents[i]);
	}
	EVP_PKEY_free(key);
	return 0;
}

/* As it is read at TESTING_NOW; the caller frees with object_free(). */
static struct secret *read_content(enum content content)
{
	struct object *object = testing_secret("ns", "s", contents[content]);
	struct object *judged = secret_judge((const struct secret *)object, TESTING_NOW);

	if (judged != NULL) {
		object_free(object);
		object = judged;
	}
	return (struct secret *)object;
}

static void expect_words(const struct secret *secret, const char *words)
{
	if (strstr(obj_str(secret, secret->fault), words) == NULL) {
		fail_msg("'%s' is not in '%s'", words, obj_str(secret, secret->fault));
	}
}

/* ---- reading ---- */

static void test_good(void **state)
{
	(void)state;
	struct secret *secret = read_content(GOOD);

	assert_string_equal(object_namespace(&secret->head), "ns");
	assert_string_equal(object_name(&secret->head), "s");
	assert_string_equal(obj_str(secret, secret->type), SECRET_TYPE_TLS);
	assert_string_equal(obj_str(secret, secret->names), "a.test *.a.test");
	assert_non_null(strstr(obj_str(secret, secret->pem), "PRIVATE KEY"));
	assert_int_equal(strlen(obj_str(secret, secret->fingerprint)), 40);
	assert_int_equal(strlen(obj_str(secret, secret->digest)), 64);
	assert_int_equal(secret->key, CERT_KEY_ECDSA);
	assert_int_equal(secret->not_before, TESTING_NOW + FROM);
	assert_int_equal(secret->not_after, TESTING_NOW + TO);
	assert_int_equal(secret->state, SECRET_GOOD);
	assert_false(obj_has(secret->fault));
	object_free(&secret->head);
}

/* What has no certificate says why, and how to mend it. */
static void test_faults(void **state)
{
	static const struct {
		const char *type_and_data;
		const char *words;
	} rows[] = {
		{"'type':'Opaque','data':{'tls.crt':''}", "type 'Opaque': create it anew"},
		{"'data':{'tls.crt':''}", "type 'Opaque': create it anew"},
		{"'type':'" SECRET_TYPE_TLS "'", "no tls.crt: store the certificate there"},
		{"'type':'" SECRET_TYPE_TLS "','data':null", "no tls.crt"},
		{"'type':'" SECRET_TYPE_TLS "','data':[]", "no tls.crt"},
		{"'type':'" SECRET_TYPE_TLS "','data':{'tls.crt':7}", "no tls.crt"},
		{"'type':'" SECRET_TYPE_TLS "','data':{'tls.crt':'YQ=='}",
			"no tls.key: store the private key there"},
		{"'type':'" SECRET_TYPE_TLS "','data':{'tls.crt':'#'}",
			"data[tls.crt] is not base64"},
		{"'type':'" SECRET_TYPE_TLS "','data':{'tls.crt':'YQ==','tls.key':'YQ'}",
			"data[tls.key] is not base64"},
		{"'type':'" SECRET_TYPE_TLS "','data':{'tls.crt':'YQ==','tls.key':'YQ=='}",
			"tls.crt"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr)
		char *text = xasprintf(
			"{'metadata':{'namespace':'ns','name':'s'},%s}", rows[i].type_and_data);
		struct secret *secret = (struct secret *)testing_object(KUBE_SECRET, text);
		assert_int_equal(secret->state, SECRET_INVALID);
		assert_false(obj_has(secret->pem));
		assert_false(obj_has(secret->digest));
		expect_words(secret, rows[i].words);
		assert_null(secret_judge(secret, TESTING_NOW));
		assert_null(secret_without_object(secret));
		object_free(&secret->head);
	}
}

/* Manifests may have it in clear, which goes first; what it is made into has the same content. */
static void test_clear_text(void **state)
{
	(void)state;
	X509 *cert = testing_cert_new(&(struct testing_cert){.common_name = "b.test", .key = key});
	CLEANUP(free_ptr) char *crt = testing_cert_pem(cert);
	CLEANUP(free_ptr) char *pem = testing_key_pem(key, NULL);
	struct json_object *json = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *clear = json_object_new_object();
	struct json_object *data = json_object_new_object();
	struct err err = {0};

	json_object_object_add(json, "metadata", metadata);
	json_object_object_add(metadata, "name", json_object_new_string("s"));
	json_object_object_add(json, "type", json_object_new_string(SECRET_TYPE_TLS));
	json_object_object_add(json, "stringData", clear);
	json_object_object_add(clear, "tls.crt", json_object_new_string(crt));
	json_object_object_add(clear, "tls.key", json_object_new_string(pem));
	json_object_object_add(json, "data", data);
	json_object_object_add(data, "tls.crt", json_object_new_string("not looked at"));
	struct object *object = object_decode(KUBE_SECRET, json, "ns", &err);
	struct secret *secret = (struct secret *)object;
	assert_non_null(object);
	assert_int_equal(secret->state, SECRET_GOOD);
	assert_string_equal(obj_str(secret, secret->names), "b.test");
	object_free(object);
	json_object_put(json);
	X509_free(cert);
}

static void test_equal_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_CONTENTS; i++) {
		struct secret *one = read_content((enum content)i);
		struct secret *other = read_content((enum content)i);
		struct secret *third = read_content((enum content)((i + 1) % N_CONTENTS));
		assert_true(object_equals(&one->head, &other->head));
		assert_false(object_equals(&one->head, &third->head));
		object_free(&one->head);
		object_free(&other->head);
		object_free(&third->head);
	}
}

/* ---- time ---- */

/* Of one that was good when it was read; -1 = stays as it is. */
static void test_judge(void **state)
{
	static const struct {
		int at;
		int state;
		const char *words;
	} rows[] = {
		{FROM - 301, SECRET_EARLY, "not valid before 2023-11-14T21:56:40Z: wait, or store"},
		{FROM - 300, -1, NULL}, /* clocks differ */
		{0, -1, NULL},
		{TO - 1, -1, NULL},
		{TO, SECRET_EXPIRED, "expired at 2023-11-14T22:30:00Z: renew it"},
	};
	struct secret *secret = read_content(GOOD);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *judged = secret_judge(secret, TESTING_NOW + rows[i].at);
		struct secret *other = (struct secret *)judged;
		assert_int_equal(judged == NULL, rows[i].state == -1);
		if (judged == NULL) {
			continue;
		}
		assert_int_equal(other->state, rows[i].state);
		expect_words(other, rows[i].words);
		assert_string_equal(obj_str(other, other->digest), obj_str(secret, secret->digest));
		assert_null(secret_judge(other, TESTING_NOW + rows[i].at));
		struct object *back = secret_judge(other, TESTING_NOW);
		assert_true(object_equals(back, &secret->head));
		object_free(back);
		object_free(judged);
	}
	object_free(&secret->head);
}

/* All of them, not one of two; and of the newest version alone. */
static void test_authorities_expire(void **state)
{
	X509 *certs[2];
	char *pems[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(certs); i++) {
		certs[i] = testing_cert_new(&(struct testing_cert){.common_name = "ca",
			.key = key,
			.from_seconds = FROM,
			.to_seconds = i == 0 ? TO : 2 * TO});
		pems[i] = testing_cert_pem(certs[i]);
		X509_free(certs[i]);
	}
	CLEANUP(free_ptr) char *both = xasprintf("%s%s", pems[1], pems[0]);
	CLEANUP(free_ptr) char *text = testing_base64(both);
	CLEANUP(free_ptr) char *data = xasprintf("'ca.crt':'%s'", text);
	struct object *object = testing_secret("ns", "s", data);
	const struct secret *secret = (const struct secret *)object;

	assert_null(secret_judge(secret, TESTING_NOW + 2 * TO - 1));
	assert_null(secret_judge_again(secret, TESTING_NOW + 2 * TO - 1));
	struct object *judged = secret_judge_again(secret, TESTING_NOW + 2 * TO);
	const struct secret *other = (const struct secret *)judged;
	assert_true(other->have_authorities_expired);
	assert_string_equal(obj_str(other, other->authorities), both);
	assert_null(secret_judge(other, TESTING_NOW + 2 * TO));
	struct object *back = secret_judge(other, TESTING_NOW);
	assert_true(object_equals(back, object));
	object_free(back);
	struct secret *good = read_content(GOOD);
	struct object *kept = secret_keep_last_good(other, good);
	assert_true(((const struct secret *)kept)->have_authorities_expired);
	struct object *gone = secret_without_object((const struct secret *)kept);
	assert_false(((const struct secret *)gone)->have_authorities_expired);
	object_free(gone);
	object_free(kept);
	object_free(&good->head);
	object_free(judged);
	object_free(object);
	free(pems[0]);
	free(pems[1]);
}

/* ---- last good ---- */

/* Takes both; what is in the place of the older one then. */
static struct secret *replace(struct secret *older, struct secret *newer)
{
	struct object *kept = secret_keep_last_good(newer, older);

	object_free(&older->head);
	if (kept == NULL) {
		return newer;
	}
	object_free(&newer->head);
	return (struct secret *)kept;
}

static void expect_content(const struct secret *secret, enum content content)
{
	struct secret *same = read_content(content);

	assert_string_equal(obj_str(secret, secret->digest), obj_str(same, same->digest));
	assert_string_equal(obj_str(secret, secret->pem), obj_str(same, same->pem));
	assert_string_equal(obj_str(secret, secret->fingerprint), obj_str(same, same->fingerprint));
	if (content != INVALID) {
		assert_int_equal(secret->not_after, same->not_after);
	}
	object_free(&same->head);
}

/* Every pair of an older and a newer version: whose content is in use, and what is said. */
static void test_last_good(void **state)
{
	static const struct {
		enum content older, newer, used;
		enum secret_state state;
	} rows[] = {
		{GOOD, LONGER, LONGER, SECRET_GOOD},
		{LONGER, GOOD, GOOD, SECRET_GOOD},
		{GOOD, INVALID, GOOD, SECRET_INVALID},
		{GOOD, EXPIRED, GOOD, SECRET_EXPIRED},
		{GOOD, EARLY, GOOD, SECRET_EARLY},
		{EXPIRED, INVALID, EXPIRED, SECRET_INVALID},
		{EXPIRED, EXPIRED_LATER, EXPIRED_LATER, SECRET_EXPIRED},
		{EXPIRED_LATER, EXPIRED, EXPIRED_LATER, SECRET_EXPIRED},
		{EXPIRED, GOOD, GOOD, SECRET_GOOD},
		{EXPIRED, EARLY, EXPIRED, SECRET_EARLY},
		{EARLY, INVALID, EARLY, SECRET_INVALID},
		{EARLY, EXPIRED, EARLY, SECRET_EXPIRED},
		{EARLY, EARLIER, EARLIER, SECRET_EARLY},
		{EARLIER, EARLY, EARLIER, SECRET_EARLY},
		{EARLY, GOOD, GOOD, SECRET_GOOD},
		{INVALID, GOOD, GOOD, SECRET_GOOD},
		{INVALID, INVALID, INVALID, SECRET_INVALID},
		{INVALID, EXPIRED, EXPIRED, SECRET_EXPIRED},
		{INVALID, EARLY, EARLY, SECRET_EARLY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secret *newer = read_content(rows[i].newer);
		CLEANUP(free_ptr) char *fault = xstrdup(obj_str(newer, newer->fault));
		struct secret *now = replace(read_content(rows[i].older), newer);
		assert_int_equal(now->state, rows[i].state);
		expect_content(now, rows[i].used);
		assert_string_equal(obj_str(now, now->fault), fault);
		object_free(&now->head);
	}
}

/* Several bad versions in a row don't make it forget the good one, and the next good one does. */
static void test_bad_after_bad(void **state)
{
	static const enum content bad[] = {INVALID, EXPIRED, EARLY, INVALID};
	struct secret *secret = read_content(GOOD);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		secret = replace(secret, read_content(bad[i]));
		expect_content(secret, GOOD);
		assert_int_not_equal(secret->state, SECRET_GOOD);
	}
	secret = replace(secret, read_content(LONGER));
	expect_content(secret, LONGER);
	assert_int_equal(secret->state, SECRET_GOOD);
	object_free(&secret->head);
}

/* Removed: the content stays with a fault, once; a version that comes again decides anew. */
static void test_removed(void **state)
{
	static const enum content again[] = {INVALID, GOOD};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(again); i++) {
		struct secret *secret = read_content(LONGER);
		struct secret *gone = (struct secret *)secret_without_object(secret);
		assert_int_equal(gone->state, SECRET_ABSENT);
		expect_words(gone, "it is gone: create it again");
		expect_content(gone, LONGER);
		assert_null(secret_without_object(gone));
		assert_null(secret_judge(gone, TESTING_NOW + 2 * TO));
		gone = replace(gone, read_content(again[i]));
		expect_content(gone, again[i] == GOOD ? GOOD : LONGER);
		object_free(&gone->head);
		object_free(&secret->head);
	}
}

/* ---- keys ---- */

static void test_document_is_wiped(void **state)
{
	(void)state;
	CLEANUP(free_ptr) char *pem = testing_key_pem(key, NULL);
	CLEANUP(free_ptr) char *pem64 = testing_base64(pem);
	struct json_object *json = json_object_new_object();
	struct json_object *data = json_object_new_object();
	struct json_object *value = json_object_new_string(pem64);
	struct json_object *metadata = json_object_new_object();
	struct err err = {0};

	json_object_object_add(json, "metadata", metadata);
	json_object_object_add(metadata, "name", json_object_new_string("s"));
	json_object_object_add(json, "data", data);
	json_object_object_add(data, "tls.key", value);
	/* Of a type that is not looked into: it may hold a key all the same. */
	object_free(object_decode(KUBE_SECRET, json, "ns", &err));
	assert_int_equal(json_object_get_string_len(value), strlen(pem64));
	for (size_t i = 0; i < strlen(pem64); i++) {
		assert_int_equal(json_object_get_string(value)[i], 0);
	}
	json_object_put(json);
}

/* Each copy that a function makes is wiped when that is freed. */
static void test_copies_are_wiped(void **state)
{
	CLEANUP(free_ptr) char *pem = testing_key_pem(key, NULL);
	struct store *store = store_new();

	(void)state;
	testing_count_wipes(pem);
	struct secret *secret = read_content(GOOD);
	/* What was decoded, and what it was made into: the Secret alone has the key now. */
	assert_true(testing_n_wiped >= 2);
	testing_count_wipes(pem);
	struct object *gone = secret_without_object(secret);
	assert_int_equal(testing_n_wiped, 0);
	object_free(gone);
	assert_int_equal(testing_n_wiped, 1);
	object_free(&secret->head);
	assert_int_equal(testing_n_wiped, 2);
	object_free(NULL);

	struct secret *waiting = replace(read_content(GOOD), read_content(EARLY));
	assert_true(obj_has(waiting->next.pem));
	object_free(&waiting->head);

	struct object *versions[] = {&read_content(GOOD)->head, &read_content(GOOD)->head,
		&read_content(LONGER)->head, &read_content(INVALID)->head};
	const unsigned n_wiped[] = {0, 1, 2, 3};
	testing_count_wipes(pem);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		store_put(store, versions[i]);
		assert_int_equal(testing_n_wiped, n_wiped[i]);
	}
	store_remove(store, KUBE_SECRET, "ns", "s");
	assert_int_equal(testing_n_wiped, 4);
	store_forget(store, KUBE_SECRET, "ns", "s");
	assert_int_equal(testing_n_wiped, 5);
	store_put(store, &read_content(GOOD)->head);
	testing_count_wipes(pem);
	store_free(store);
	assert_int_equal(testing_n_wiped, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_clear_text),
		cmocka_unit_test(test_equal_bytes),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_authorities_expire),
		cmocka_unit_test(test_last_good),
		cmocka_unit_test(test_bad_after_bad),
		cmocka_unit_test(test_removed),
		cmocka_unit_test(test_document_is_wiped),
		cmocka_unit_test(test_copies_are_wiped),
	};

	return cmocka_run_group_tests(tests, make_contents, free_contents);
}
