/* Which virtual hosts the spec.tls of an Ingress lists. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/attr.h"
#include "kube/secret_testing.h"
#include "model/tls.h"

static void test_hosts_have(void **state)
{
	static const struct {
		const char *tls;
		const char *has[3];
		const char *lacks[4];
	} rows[] = {
		{"{'hosts':['a.test']}", {"a.test"}, {"b.test", "x.a.test", "*.a.test", "*"}},
		{"{'hosts':['*.a.test']}", {"x.a.test", "*.a.test"},
			{"a.test", "y.x.a.test", "*.x.a.test", "test"}},
		{"{'hosts':['a.test']},{'hosts':['b.test']}", {"a.test", "b.test"}, {"c.test"}},
		{"{'secretName':'s'},{'hosts':['b.test']}", {"a.test", "b.test", "*.c.test"},
			{"*"}},
		{"", {NULL}, {"a.test", "*"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr)
		char *text =
			xasprintf("{'metadata':{'namespace':'ns','name':'i'},'spec':{'tls':[%s]}}",
				rows[i].tls);
		struct object *object = testing_object(KUBE_INGRESS, text);
		struct tls_hosts hosts;
		tls_hosts_init(&hosts, (const struct ingress *)object);
		for (size_t j = 0; j < ARRAY_LEN(rows[i].has) && rows[i].has[j] != NULL; j++) {
			assert_true(tls_hosts_have(&hosts, rows[i].has[j]));
		}
		for (size_t j = 0; j < ARRAY_LEN(rows[i].lacks) && rows[i].lacks[j] != NULL; j++) {
			assert_false(tls_hosts_have(&hosts, rows[i].lacks[j]));
		}
		tls_hosts_fini(&hosts);
		object_free(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
