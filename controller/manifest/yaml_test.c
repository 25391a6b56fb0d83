/* YAML to JSON as kubectl reads it: types of scalars, documents, aliases, merge keys, limits and
 * where an error is said to be. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "manifest/yaml.h"

/* `text` must give the documents that `json` lists. */
static void check(const char *text, const char *json)
{
	struct err err = {0};
	struct json_object *documents = yaml_parse(text, strlen(text), &err);

	if (documents == NULL) {
		fail_msg("%s\nrefused: %s", text, err.text);
	}
	assert_int_equal(err.kind, ERR_NONE);
	assert_string_equal(
		json_object_to_json_string_ext(documents, JSON_C_TO_STRING_NOSLASHESCAPE), json);
	json_object_put(documents);
}

static void check_refused_bytes(const char *text, size_t len, const char *message)
{
	struct err err = {0};

	assert_null(yaml_parse(text, len, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, message);
}

static void check_refused(const char *text, const char *message)
{
	check_refused_bytes(text, strlen(text), message);
}

static void test_scalars(void **state)
{
	(void)state;
	check("[null, Null, NULL, ~, ]", "[[null,null,null,null]]");
	check("a:\nb: ''", "[{\"a\":null,\"b\":\"\"}]");
	check("[true, True, TRUE, yes, Yes, YES, on, On, ON, y, Y]",
		"[[true,true,true,true,true,true,true,true,true,true,true]]");
	check("[false, no, off, n, OFF]", "[[false,false,false,false,false]]");
	check("[tRUE, nULL, yEs, truee, 'true', \"on\"]",
		"[[\"tRUE\",\"nULL\",\"yEs\",\"truee\",\"true\",\"on\"]]");
	check("[0, 80, -1, +7, 0x1F, 0o17, 017, 0b11, 1_000, -0x10]",
		"[[0,80,-1,7,31,15,15,3,1000,-16]]");
	check("[9223372036854775807, -9223372036854775807, 18446744073709551615]",
		"[[9223372036854775807,-9223372036854775807,18446744073709551615]]");
	check("[1.5, -.5, 1., 1e3, 2.5E-1]", "[[1.5,-0.5,1.0,1000.0,0.25]]");
	check("[1.2.3, 1e, e3, ., -, +, 0x, 08a, 1-2, '80', 0xg, --1, +-1]",
		"[[\"1.2.3\",\"1e\",\"e3\",\".\",\"-\",\"+\",\"0x\",\"08a\",\"1-2\",\"80\",\"0xg\","
		"\"--1\",\"+-1\"]]");
	check("[.inf, -.inf, .nan, 1e999]", "[[\".inf\",\"-.inf\",\".nan\",\"1e999\"]]");
	check("[2024-05-01, 2024-05-01T10:00:00Z, 10.0.0.1, 10:30]",
		"[[\"2024-05-01\",\"2024-05-01T10:00:00Z\",\"10.0.0.1\",\"10:30\"]]");
	check("a: |\n  x\n  80\nb: >-\n  80\n", "[{\"a\":\"x\\n80\\n\",\"b\":\"80\"}]");
}

static void test_tags(void **state)
{
	(void)state;
	check("[!!str 80, !!int '80', !!float 1, !!bool 'on', !!null '', ! 80]",
		"[[\"80\",80,1,true,null,\"80\"]]");
	check("[!!seq [], !!map {}]", "[[[],{}]]");
	check_refused("a: 1\nb: !!int x", "line 2: the value is not what its tag says");
	check_refused("!!binary aGk=", "line 1: a tag that Kubernetes manifests do not have");
	check_refused("a: !Ref b", "line 1: a tag that Kubernetes manifests do not have");
	check_refused("a: !!seq {}", "line 1: a tag that Kubernetes manifests do not have");
}

static void test_documents(void **state)
{
	(void)state;
	check("", "[]");
	check("# nothing\n", "[]");
	check("---\n---\n# x\n---\n~\n...\n", "[]");
	check("a: 1\n---\nb: [1, {c: x}]\n---\n", "[{\"a\":1},{\"b\":[1,{\"c\":\"x\"}]}]");
	check("{\"a\": [1, true, null, \"\\u0041\\/\"],\n\t\"b\": {}}",
		"[{\"a\":[1,true,null,\"A/\"],\"b\":{}}]");
	check("\xef\xbb\xbf"
	      "a: 1",
		"[{\"a\":1}]");
}

static void test_keys(void **state)
{
	(void)state;
	check("on: 1\n80: 2\n'': 3\n~: 4", "[{\"on\":1,\"80\":2,\"\":3,\"~\":4}]");
	check_refused("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice");
	check_refused("{a: 1, \"a\": 2}", "line 1: the key 'a' is there twice");
	check_refused("? [a]\n: 1", "line 1: a key must be a scalar");
	check_refused("? {a: b}\n: 1", "line 1: a key must be a scalar");
	check_refused("a: &x b\n*x : 1", "line 2: an alias can't be a key");
	check_refused("\"a\\0b\": 1", "line 1: a key has a NUL character");
	check("a: \"x\\0y\"", "[{\"a\":\"x\\u0000y\"}]");
}

static void test_aliases(void **state)
{
	(void)state;
	check("a: &x {p: [1, 2]}\nb: *x\nc: [*x, &y 7, *y]",
		"[{\"a\":{\"p\":[1,2]},\"b\":{\"p\":[1,2]},\"c\":[{\"p\":[1,2]},7,7]}]");
	check("[&x 1, *x, &x 2, *x, &n , *n]", "[[1,1,2,2,null,null]]");
	check("&k key: v\nw: *k", "[{\"key\":\"v\",\"w\":\"key\"}]");
	check_refused("a: 1\nb: *x", "line 2: nothing complete before has the anchor 'x'");
	check_refused("a: &x [*x]", "line 1: nothing complete before has the anchor 'x'");
	check_refused("[&x 1, &x [*x]]", "line 1: nothing complete before has the anchor 'x'");
	check_refused("a: &x 1\n---\nb: *x", "line 3: nothing complete before has the anchor 'x'");
}

static void test_merge(void **state)
{
	(void)state;
	check("a: &a {p: 1, q: 2}\nb:\n  <<: *a\n  q: 3\n  r: 4",
		"[{\"a\":{\"p\":1,\"q\":2},\"b\":{\"q\":3,\"r\":4,\"p\":1}}]");
	check("[&a {p: 1}, &b {p: 2, q: 2}, {<<: [*a, *b], r: 3}]",
		"[[{\"p\":1},{\"p\":2,\"q\":2},{\"r\":3,\"p\":1,\"q\":2}]]");
	check("<<: {a: 1}", "[{\"a\":1}]");
	check("'<<': 1", "[{\"<<\":1}]");
	check_refused("a: &a 1\nb:\n  <<: *a",
		"line 3: the merge key << takes a mapping or a list of mappings");
	check_refused(
		"<<: [{}, 1]", "line 1: the merge key << takes a mapping or a list of mappings");
	check_refused("<<: {}\n<<: {}", "line 2: the key '<<' is there twice");
}

static void test_syntax_errors(void **state)
{
	(void)state;
	check_refused("a: 1\nb: [1, 2\nc: 3",
		"line 3: did not find expected ',' or ']' while parsing a flow sequence");
	check_refused("a: 1\n\tb: 2", "line 2: found a tab character that violates indentation "
				      "while scanning a plain scalar");
	check_refused(
		"a: 1\n- b", "line 2: did not find expected key while parsing a block mapping");
	check_refused_bytes("a: 1\nb: \xff", 9, "line 2: invalid leading UTF-8 octet");
	check_refused_bytes("a: 1\n\0", 6, "line 2: control characters are not allowed");
}

static void append_times(struct buf *buf, const char *text, int times)
{
	for (int i = 0; i < times; i++) {
		buf_append_str(buf, text);
	}
}

static void test_lines(void **state)
{
	static const char text[] = "- a: 1\n  b: []\n- x\n-\n  c: {}\n";
	struct err err = {0};
	struct json_object *documents = yaml_parse(text, strlen(text), &err);

	(void)state;
	assert_non_null(documents);
	struct json_object *list = json_object_array_get_idx(documents, 0);
	assert_int_equal(yaml_line(list), 1);
	assert_int_equal(yaml_line(json_object_array_get_idx(list, 0)), 1);
	assert_int_equal(yaml_line(json_object_array_get_idx(list, 1)), 0);
	assert_int_equal(yaml_line(json_object_array_get_idx(list, 2)), 5);
	assert_int_equal(yaml_line(NULL), 0);
	json_object_put(documents);
}

static void test_depth(void **state)
{
	struct buf text = BUF_INIT(0);
	struct buf json = BUF_INIT(0);

	(void)state;
	append_times(&text, "[", 64);
	append_times(&text, "]", 64);
	append_times(&json, "[", 65);
	append_times(&json, "]", 65);
	check(buf_str(&text), buf_str(&json));
	buf_clear(&text);
	append_times(&text, "[", 65);
	append_times(&text, "]", 65);
	check_refused(buf_str(&text), "line 1: nested deeper than 64 levels");
	buf_clear(&text);
	append_times(&text, "[", 100000);
	check_refused(buf_str(&text), "line 1: nested deeper than 64 levels");
	buf_fini(&text);
	buf_fini(&json);
}

/* Each line wraps the one before: short text, deep value. */
static void test_alias_depth(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	buf_append_str(&text, "- &a0 x\n");
	for (int i = 1; i <= 63; i++) {
		buf_printf(&text, "- &a%d [*a%d]\n", i, i - 1);
	}
	struct err err = {0};
	struct json_object *documents = yaml_parse(buf_str(&text), text.len, &err);
	assert_non_null(documents);
	json_object_put(documents);
	buf_printf(&text, "- &a64 [*a63]\n");
	check_refused(buf_str(&text), "line 65: nested deeper than 64 levels");
	buf_fini(&text);
}

/* "A billion laughs": nine lines of ten references each. */
static void test_alias_bomb(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	buf_append_str(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i <= 9; i++) {
		buf_printf(&text, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++) {
			buf_printf(&text, "%s*a%d", j ? "," : "", i - 1);
		}
		buf_append_str(&text, "]\n");
	}
	check_refused(buf_str(&text), "line 6: more than 1000000 values");
	buf_fini(&text);
}

static void test_value_limit(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	append_times(&text, "- 1\n", YAML_MAX_VALUES - 1);
	struct err err = {0};
	struct json_object *documents = yaml_parse(buf_str(&text), text.len, &err);
	assert_non_null(documents);
	assert_int_equal(json_object_array_length(json_object_array_get_idx(documents, 0)),
		YAML_MAX_VALUES - 1);
	json_object_put(documents);
	buf_append_str(&text, "- 1\n");
	check_refused(buf_str(&text), "line 1000000: more than 1000000 values");
	buf_fini(&text);
}

static void test_size_limit(void **state)
{
	(void)state;
	/* Refused before a byte is read. */
	check_refused_bytes("", YAML_MAX_SIZE + 1, "line 1: the text is longer than 64 MiB");
}

static void test_directives(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	check("%YAML 1.1\n%TAG !k! tag:yaml.org,2002:\n---\n!k!str 80\n", "[\"80\"]");
	for (int i = 0; i <= 100; i++) {
		buf_printf(&text, "%%TAG !a%d! x\r", i);
	}
	buf_append_str(&text, "--- a");
	check_refused(buf_str(&text), "line 1: more than 100 tag directives");
	buf_fini(&text);
	check_refused_bytes("\xff\xfe"
			    "a\0",
		4, "line 1: invalid leading UTF-8 octet");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_documents),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_alias_depth),
		cmocka_unit_test(test_alias_bomb),
		cmocka_unit_test(test_value_limit),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_directives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
