/* What is published, what is written of it, what Events and verdicts say: from objects to texts. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>

#include "status/event.h"
#include "status/verdict.h"
#include "status/wish.h"
#include "store/store_testing.h"

struct bench {
	struct store *store;
	struct model *model;
	struct wishes wishes;
};

static void take_let_go(void *ctx, const char *namespace, const char *name)
{
	wishes_note_let_go(ctx, namespace, name);
}

static void update(struct bench *bench)
{
	struct store_changes changes = store_take_changes(bench->store);

	model_update(bench->model, bench->store, &changes);
	model_report_let_go(bench->model, take_let_go, &bench->wishes);
	store_changes_fini(&changes);
}

static void publish(struct bench *bench, const char *text)
{
	struct addresses addresses;
	struct err err = {0};

	assert_true(addresses_parse(&addresses, text, &err));
	wishes_set_published(&bench->wishes, &addresses);
}

/* `list` is the status, as JSON. */
static void put(struct bench *bench, const char *class, const char *list)
{
	testing_put(bench->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'a','name':'i','uid':'u'},'spec':{'ingressClassName':'%s'"
		",'rules':[{'host':'bad_host'}]},'status':{'loadBalancer':{'ingress':[%s]}}}",
		class, list);
	update(bench);
}

static int set_up(void **state)
{
	static struct bench bench;

	bench = (struct bench){.store = store_new(),
		.model = model_new(&(struct model_options){.controller_name = "x/y"})};
	bench.wishes = (struct wishes){.store = bench.store, .model = bench.model};
	testing_put(bench.store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'ours'},'spec':{'controller':'x/y'}}");
	testing_put(bench.store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'theirs'},'spec':{'controller':'x/z'}}");
	update(&bench);
	*state = &bench;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *bench = *state;

	wishes_fini(&bench->wishes);
	model_free(bench->model);
	store_free(bench->store);
	return 0;
}

static enum wish wish(struct bench *bench)
{
	return wish_of(&bench->wishes, "a", "i", false);
}

static void check_body(struct bench *bench, enum wish what, const char *expected)
{
	struct buf buf = BUF_INIT(0);

	wish_write(&bench->wishes, what, &buf);
	assert_string_equal(buf_str(&buf), expected);
	buf_fini(&buf);
}

#define OURS "{'ip':'192.0.2.1'},{'hostname':'lb.example'}"

static void test_publishing(void **state)
{
	struct bench *bench = *state;

	put(bench, "ours", "");
	assert_int_equal(wish(bench), WISH_NOTHING); /* nothing is published */
	publish(bench, "192.0.2.1,lb.example");
	assert_int_equal(wish(bench), WISH_PUBLISH);
	check_body(bench, WISH_PUBLISH,
		"{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"192.0.2.1\"},{\"hostname\":"
		"\"lb.example\"}]}}}");
	put(bench, "ours", OURS);
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "ours", "{'ip':'198.51.100.1'}"); /* a tenant's idea */
	assert_int_equal(wish(bench), WISH_PUBLISH);
	put(bench, "theirs", "{'ip':'198.51.100.1'}");
	assert_int_equal(wish(bench), WISH_NOTHING);
	publish(bench, "192.0.2.9");
	assert_int_equal(wish_of(&bench->wishes, "a", "other", false), WISH_NOTHING);
}

static void test_letting_go(void **state)
{
	struct bench *bench = *state;

	publish(bench, "192.0.2.1,lb.example");
	put(bench, "theirs", OURS); /* never ours: not our status */
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "ours", OURS);
	put(bench, "theirs", OURS);
	assert_int_equal(wish(bench), WISH_CLEAR);
	check_body(bench, WISH_CLEAR, "{\"status\":{\"loadBalancer\":{\"ingress\":null}}}");
	put(bench, "ours", OURS); /* and back */
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "theirs", OURS);
	put(bench, "theirs", "{'ip':'198.51.100.1'}"); /* the next one's by now */
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "theirs", OURS); /* and whatever they do later is theirs */
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "ours", OURS);
	put(bench, "theirs", OURS);
	store_remove(bench->store, KUBE_INGRESS, "a", "i");
	update(bench);
	assert_int_equal(wish(bench), WISH_NOTHING);
	assert_int_equal(bench->wishes.let_go.n_items, 0);
}

/* What was written counts until the watch says so. */
static void test_echo(void **state)
{
	struct bench *bench = *state;

	publish(bench, "192.0.2.1,lb.example");
	put(bench, "ours", "");
	uint32_t before = wish_status(&bench->wishes, "a", "i");
	uint32_t after = wish_outcome(&bench->wishes, WISH_PUBLISH);
	wishes_note_written(&bench->wishes, "a", "i", before, after);
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "ours", OURS);
	assert_int_equal(wish(bench), WISH_NOTHING);
	put(bench, "ours", "");
	assert_int_equal(wish(bench), WISH_PUBLISH); /* somebody emptied it */
	/* Let go before the echo has come. */
	wishes_note_written(&bench->wishes, "a", "i", before, after);
	put(bench, "theirs", "");
	assert_int_equal(wish(bench), WISH_CLEAR);
	put(bench, "theirs", OURS);
	assert_int_equal(wish(bench), WISH_CLEAR);
	/* Let go while the write is under way. */
	put(bench, "ours", "");
	put(bench, "theirs", "");
	assert_int_equal(wish_of(&bench->wishes, "a", "i", true), WISH_NOTHING);
	assert_int_equal(bench->wishes.let_go.n_items, 1);
	put(bench, "theirs", OURS);
	assert_int_equal(wish(bench), WISH_CLEAR);
	wishes_note_written(
		&bench->wishes, "a", "i", after, wish_outcome(&bench->wishes, WISH_CLEAR));
	assert_int_equal(wish(bench), WISH_NOTHING);
	wishes_forget_written(&bench->wishes);
}

static void check_service(struct bench *bench, const char *rest, const char *expected)
{
	struct buf buf = BUF_INIT(0);
	struct addresses addresses;

	testing_put(
		bench->store, KUBE_SERVICE, "{'metadata':{'namespace':'a','name':'s'},%s}", rest);
	addresses_of_service(&addresses, store_service(bench->store, "a", "s"));
	addresses_write(&addresses, &buf);
	assert_string_equal(buf_str(&buf), expected);
	buf_fini(&buf);
	addresses_fini(&addresses);
}

static void test_addresses_of_services(void **state)
{
	struct bench *bench = *state;

	check_service(bench,
		"'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.1','externalIPs':['192.0.2.5']},"
		"'status':{'loadBalancer':{'ingress':[{'ip':'192.0.2.1','ipMode':'VIP'},"
		"{'hostname':'lb.example'},{}]}}",
		"[{\"ip\":\"192.0.2.1\"},{\"hostname\":\"lb.example\"}]");
	check_service(bench,
		"'spec':{'type':'NodePort','clusterIP':'10.0.0.1','externalIPs':['192.0.2.5',"
		"'192.0.2.6']}",
		"[{\"ip\":\"192.0.2.5\"},{\"ip\":\"192.0.2.6\"}]");
	check_service(bench, "'spec':{'type':'LoadBalancer','clusterIP':'10.0.0.1'}", "[]");
	check_service(bench, "'spec':{'type':'NodePort','clusterIP':'10.0.0.1'}", "[]");
	check_service(bench, "'spec':{'type':'ClusterIP','clusterIP':'10.0.0.1'}",
		"[{\"ip\":\"10.0.0.1\"}]");
	check_service(bench, "'spec':{'clusterIP':'None'}", "[]");
	check_service(bench, "'spec':{}", "[]");
}

static void test_addresses_of_text(void **state)
{
	static const char *const bad[] = {"", ",", "a,", ",a", "a b", "A.example", "-a", "a-",
		"a..b", "a.", "192.0.2", "192.0.2.256", "[::1]", "::g", "a_b", "http://a",
		"192.0.2.1:80"};
	struct addresses addresses;
	struct err err = {0};
	struct buf buf = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (addresses_parse(&addresses, bad[i], &err)) {
			fail_msg("'%s'", bad[i]);
		}
		assert_int_equal(err.kind, ERR_INPUT);
	}
	assert_true(addresses_parse(&addresses, "192.0.2.1,2001:DB8:0::1,a-1.b", &err));
	addresses_write(&addresses, &buf);
	assert_string_equal(buf_str(&buf), "[{\"ip\":\"192.0.2.1\"},{\"ip\":\"2001:db8::1\"},"
					   "{\"hostname\":\"a-1.b\"}]");
	buf_fini(&buf);
	addresses_fini(&addresses);
}

static void check_text(struct json_object *json, const char *key, const char *expected)
{
	struct json_object *value = NULL;

	assert_true(json_object_object_get_ex(json, key, &value));
	assert_string_equal(json_object_get_string(value), expected);
}

static void test_events(void **state)
{
	struct bench *bench = *state;
	struct buf buf = BUF_INIT(0);
	struct json_object *part = NULL;
	size_t n;

	put(bench, "ours", "");
	const struct ingress *ingress = store_ingress(bench->store, "a", "i");
	struct diag *diags = model_ingress_diags(bench->model, "a", "i", &n);
	assert_int_equal(n, 1);
	event_write(ingress, &diags[0], "host_1", 1714557600123456, &buf);
	struct json_object *json = json_tokener_parse(buf_str(&buf));
	assert_non_null(json);
	check_text(json, "reason", "InvalidHost");
	check_text(json, "type", "Warning");
	check_text(json, "eventTime", "2024-05-01T10:00:00.123456Z");
	check_text(json, "reportingInstance", "host_1");
	CLEANUP(free_ptr) char *note = xasprintf("%s: %s", diags[0].field, diags[0].text);
	check_text(json, "note", note);
	assert_true(json_object_object_get_ex(json, "regarding", &part));
	check_text(part, "uid", "u");
	check_text(part, "name", "i");
	assert_true(json_object_object_get_ex(json, "metadata", &part));
	CLEANUP(free_ptr)
	char *name = xasprintf("i.%016llx", (unsigned long long)event_hash(ingress, &diags[0]));
	check_text(part, "name", name);
	json_object_put(json);
	buf_clear(&buf);
	/* Another text, another Event; and however long it is, it fits. */
	uint64_t hash = event_hash(ingress, &diags[0]);
	free(diags[0].text);
	diags[0].text = xcalloc(1, 5000);
	memset(diags[0].text, 'x', 4999);
	assert_true(hash != event_hash(ingress, &diags[0]));
	event_write(ingress, &diags[0], "host_1", 0, &buf);
	json = json_tokener_parse(buf_str(&buf));
	assert_true(json_object_object_get_ex(json, "note", &part));
	assert_int_equal(json_object_get_string_len(part), EVENT_NOTE_MAX_SIZE);
	json_object_put(json);
	buf_fini(&buf);
	model_free_diags(diags, n);
}

static void check_verdict(struct bench *bench, const char *name, bool is_known, const char *wanted)
{
	struct buf buf = BUF_INIT(0);
	const struct verdict_sources sources = {
		bench->store, bench->model, &bench->wishes.published};

	assert_int_equal(verdict_write(&buf, &sources, "a", name), is_known);
	struct json_object *json = json_tokener_parse(buf_str(&buf));
	assert_non_null(json);
	json_object_put(json);
	if (strstr(buf_str(&buf), wanted) == NULL) {
		fail_msg("%s is not in %s", wanted, buf_str(&buf));
	}
	buf_fini(&buf);
}

static void test_verdicts(void **state)
{
	struct bench *bench = *state;

	publish(bench, "192.0.2.1");
	check_verdict(bench, "i", false, "{\"error\":");
	put(bench, "ours", OURS);
	check_verdict(bench, "i", true,
		"{\"namespace\":\"a\",\"name\":\"i\",\"uid\":\"u\",\"class\":\"ours\",\"served\":"
		"true,\"routes\":[],\"diagnostics\":[{\"reason\":\"InvalidHost\",\"field\":\"spec."
		"rules[0].host\""
		",\"text\":\"");
	check_verdict(bench, "i", true,
		"],\"addresses\":[{\"ip\":\"192.0.2.1\"},{\"hostname\":\"lb.example\"}],"
		"\"published\":[{\"ip\":\"192.0.2.1\"}]}");
	put(bench, "theirs", "");
	check_verdict(bench, "i", true, "\"served\":false,\"reason\":\"IngressClass 'theirs' has");
	put(bench, "none", "");
	check_verdict(bench, "i", true, "\"reason\":\"there is no IngressClass 'none'");
	testing_put(bench->store, KUBE_INGRESS, "{'metadata':{'namespace':'a','name':'j'}}");
	update(bench);
	check_verdict(bench, "j", true,
		"\"class\":null,\"served\":false,\"reason\":\"spec.ingressClassName is not set");
}

/* The annotation names a class only where the options say so; the spec goes first. */
static void test_verdicts_on_annotations(void **state)
{
	static const struct {
		const char *annotation;
		const char *spec;
		const char *without; /* --legacy-class-annotation, and with it */
		const char *with;
	} rows[] = {
		{"ours", "", "\"class\":null,\"served\":false",
			"\"class\":\"ours\",\"served\":true"},
		{"theirs", "", "\"class\":null,\"served\":false,\"reason\":\"spec.ingressClassName",
			"\"class\":\"theirs\",\"served\":false,\"reason\":\"IngressClass 'theirs' "
			"has"},
		{"none", "", "\"class\":null",
			"\"class\":\"none\",\"served\":false,\"reason\":\"there is no "
			"IngressClass"},
		{"theirs", "'ingressClassName':'ours'", "\"class\":\"ours\",\"served\":true",
			"\"class\":\"ours\",\"served\":true"},
	};
	struct bench *bench = *state;

	for (int has_legacy = 0; has_legacy < 2; has_legacy++) {
		model_free(bench->model);
		bench->model = model_new(&(struct model_options){
			.controller_name = "x/y", .has_legacy_class = has_legacy});
		struct store_changes all = store_all_keys(bench->store);
		model_update(bench->model, bench->store, &all);
		store_changes_fini(&all);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			testing_put(bench->store, KUBE_INGRESS,
				"{'metadata':{'namespace':'a','name':'k','annotations':{"
				"'kubernetes.io/ingress.class':'%s'}},'spec':{%s}}",
				rows[i].annotation, rows[i].spec);
			update(bench);
			check_verdict(
				bench, "k", true, has_legacy ? rows[i].with : rows[i].without);
		}
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_publishing),
		CASE(test_letting_go),
		CASE(test_echo),
		CASE(test_addresses_of_services),
		cmocka_unit_test(test_addresses_of_text),
		CASE(test_events),
		CASE(test_verdicts),
		CASE(test_verdicts_on_annotations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
