/* Every kind from JSON text; what is refused and how it is said; equality of what says the same. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/alloc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "kube/decode.h"
#include "kube/time.h"

/* json-c takes single quotes as well, which keeps the texts below readable. */
static struct json_object *parse(const char *text)
{
	struct json_object *json = json_tokener_parse(text);

	assert_non_null(json);
	return json;
}

static struct object *decode(enum kube_kind kind, const char *text)
{
	struct err err = {0};
	struct json_object *json = parse(text);
	struct object *object = object_decode(kind, json, "default", &err);

	json_object_put(json);
	if (object == NULL) {
		fail_msg("refused: %s", err.text);
	}
	assert_int_equal(err.kind, ERR_NONE);
	return object;
}

/* `text` must be refused with exactly this message. */
static void check_refused(enum kube_kind kind, const char *text, const char *message)
{
	struct err err = {0};
	struct json_object *json = parse(text);
	struct object *object = object_decode(kind, json, "default", &err);

	json_object_put(json);
	assert_null(object);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, message);
}

static const char ingress_text[] =
	"{'apiVersion':'networking.k8s.io/v1','kind':'Ingress','metadata':{'name':'web',"
	" 'namespace':'shop','creationTimestamp':'2024-05-01T10:00:00Z','uid':'1'},"
	" 'spec':{'ingressClassName':'headgate','defaultBackend':{'service':{'name':'rest','port':"
	"{'name':'http'}}},'tls':[{'hosts':['a.example']}],"
	" 'rules':[{'host':'a.example','http':{'paths':["
	"  "
	"{'path':'/x','pathType':'Exact','backend':{'service':{'name':'x','port':{'number':80}}}},"
	"  {'path':'/y','pathType':'Prefix','backend':{'resource':{'apiGroup':'g','kind':'Bucket',"
	"'name':'b'}}},"
	"  {'pathType':'ImplementationSpecific','backend':{}}, {'pathType':'exact'}, {}]}},"
	"  {'http':null}]},'status':{'loadBalancer':{}}}";

static void test_ingress(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS, ingress_text);
	const struct ingress *ingress = (const struct ingress *)object;
	assert_int_equal(object->kind, KUBE_INGRESS);
	assert_int_equal(object->created_seconds, 1714557600);
	assert_string_equal(object_namespace(object), "shop");
	assert_string_equal(object_name(object), "web");
	assert_string_equal(obj_str(object, ingress->class_name), "headgate");
	assert_string_equal(obj_str(object, ingress->default_backend.service), "rest");
	assert_string_equal(obj_str(object, ingress->default_backend.port_name), "http");
	assert_int_equal(ingress->default_backend.port_number, 0);
	assert_int_equal(ingress->rules.n, 2);
	const struct ingress_rule *rules = obj_items(object, ingress->rules);
	assert_int_equal((uintptr_t)rules % 8, 0);
	assert_string_equal(obj_str(object, rules[0].host), "a.example");
	assert_false(obj_has(rules[1].host));
	assert_int_equal(rules[1].paths.n, 0);
	assert_int_equal(rules[0].paths.n, 5);
	const struct ingress_path *paths = obj_items(object, rules[0].paths);
	assert_string_equal(obj_str(object, paths[0].path), "/x");
	assert_int_equal(paths[0].type, INGRESS_PATH_EXACT);
	assert_string_equal(obj_str(object, paths[0].backend.service), "x");
	assert_int_equal(paths[0].backend.port_number, 80);
	assert_int_equal(paths[1].type, INGRESS_PATH_PREFIX);
	assert_string_equal(obj_str(object, paths[1].backend.resource_kind), "Bucket");
	assert_false(obj_has(paths[1].backend.service));
	assert_false(obj_has(paths[2].path));
	assert_int_equal(paths[2].type, INGRESS_PATH_IMPLEMENTATION_SPECIFIC);
	assert_int_equal(paths[3].type, INGRESS_PATH_UNKNOWN);
	assert_int_equal(paths[4].type, INGRESS_PATH_UNKNOWN);
	free(object);
}

static void test_ingress_class(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'headgate','namespace':'ignored','annotations':"
		"{'ingressclass.kubernetes.io/is-default-class':'true'}},"
		"'spec':{'controller':'headgate.dev/ingress-controller'}}");
	const struct ingress_class *class = (const struct ingress_class *)object;
	assert_string_equal(object_namespace(object), "");
	assert_string_equal(obj_str(object, class->controller), "headgate.dev/ingress-controller");
	assert_string_equal(obj_str(object, class->is_default), "true");
	assert_false(obj_has(class->parameters.name));
	free(object);
}

static void test_class_parameters(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'x','parameters':{'apiGroup':'g',"
		"'kind':'ConfigMap','name':'o','scope':'Namespace','namespace':'n'}}}");
	const struct class_parameters *parameters =
		&((const struct ingress_class *)object)->parameters;
	assert_string_equal(obj_str(object, parameters->api_group), "g");
	assert_string_equal(obj_str(object, parameters->kind), "ConfigMap");
	assert_string_equal(obj_str(object, parameters->name), "o");
	assert_string_equal(obj_str(object, parameters->scope), "Namespace");
	assert_string_equal(obj_str(object, parameters->namespace), "n");
	free(object);
}

/* A NUL in an annotation spoils the annotation, not the object. */
static void test_legacy_class(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS, "{'metadata':{'name':'i','annotations':{'"
						     "kubernetes.io/ingress.class':'a\\u0000'}}}");
	const struct ingress *ingress = (const struct ingress *)object;
	assert_string_equal(obj_str(object, ingress->legacy_class), "a\x01");
	assert_false(obj_has(ingress->class_name));
	free(object);
}

static void test_service(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_SERVICE,
		"{'metadata':{'name':'web'},'spec':{'type':'ClusterIP','ports':["
		"{'name':'http','port':80,'targetPort':'web'},{'port':65535,'protocol':'TCP'},"
		"{'port':53,'protocol':'UDP'}]}}");
	const struct service *service = (const struct service *)object;
	assert_string_equal(object_namespace(object), "default");
	assert_int_equal(object->created_seconds, 0);
	assert_string_equal(obj_str(object, service->type), "ClusterIP");
	assert_int_equal(service->ports.n, 3);
	const struct service_port *ports = obj_items(object, service->ports);
	assert_string_equal(obj_str(object, ports[0].name), "http");
	assert_int_equal(ports[0].port, 80);
	assert_int_equal(ports[0].protocol, PORT_PROTOCOL_TCP);
	assert_int_equal(ports[1].port, 65535);
	assert_int_equal(ports[1].protocol, PORT_PROTOCOL_TCP);
	assert_int_equal(ports[2].protocol, PORT_PROTOCOL_OTHER);
	free(object);
}

static void test_endpoint_slice(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_ENDPOINT_SLICE,
		"{'addressType':'IPv4','metadata':{'name':'web-1','namespace':'shop','labels':"
		"{'kubernetes.io/service-name':'web'}},'ports':[{'name':'http','port':8080,"
		"'protocol':'TCP'},{'name':'','port':null}],'endpoints':[{'addresses':['10.0.0.1',"
		"7],"
		"'conditions':{'ready':true,'serving':true,'terminating':false},"
		"'targetRef':{'kind':'Pod','name':'web-a'}},{'addresses':['10.0.0.2'],"
		"'conditions':{'ready':false},'targetRef':{'kind':'Node','name':'n'}},"
		"{'addresses':[],'targetRef':{'name':'n'}}]}");
	const struct endpoint_slice *slice = (const struct endpoint_slice *)object;
	assert_string_equal(obj_str(object, slice->service), "web");
	assert_string_equal(obj_str(object, slice->address_type), "IPv4");
	const struct slice_port *ports = obj_items(object, slice->ports);
	assert_int_equal(slice->ports.n, 2);
	assert_int_equal(ports[0].port, 8080);
	assert_string_equal(obj_str(object, ports[0].name), "http");
	assert_int_equal(ports[1].port, 0);
	const struct slice_endpoint *endpoints = obj_items(object, slice->endpoints);
	assert_int_equal(slice->endpoints.n, 3);
	assert_string_equal(obj_str(object, endpoints[0].address), "10.0.0.1");
	assert_string_equal(obj_str(object, endpoints[0].pod), "web-a");
	assert_int_equal(endpoints[0].ready, OBJ_TRUE);
	assert_int_equal(endpoints[0].serving, OBJ_TRUE);
	assert_int_equal(endpoints[0].terminating, OBJ_FALSE);
	assert_false(obj_has(endpoints[1].pod));
	assert_int_equal(endpoints[1].ready, OBJ_FALSE);
	assert_int_equal(endpoints[1].serving, OBJ_ABSENT);
	assert_false(obj_has(endpoints[2].address));
	assert_false(obj_has(endpoints[2].pod));
	free(object);
}

static void test_config_map(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_CONFIG_MAP,
		"{'metadata':{'name':'settings'},'data':{'b':'2','a':'1','a-a':'','c':null}}");
	const struct config_map *map = (const struct config_map *)object;
	const struct obj_pair *items = obj_items(object, map->data);
	static const char *const keys[] = {"a", "a-a", "b", "c"};
	static const char *const values[] = {"1", "", "2", ""};
	assert_int_equal(map->data.n, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_string_equal(obj_str(object, items[i].key), keys[i]);
		assert_string_equal(obj_str(object, items[i].value), values[i]);
	}
	assert_true(obj_has(items[1].value));
	assert_false(obj_has(items[3].value));
	free(object);
}

/* Those under other prefixes are not kept; of one that is too long it is kept that it was there. */
static void test_annotations(void **state)
{
	struct buf text = BUF_INIT(0);

	(void)state;
	buf_append_str(&text,
		"{'metadata':{'namespace':'a','name':'i','annotations':{'other/a':'1',"
		"'haproxy.org/check':'t\\u0000f','headgate.dev/long':'");
	for (int i = 0; i < 8193; i++) {
		buf_append_char(&text, 'x');
	}
	buf_append_str(&text, "'}}}");
	struct object *object = decode(KUBE_INGRESS, buf_str(&text));
	const struct ingress *ingress = (const struct ingress *)object;
	const struct obj_pair *items = obj_items(object, ingress->annotations);
	assert_int_equal(ingress->annotations.n, 2);
	assert_string_equal(obj_str(object, items[0].key), "haproxy.org/check");
	assert_string_equal(obj_str(object, items[0].value), "t\x01"
							     "f");
	assert_string_equal(obj_str(object, items[1].key), "headgate.dev/long");
	assert_false(obj_has(items[1].value));
	free(object);
	buf_fini(&text);
}

/* Only a name: everything else may be absent, in every kind. */
static void test_minimal(void **state)
{
	(void)state;
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		struct object *object =
			decode((enum kube_kind)kind, "{'metadata':{'name':'x'},'spec':null,'data':"
						     "null,'ports':null,'endpoints':[]}");
		assert_int_equal(object->kind, kind);
		assert_string_equal(object_name(object), "x");
		assert_string_equal(
			object_namespace(object), kind == KUBE_INGRESS_CLASS ? "" : "default");
		free(object);
	}
}

/* The API server lets it through: one bad path must not take the Ingress' other rules with it. */
static void test_nul_in_path(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS,
		"{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':["
		"{'path':'/a\\u0000b\\u0000','backend':{'resource':{'kind':'\\u0000'}}},"
		"{'path':'/good'}]}}]}}");
	const struct ingress *ingress = (const struct ingress *)object;
	const struct ingress_rule *rule = obj_items(object, ingress->rules);
	const struct ingress_path *paths = obj_items(object, rule->paths);
	assert_int_equal(rule->paths.n, 2);
	assert_string_equal(obj_str(object, paths[0].path), "/a\001b\001");
	assert_string_equal(obj_str(object, paths[0].backend.resource_kind), "\001");
	assert_string_equal(obj_str(object, paths[1].path), "/good");
	free(object);
}

static const struct {
	enum kube_kind kind;
	const char *text;
	const char *message;
} refused[] = {
	{KUBE_SERVICE, "[]", "not a JSON object"},
	{KUBE_SERVICE, "{}", "metadata.name: is missing"},
	{KUBE_SERVICE, "{'metadata':7}", "metadata: must be an object"},
	{KUBE_SERVICE, "{'metadata':{'name':null}}", "metadata.name: is missing"},
	{KUBE_SERVICE, "{'metadata':{'name':''}}", "metadata.name: must not be empty"},
	{KUBE_SERVICE, "{'metadata':{'name':7}}", "metadata.name: must be a string (in quotes)"},
	{KUBE_SERVICE, "{'metadata':{'name':['x']}}", "metadata.name: must be a string"},
	{KUBE_SERVICE, "{'metadata':{'name':'a\\u0000b'}}", "metadata.name: has a NUL character"},
	{KUBE_SERVICE, "{'metadata':{'name':'x','namespace':true}}",
		"metadata.namespace: must be a string (in quotes)"},
	{KUBE_SERVICE, "{'metadata':{'name':'x','creationTimestamp':'yesterday'}}",
		"metadata.creationTimestamp: must be a time like 2024-05-01T10:00:00Z"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':[]}", "spec: must be an object"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'ports':{}}}",
		"spec.ports: must be a list"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':1},null]}}",
		"spec.ports[1]: must be an object"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':0}]}}",
		"spec.ports[0].port: must be from 1 to 65535"},
	{KUBE_SERVICE,
		"{'metadata':{'name':'x'},'spec':{'ports':[{'port':99999999999999999999}]}"
		"}",
		"spec.ports[0].port: must be from 1 to 65535"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':80.0}]}}",
		"spec.ports[0].port: must be a whole number"},
	{KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'ports':[{'port':1,'protocol':6}]}}",
		"spec.ports[0].protocol: must be a string (in quotes)"},
	{KUBE_INGRESS,
		"{'metadata':{'name':'x'},'spec':{'rules':[{},{'http':{'paths':[{'backend':"
		"{'service':{'port':{'number':'80'}}}}]}}]}}",
		"spec.rules[1].http.paths[0].backend.service.port.number: must be a whole "
		"number"},
	{KUBE_INGRESS,
		"{'metadata':{'name':'x'},'spec':{'rules':[{'http':{'paths':[{},"
		"{'backend':{'service':'web'}}]}}]}}",
		"spec.rules[0].http.paths[1].backend.service: must be an object"},
	{KUBE_INGRESS, "{'metadata':{'name':'x'},'spec':{'defaultBackend':'web'}}",
		"spec.defaultBackend: must be an object"},
	{KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'x','annotations':"
		"{'ingressclass.kubernetes.io/is-default-class':true}}}",
		"metadata.annotations[\"ingressclass.kubernetes.io/is-default-class\"]: "
		"must be a string (in quotes)"},
	{KUBE_ENDPOINT_SLICE, "{'metadata':{'name':'x'},'endpoints':[{'addresses':'10.0.0.1'}]}",
		"endpoints[0].addresses: must be a list"},
	{KUBE_ENDPOINT_SLICE, "{'metadata':{'name':'x'},'endpoints':[{'addresses':[null]}]}",
		"endpoints[0].addresses: must be a string (in quotes)"},
	{KUBE_ENDPOINT_SLICE,
		"{'metadata':{'name':'x'},'endpoints':[{},{},{'conditions':{'ready':'yes'}}"
		"]}",
		"endpoints[2].conditions.ready: must be true or false"},
	{KUBE_CONFIG_MAP, "{'metadata':{'name':'x'},'data':[]}", "data: must be an object"},
	{KUBE_CONFIG_MAP, "{'metadata':{'name':'x'},'data':{'ab':'','a.b':1}}",
		"data[\"a.b\"]: must be a string (in quotes)"},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		check_refused(refused[i].kind, refused[i].text, refused[i].message);
	}
}

static void test_namespace_default(void **state)
{
	struct err err = {0};
	struct json_object *json = parse("{'metadata':{'name':'x','namespace':''}}");

	(void)state;
	assert_null(object_decode(KUBE_SERVICE, json, NULL, &err));
	assert_string_equal(err.text, "metadata.namespace: is missing");
	struct object *object = object_decode(KUBE_SERVICE, json, "other", &err);
	assert_non_null(object);
	assert_string_equal(object_namespace(object), "other");
	free(object);
	object = object_decode(KUBE_INGRESS_CLASS, json, NULL, &err);
	assert_non_null(object);
	assert_string_equal(object_namespace(object), "");
	free(object);
	json_object_put(json);
}

static struct json_object *named(const char *name)
{
	struct json_object *json = json_object_new_object();
	struct json_object *metadata = json_object_new_object();

	json_object_object_add(metadata, "name", json_object_new_string(name));
	json_object_object_add(json, "metadata", metadata);
	return json;
}

static void test_text_limit(void **state)
{
	char name[255];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	struct json_object *json = named(name);
	struct err err = {0};
	struct object *object = object_decode(KUBE_SERVICE, json, "default", &err);
	assert_non_null(object);
	free(object);
	json_object_put(json);
	name[253] = 'a';
	name[254] = '\0';
	json = named(name);
	assert_null(object_decode(KUBE_SERVICE, json, "default", &err));
	assert_string_equal(err.text, "metadata.name: is too long");
	json_object_put(json);
}

/* A ConfigMap with one value of `len` bytes: NULL when it was refused. */
static struct object *decode_config_map(size_t len, struct err *err)
{
	struct json_object *json = named("x");
	struct json_object *data = json_object_new_object();
	struct buf value = BUF_INIT(0);

	while (value.len < len) {
		buf_append_char(&value, 'v');
	}
	json_object_object_add(data, "k", json_object_new_string(buf_str(&value)));
	json_object_object_add(json, "data", data);
	struct object *object = object_decode(KUBE_CONFIG_MAP, json, "default", err);
	buf_fini(&value);
	json_object_put(json);
	return object;
}

static void test_size_limit(void **state)
{
	struct err err = {0};

	(void)state;
	struct object *object = decode_config_map(1000, &err);
	assert_non_null(object);
	size_t rest = object->size - 1000;
	free(object);
	object = decode_config_map(OBJECT_MAX_SIZE - rest, &err);
	assert_non_null(object);
	assert_int_equal(object->size, OBJECT_MAX_SIZE);
	free(object);
	assert_null(decode_config_map(OBJECT_MAX_SIZE - rest + 1, &err));
	assert_string_equal(err.text, "the object is larger than 2097152 bytes");
	assert_int_equal(err.kind, ERR_INPUT);
}

/* A short text can ask for a long list. */
static void test_list_size_limit(void **state)
{
	struct err err = {0};
	struct json_object *json = named("x");
	struct json_object *endpoints = json_object_new_array();

	(void)state;
	for (int i = 0; i < 200000; i++) {
		json_object_array_add(endpoints, json_object_new_object());
	}
	json_object_object_add(json, "endpoints", endpoints);
	assert_null(object_decode(KUBE_ENDPOINT_SLICE, json, "default", &err));
	assert_string_equal(err.text, "the object is larger than 2097152 bytes");
	json_object_put(json);
}

static void check_equal(enum kube_kind kind, const char *first, const char *second, bool is_equal)
{
	struct object *a = decode(kind, first);
	struct object *b = decode(kind, second);

	a->mark = 1;
	b->mark = 2;
	if (object_equals(a, b) != is_equal || object_equals(b, a) != is_equal) {
		fail_msg("%s\n%s", first, second);
	}
	free(a);
	free(b);
}

static void test_equality(void **state)
{
	(void)state;
	check_equal(KUBE_SERVICE,
		"{'metadata':{'name':'x','namespace':'n'},'spec':{'type':'t','ports':[{'name':'a',"
		"'port':1}]}}",
		"{'status':{'x':1},'spec':{'ports':[{'port':1,'name':'a','nodePort':3}],'type':'t'}"
		","
		"'metadata':{'managedFields':[{}],'resourceVersion':'9','namespace':'n','name':'x'}"
		"}",
		true);
	check_equal(KUBE_CONFIG_MAP, "{'metadata':{'name':'x'},'data':{'a':'1','b':'2'}}",
		"{'data':{'b':'2','a':'1'},'metadata':{'name':'x'},'binaryData':{}}", true);
	check_equal(KUBE_ENDPOINT_SLICE,
		"{'metadata':{'name':'x'},'endpoints':[{'conditions':{}}]}",
		"{'metadata':{'name':'x'},'endpoints':[{'nodeName':'n','conditions':{'ready':null}}"
		"]}",
		true);
	check_equal(KUBE_ENDPOINT_SLICE,
		"{'metadata':{'name':'x'},'endpoints':[{'conditions':{'ready':true}}]}",
		"{'metadata':{'name':'x'},'endpoints':[{'conditions':{'ready':false}}]}", false);
	check_equal(KUBE_CONFIG_MAP, "{'metadata':{'name':'x'},'data':{'a':'1'}}",
		"{'metadata':{'name':'x'},'data':{'a':'2'}}", false);
	check_equal(KUBE_SERVICE, "{'metadata':{'name':'x','namespace':'a'}}",
		"{'metadata':{'name':'x','namespace':'b'}}", false);
	check_equal(KUBE_INGRESS, "{'metadata':{'name':'x'}}",
		"{'metadata':{'name':'x'},'spec':{'ingressClassName':''}}", false);
}

#define STATUS(list)	",'status':{'loadBalancer':{'ingress':[" list "]}}}"
#define INGRESS(spec)	"{'metadata':{'name':'x','uid':'u'},'spec':{" spec "}"
#define CLASS(name)	"'ingressClassName':'" name "'"
#define RULES(host)	"'rules':[{'host':'" host "'}]"
#define ONE_ADDRESS	"{'ip':'192.0.2.1'}"
#define OTHER_ADDRESSES "{'ip':'192.0.2.2','ports':[{'port':80}]},{'hostname':'lb.example'}"

static void test_status_alone(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		bool differs;
	} rows[] = {
		{INGRESS(CLASS("c")) "}", INGRESS(CLASS("c")) STATUS(ONE_ADDRESS), true},
		{INGRESS(CLASS("cc")) "}", INGRESS(CLASS("cc")) STATUS(OTHER_ADDRESSES), true},
		{INGRESS(RULES("a")) STATUS(ONE_ADDRESS),
			INGRESS(RULES("a")) STATUS(OTHER_ADDRESSES), true},
		{INGRESS(RULES("a")) "}", INGRESS(RULES("a")) STATUS(""), false},
		{INGRESS(RULES("a")) STATUS(ONE_ADDRESS), INGRESS(RULES("a")) STATUS(ONE_ADDRESS),
			false},
		{INGRESS(RULES("a")) STATUS(ONE_ADDRESS), INGRESS(RULES("b")) STATUS(ONE_ADDRESS),
			false},
		{INGRESS(RULES("a")) "}", INGRESS(RULES("b")) STATUS(ONE_ADDRESS), false},
		{INGRESS(RULES("a")) "}", INGRESS(RULES("ab")) STATUS(ONE_ADDRESS), false},
		{INGRESS(CLASS("c")) "}", INGRESS("") STATUS(ONE_ADDRESS), false},
		{INGRESS(CLASS("")) "}", INGRESS("") STATUS(ONE_ADDRESS), false},
		{INGRESS("") "}", "{'metadata':{'name':'x','uid':'v'}" STATUS(ONE_ADDRESS), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct object *a = decode(KUBE_INGRESS, rows[i].first);
		struct object *b = decode(KUBE_INGRESS, rows[i].second);
		a->mark = 1;
		if (object_differs_in_status(a, b) != rows[i].differs ||
			object_differs_in_status(b, a) != rows[i].differs) {
			fail_msg("row %zu", i);
		}
		free(a);
		free(b);
	}
	struct object *a = decode(KUBE_SERVICE, "{'metadata':{'name':'x'}}");
	struct object *b = decode(KUBE_SERVICE, "{'metadata':{'name':'x'}" STATUS(ONE_ADDRESS));
	assert_false(object_differs_in_status(a, b));
	free(a);
	free(b);
}

static void test_addresses(void **state)
{
	struct object *object = decode(KUBE_SERVICE,
		"{'metadata':{'name':'x'},'spec':{'clusterIP':'10.0.0.1','externalIPs':['192.0.2.8'"
		","
		"'192.0.2.9']},'status':{'loadBalancer':{'ingress':[{'hostname':'lb.example'},"
		"{'ip':'192.0.2.1'}]}}}");
	const struct service *service = (const struct service *)object;
	const struct obj_text *external = obj_items(service, service->external_ips);
	const struct balancer_address *addresses = obj_items(service, service->addresses);

	(void)state;
	assert_string_equal(obj_str(service, service->cluster_ip), "10.0.0.1");
	assert_int_equal(service->external_ips.n, 2);
	assert_string_equal(obj_str(service, external[0]), "192.0.2.8");
	assert_string_equal(obj_str(service, external[1]), "192.0.2.9");
	assert_int_equal(service->addresses.n, 2);
	assert_string_equal(obj_str(service, addresses[0].hostname), "lb.example");
	assert_string_equal(obj_str(service, addresses[1].ip), "192.0.2.1");
	assert_false(obj_has(addresses[1].hostname));
	free(object);
	check_refused(KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'externalIPs':{}}}",
		"spec.externalIPs: must be a list");
	check_refused(KUBE_SERVICE, "{'metadata':{'name':'x'},'spec':{'externalIPs':['a',1]}}",
		"spec.externalIPs[1]: must be a string (in quotes)");
}

/* A copy with memcpy is the same object: nothing in it points. */
static void test_copy(void **state)
{
	(void)state;
	struct object *object = decode(KUBE_INGRESS, ingress_text);
	struct object *copy = xmalloc(object->size);
	assert_non_null(copy);
	memcpy(copy, object, object->size);
	assert_true(object_equals(object, copy));
	free(object);
	const struct ingress_rule *rules = obj_items(copy, ((const struct ingress *)copy)->rules);
	assert_string_equal(obj_str(copy, rules[0].host), "a.example");
	free(copy);
}

static void test_detect_kind(void **state)
{
	static const struct {
		const char *text;
		int kind;
	} cases[] = {
		{"{'apiVersion':'networking.k8s.io/v1','kind':'Ingress'}", KUBE_INGRESS},
		{"{'kind':'IngressClass','apiVersion':'networking.k8s.io/v1'}", KUBE_INGRESS_CLASS},
		{"{'apiVersion':'v1','kind':'Service'}", KUBE_SERVICE},
		{"{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice'}",
			KUBE_ENDPOINT_SLICE},
		{"{'apiVersion':'v1','kind':'ConfigMap'}", KUBE_CONFIG_MAP},
		{"{'apiVersion':'networking.k8s.io/v1beta1','kind':'Ingress'}", -1},
		{"{'apiVersion':'v1','kind':'Pod'}", -1},
		{"{'apiVersion':'v1'}", -1},
		{"{'kind':'Service'}", -1},
		{"{'apiVersion':1,'kind':'Service'}", -1},
		{"{'apiVersion':'v1','kind':null}", -1},
		{"[]", -1},
		{"'Service'", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum kube_kind kind = KUBE_KIND_COUNT;
		struct json_object *json = parse(cases[i].text);
		bool is_ours = object_detect_kind(json, &kind);
		json_object_put(json);
		assert_int_equal(is_ours, cases[i].kind >= 0);
		assert_int_equal(kind, is_ours ? cases[i].kind : KUBE_KIND_COUNT);
	}
	enum kube_kind kind;
	assert_false(object_detect_kind(NULL, &kind));
}

static void test_time(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds; /* -1 = refused */
	} cases[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2024-02-29T23:59:59Z", 1709251199},
		{"2024-05-01T10:00:00.999999Z", 1714557600},
		{"2024-05-01T12:30:00+02:30", 1714557600},
		{"2024-05-01T07:00:00-03:00", 1714557600},
		{"2023-02-29T00:00:00Z", -1},
		{"2024-13-01T00:00:00Z", -1},
		{"2024-00-01T00:00:00Z", -1},
		{"2024-01-00T00:00:00Z", -1},
		{"2024-01-01T24:00:00Z", -1},
		{"2024-01-01T00:60:00Z", -1},
		{"2024-01-01T00:00:60Z", -1},
		{"2024-01-01 00:00:00Z", -1},
		{"2024-01-01T00:00:00", -1},
		{"2024-01-01T00:00:00.Z", -1},
		{"2024-01-01T00:00:00Zx", -1},
		{"2024-01-01T00:00:00+1:00", -1},
		{"2024-01-01T00:00:00+25:00", -1},
		{"+024-01-01T00:00:00Z", -1},
		{"2024-01-01", -1},
		{"", -1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t seconds = -1;
		bool is_time = kube_time_parse(cases[i].text, &seconds);
		assert_int_equal(is_time, cases[i].seconds >= 0);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ingress),
		cmocka_unit_test(test_nul_in_path),
		cmocka_unit_test(test_ingress_class),
		cmocka_unit_test(test_class_parameters),
		cmocka_unit_test(test_legacy_class),
		cmocka_unit_test(test_service),
		cmocka_unit_test(test_endpoint_slice),
		cmocka_unit_test(test_config_map),
		cmocka_unit_test(test_annotations),
		cmocka_unit_test(test_minimal),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_namespace_default),
		cmocka_unit_test(test_text_limit),
		cmocka_unit_test(test_size_limit),
		cmocka_unit_test(test_list_size_limit),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_status_alone),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_detect_kind),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
