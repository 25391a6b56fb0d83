/* One file's text to objects: documents, lists, kinds that are skipped, and what is said about a
 * bad one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "manifest/file.h"

/* `text` must give these objects, each as "Kind namespace/name;". */
static void check(const char *text, const char *expected, size_t n_skipped)
{
	struct manifest_file file = {0};
	struct err err = {0};
	struct buf found = BUF_INIT(0);

	if (!manifest_file_parse(text, strlen(text), &file, &err)) {
		fail_msg("%s\nrefused: %s", text, err.text);
	}
	for (size_t i = 0; i < file.n_objects; i++) {
		const struct object *object = file.objects[i];
		buf_printf(&found, "%s %s/%s;", kube_kinds[object->kind].name,
			object_namespace(object), object_name(object));
	}
	assert_string_equal(buf_str(&found), expected);
	assert_int_equal(file.n_skipped, n_skipped);
	buf_fini(&found);
	manifest_file_fini(&file);
}

static void check_refused(const char *text, const char *message)
{
	struct manifest_file file = {0};
	struct err err = {0};

	assert_false(manifest_file_parse(text, strlen(text), &file, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, message);
	assert_null(file.objects);
}

static void test_documents(void **state)
{
	(void)state;
	check("", "", 0);
	check("# nothing\n---\n", "", 0);
	check("apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\n---\n"
	      "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: b}\n---\n"
	      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
		"Service shop/a;IngressClass /b;ConfigMap default/c;", 0);
	check("apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\n---\n"
	      "apiVersion: example.dev/v1\nkind: ListenerList\n---\n"
	      "apiVersion: v1\nkind: Pod\nmetadata: 7\n",
		"", 3);
}

static void test_lists(void **state)
{
	(void)state;
	check("apiVersion: v1\nkind: List\nitems:\n"
	      "- {apiVersion: v1, kind: Service, metadata: {name: a}}\n"
	      "- {apiVersion: apps/v1, kind: Deployment}\n"
	      "- {apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: b}}\n",
		"Service default/a;Ingress default/b;", 1);
	check("apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems:\n"
	      "- {metadata: {name: a}}\n"
	      "- {apiVersion: v1, kind: Service, metadata: {name: b}}\n",
		"Ingress default/a;Service default/b;", 0);
	check("apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}]\n", "", 1);
	check("{apiVersion: v1, kind: List, items: []}", "", 0);
	check("{apiVersion: v1, kind: ServiceList, items: null}", "", 0);
}

/* What is of a kind that we read, and yet skipped, is named with the remedy. */
static void test_outdated(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *expected;
	} rows[] = {
		{"apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: a}\n", 1,
			"line 1: Ingress 'a' is skipped, its apiVersion is "
			"networking.k8s.io/v1beta1: write it as networking.k8s.io/v1"},
		{"---\napiVersion: extensions/v1beta1\nkind: Ingress\n---\n"
		 "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice\n",
			2,
			"line 2: Ingress '' is skipped, its apiVersion is extensions/v1beta1: "
			"write it as networking.k8s.io/v1"},
		{"apiVersion: networking.k8s.io/v1beta1\nkind: IngressList\n"
		 "items:\n- {metadata: {name: b}}\n",
			1,
			"line 4: Ingress 'b' is skipped, its apiVersion is "
			"networking.k8s.io/v1beta1: write it as networking.k8s.io/v1"},
		{"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a}\n", 0, NULL},
		{"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n", 0, NULL},
		{"apiVersion: gateway.example/v1beta1\nkind: Ingress\n", 0, NULL},
		{"apiVersion: serving.example/v1\nkind: Service\n", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct manifest_file file = {0};
		struct err err = {0};
		assert_true(manifest_file_parse(rows[i].text, strlen(rows[i].text), &file, &err));
		assert_int_equal(file.n_outdated, rows[i].n);
		if (rows[i].expected == NULL) {
			assert_null(file.outdated);
		} else {
			assert_string_equal(file.outdated, rows[i].expected);
		}
		manifest_file_fini(&file);
	}
}

static void test_refused(void **state)
{
	(void)state;
	check_refused("just text", "an object must be a mapping");
	check_refused("---\n- a\n", "line 2: an object must be a mapping");
	check_refused(
		"a: [", "line 2: did not find expected node content while parsing a flow node");
	check_refused("apiVersion: v1\n", "line 1: apiVersion or kind is missing");
	check_refused("\nkind: Service\n", "line 2: apiVersion or kind is missing");
	check_refused(
		"apiVersion: v1\nkind: \"Service\\0\"\n", "line 1: apiVersion or kind is missing");
	check_refused(
		"apiVersion: v1\nkind: Service\n", "line 1: Service '': metadata.name: is missing");
	check_refused("{apiVersion: v1, kind: Service, metadata: {name: a, namespace: on}}",
		"line 1: Service 'a': metadata.namespace: must be a string (in quotes)");
	check_refused("apiVersion: v1\nkind: List\nitems: {}\n", "line 1: items must be a list");
	check_refused("apiVersion: v1\nkind: List\nitems:\n- {metadata: {name: a}}\n",
		"line 4: apiVersion or kind is missing");
	check_refused("apiVersion: v1\nkind: List\nitems: [null]\n", "an object must be a mapping");
	check_refused(
		"apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: List, items: []}\n",
		"line 4: a list in a list");
	check_refused("kind: ServiceList\nitems:\n- {metadata: {name: a}}\n",
		"line 3: apiVersion or kind is missing");
}

/* Objects that are wrong in a field leave the others alone, while it is clear which they are. */
static void test_refused_objects(void **state)
{
	static const struct {
		const char *text;
		const char *key; /* "Kind namespace/name" */
		const char *reason;
	} rows[] = {
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: "
		 "70000}]}\n",
			"Service default/a",
			"line 1: Service 'a': spec.ports[0].port: must be from 1 to 65535"},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\nspec: 7\n",
			"Service shop/a", "line 1: Service 'a': spec: must be an object"},
		{"apiVersion: v1\nkind: Service\nmetadata: {name: a, creationTimestamp: soon}\n",
			"Service default/a",
			"line 1: Service 'a': metadata.creationTimestamp: must be a time like "
			"2024-05-01T10:00:00Z"},
		{"apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: b}\n"
		 "spec: []\n",
			"IngressClass /b", "line 1: IngressClass 'b': spec: must be an object"},
		{"kind: List\napiVersion: v1\nitems:\n"
		 "- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: 7}\n",
			"Service default/a", "line 4: Service 'a': spec: must be an object"},
	};
	static const char good[] = "---\napiVersion: v1\nkind: Service\nmetadata: {name: good}\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *text = xasprintf("%s%s", rows[i].text, good);
		struct manifest_file file = {0};
		struct err err = {0};

		assert_true(manifest_file_parse(text, strlen(text), &file, &err));
		assert_int_equal(file.n_objects, 1);
		assert_string_equal(object_name(file.objects[0]), "good");
		assert_int_equal(file.n_refusals, 1);
		const struct object *key = file.refusals[0].key;
		CLEANUP(free_ptr)
		char *found = xasprintf("%s %s/%s", kube_kinds[key->kind].name,
			object_namespace(key), object_name(key));
		assert_string_equal(found, rows[i].key);
		assert_string_equal(file.refusals[0].reason, rows[i].reason);
		manifest_file_fini(&file);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_outdated),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
