/* The controller's ConfigMap: what it sets, what a mistake in it leaves alone, and what remains
 * when it goes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "settings.h"
#include "store/store_testing.h"

static void apply(const char *data, enum log_level default_level)
{
	struct buf text = BUF_INIT(0);

	buf_printf(&text, "{'metadata':{'namespace':'a','name':'c'},'data':{%s}}", data);
	struct object *object = testing_object(KUBE_CONFIG_MAP, buf_str(&text));
	settings_apply((const struct config_map *)object, default_level);
	free(object);
	buf_fini(&text);
}

static enum log_level level_now(void)
{
	int level = LOG_DEBUG;

	while (level < LOG_ERROR && !log_is_on((enum log_level)level)) {
		level++;
	}
	return (enum log_level)level;
}

static void test_log_level(void **state)
{
	(void)state;
	apply("'log-level':'error'", LOG_INFO);
	assert_int_equal(level_now(), LOG_ERROR);
	apply("", LOG_WARN);
	assert_int_equal(level_now(), LOG_WARN);
	apply("'log-level':'debug'", LOG_WARN);
	assert_int_equal(level_now(), LOG_DEBUG);
	settings_apply(NULL, LOG_ERROR);
	assert_int_equal(level_now(), LOG_ERROR);
}

static void test_mistakes(void **state)
{
	(void)state;
	apply("'log-level':'loud'", LOG_ERROR);
	assert_int_equal(level_now(), LOG_ERROR);
	apply("'log-level':'','Log-Level':'debug','x\\ny':'z'", LOG_ERROR);
	assert_int_equal(level_now(), LOG_ERROR);
	apply("'a':'b','log-level':'warn','z':'y'", LOG_ERROR);
	assert_int_equal(level_now(), LOG_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_level),
		cmocka_unit_test(test_mistakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
