/*
 * Which fields of each kind are read, as tables; and whether two objects say the same.
 *
 * Owns the knowledge of the Kubernetes API's field names. Read by decode.c. Must not know where
 * objects come from (API server or manifests) nor what is made of them.
 */
#include "kube/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube/decode_priv.h"
#include "option/read.h"
#include "option/value.h"

/* The API's limit for names that are DNS subdomains; some are limited to 63, which is left to the
 * API server. */
#define NAME_MAX_LEN 253
#define PORT_MAX     65535
#define UID_MAX_LEN  128

#define TABLE(array, type)                                                                         \
	{                                                                                          \
		.fields = (array), .n_fields = ARRAY_LEN(array), .item_size = sizeof(type)         \
	}

const struct kube_kind_info kube_kinds[KUBE_KIND_COUNT] = {
#define KIND(id, name, version, path, resource) [KUBE_##id] = {name, version, path, resource},
#include "kube/kinds.def"
};

static const struct field head_fields[] = {
	{.path = {"metadata", "creationTimestamp"},
		.type = FIELD_TIME,
		.offset = offsetof(struct object, created_seconds)},
	{.path = {"metadata", "name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct object, name),
		.is_required = true,
		.max_len = NAME_MAX_LEN},
};

const struct field_table object_head_table = TABLE(head_fields, struct object);

static const struct field backend_fields[] = {
	{.path = {"service", "name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_backend, service),
		.max_len = NAME_MAX_LEN},
	{.path = {"service", "port", "name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_backend, port_name),
		.max_len = NAME_MAX_LEN},
	{.path = {"service", "port", "number"},
		.type = FIELD_INT,
		.offset = offsetof(struct ingress_backend, port_number),
		.max = PORT_MAX},
	{.path = {"resource", "kind"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_backend, resource_kind),
		.max_len = NAME_MAX_LEN,
		.takes_nul = true},
};

static const struct field_table backend_table = TABLE(backend_fields, struct ingress_backend);

static const struct field_word path_types[] = {
	{"Exact", INGRESS_PATH_EXACT},
	{"Prefix", INGRESS_PATH_PREFIX},
	{"ImplementationSpecific", INGRESS_PATH_IMPLEMENTATION_SPECIFIC},
	{NULL, 0},
};

static const struct field path_fields[] = {
	{.path = {"path"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_path, path),
		.takes_nul = true},
	{.path = {"pathType"},
		.type = FIELD_ENUM,
		.offset = offsetof(struct ingress_path, type),
		.words = path_types,
		.other = INGRESS_PATH_UNKNOWN},
	{.path = {"backend"},
		.type = FIELD_GROUP,
		.offset = offsetof(struct ingress_path, backend),
		.rows = &backend_table},
};

static const struct field_table path_table = TABLE(path_fields, struct ingress_path);

static const struct field rule_fields[] = {
	{.path = {"host"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_rule, host),
		.max_len = NAME_MAX_LEN},
	{.path = {"http", "paths"},
		.type = FIELD_LIST,
		.offset = offsetof(struct ingress_rule, paths),
		.rows = &path_table},
};

static const struct field_table rule_table = TABLE(rule_fields, struct ingress_rule);

static const struct field balancer_address_fields[] = {
	{.path = {"ip"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct balancer_address, ip),
		.max_len = NAME_MAX_LEN},
	{.path = {"hostname"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct balancer_address, hostname),
		.max_len = NAME_MAX_LEN},
};

static const struct field_table balancer_address_table =
	TABLE(balancer_address_fields, struct balancer_address);

static const struct field tls_fields[] = {
	{.path = {"hosts"},
		.type = FIELD_TEXTS,
		.offset = offsetof(struct ingress_tls, hosts),
		.max_len = NAME_MAX_LEN,
		.takes_nul = true},
	{.path = {"secretName"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_tls, secret),
		.max_len = NAME_MAX_LEN,
		.takes_nul = true},
};

static const struct field_table tls_table = TABLE(tls_fields, struct ingress_tls);

/* Of all annotations only those are kept that may be options. */
#define ANNOTATIONS(owner)                                                                         \
	{                                                                                          \
		.path = {"metadata", "annotations"}, .type = FIELD_MAP,                            \
		.offset = offsetof(owner, annotations), .keeps = option_is_key,                    \
		.max_len = OPTION_MAX_VALUE, .takes_nul = true                                     \
	}

static const struct field ingress_fields[] = {
	{.path = {"metadata", "uid"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress, uid),
		.max_len = UID_MAX_LEN},
	{.path = {"spec", "ingressClassName"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress, class_name),
		.max_len = NAME_MAX_LEN},
	{.path = {"metadata", "annotations", "kubernetes.io/ingress.class"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress, legacy_class),
		.takes_nul = true},
	ANNOTATIONS(struct ingress),
	{.path = {"spec", "defaultBackend"},
		.type = FIELD_GROUP,
		.offset = offsetof(struct ingress, default_backend),
		.rows = &backend_table},
	{.path = {"spec", "rules"},
		.type = FIELD_LIST,
		.offset = offsetof(struct ingress, rules),
		.rows = &rule_table},
	{.path = {"spec", "tls"},
		.type = FIELD_LIST,
		.offset = offsetof(struct ingress, tls),
		.rows = &tls_table},
	{.path = {"status", "loadBalancer", "ingress"},
		.type = FIELD_LIST,
		.offset = offsetof(struct ingress, addresses),
		.rows = &balancer_address_table},
};

static const struct field class_parameters_fields[] = {
	{.path = {"apiGroup"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct class_parameters, api_group),
		.max_len = NAME_MAX_LEN},
	{.path = {"kind"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct class_parameters, kind),
		.max_len = NAME_MAX_LEN},
	{.path = {"name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct class_parameters, name),
		.max_len = NAME_MAX_LEN},
	{.path = {"scope"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct class_parameters, scope),
		.max_len = NAME_MAX_LEN},
	{.path = {"namespace"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct class_parameters, namespace),
		.max_len = NAME_MAX_LEN},
};

static const struct field_table class_parameters_table =
	TABLE(class_parameters_fields, struct class_parameters);

static const struct field ingress_class_fields[] = {
	{.path = {"spec", "controller"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_class, controller),
		.max_len = NAME_MAX_LEN},
	{.path = {"spec", "parameters"},
		.type = FIELD_GROUP,
		.offset = offsetof(struct ingress_class, parameters),
		.rows = &class_parameters_table},
	{.path = {"metadata", "annotations", "ingressclass.kubernetes.io/is-default-class"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct ingress_class, is_default)},
};

static const struct field_word protocols[] = {
	{"TCP", PORT_PROTOCOL_TCP},
	{NULL, 0},
};

static const struct field service_port_fields[] = {
	{.path = {"name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct service_port, name),
		.max_len = NAME_MAX_LEN},
	{.path = {"appProtocol"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct service_port, app_protocol),
		.max_len = NAME_MAX_LEN},
	{.path = {"port"},
		.type = FIELD_INT,
		.offset = offsetof(struct service_port, port),
		.min = 1,
		.max = PORT_MAX},
	{.path = {"protocol"},
		.type = FIELD_ENUM,
		.offset = offsetof(struct service_port, protocol),
		.words = protocols,
		.other = PORT_PROTOCOL_OTHER},
};

static const struct field_table service_port_table =
	TABLE(service_port_fields, struct service_port);

static const struct field service_fields[] = {
	ANNOTATIONS(struct service),
	{.path = {"spec", "type"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct service, type),
		.max_len = NAME_MAX_LEN},
	{.path = {"spec", "clusterIP"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct service, cluster_ip),
		.max_len = NAME_MAX_LEN},
	{.path = {"spec", "externalIPs"},
		.type = FIELD_TEXTS,
		.offset = offsetof(struct service, external_ips),
		.max_len = NAME_MAX_LEN},
	{.path = {"status", "loadBalancer", "ingress"},
		.type = FIELD_LIST,
		.offset = offsetof(struct service, addresses),
		.rows = &balancer_address_table},
	{.path = {"spec", "externalName"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct service, external_name),
		.max_len = NAME_MAX_LEN},
	{.path = {"spec", "ipFamilies"},
		.type = FIELD_FIRST_TEXT,
		.offset = offsetof(struct service, primary_family),
		.max_len = NAME_MAX_LEN},
	{.path = {"spec", "ports"},
		.type = FIELD_LIST,
		.offset = offsetof(struct service, ports),
		.rows = &service_port_table},
};

static const struct field slice_port_fields[] = {
	{.path = {"name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct slice_port, name),
		.max_len = NAME_MAX_LEN},
	{.path = {"port"},
		.type = FIELD_INT,
		.offset = offsetof(struct slice_port, port),
		.max = PORT_MAX},
	{.path = {"protocol"},
		.type = FIELD_ENUM,
		.offset = offsetof(struct slice_port, protocol),
		.words = protocols,
		.other = PORT_PROTOCOL_OTHER},
};

static const struct field_table slice_port_table = TABLE(slice_port_fields, struct slice_port);

static const struct field slice_endpoint_fields[] = {
	{.path = {"addresses"},
		.type = FIELD_FIRST_TEXT,
		.offset = offsetof(struct slice_endpoint, address),
		.max_len = NAME_MAX_LEN},
	{.path = {"targetRef", "name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct slice_endpoint, pod),
		.max_len = NAME_MAX_LEN,
		.only_if = "kind",
		.only_if_is = "Pod"},
	{.path = {"conditions", "ready"},
		.type = FIELD_BOOL,
		.offset = offsetof(struct slice_endpoint, ready)},
	{.path = {"conditions", "serving"},
		.type = FIELD_BOOL,
		.offset = offsetof(struct slice_endpoint, serving)},
	{.path = {"conditions", "terminating"},
		.type = FIELD_BOOL,
		.offset = offsetof(struct slice_endpoint, terminating)},
};

static const struct field_table slice_endpoint_table =
	TABLE(slice_endpoint_fields, struct slice_endpoint);

static const struct field endpoint_slice_fields[] = {
	{.path = {"metadata", "labels", "kubernetes.io/service-name"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct endpoint_slice, service),
		.max_len = NAME_MAX_LEN},
	{.path = {"addressType"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct endpoint_slice, address_type),
		.max_len = NAME_MAX_LEN},
	{.path = {"ports"},
		.type = FIELD_LIST,
		.offset = offsetof(struct endpoint_slice, ports),
		.rows = &slice_port_table},
	{.path = {"endpoints"},
		.type = FIELD_LIST,
		.offset = offsetof(struct endpoint_slice, endpoints),
		.rows = &slice_endpoint_table},
};

static const struct field config_map_fields[] = {
	{.path = {"data"}, .type = FIELD_MAP, .offset = offsetof(struct config_map, data)},
};

/* The rest is secret.c's. */
static const struct field secret_fields[] = {
	{.path = {"type"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct secret, type),
		.max_len = NAME_MAX_LEN},
};

const struct object_schema object_schemas[KUBE_KIND_COUNT] = {
	[KUBE_INGRESS] = {TABLE(ingress_fields, struct ingress), .is_namespaced = true},
	[KUBE_INGRESS_CLASS] = {TABLE(ingress_class_fields, struct ingress_class),
		.is_namespaced = false},
	[KUBE_SERVICE] = {TABLE(service_fields, struct service), .is_namespaced = true},
	[KUBE_ENDPOINT_SLICE] = {TABLE(endpoint_slice_fields, struct endpoint_slice),
		.is_namespaced = true},
	[KUBE_CONFIG_MAP] = {TABLE(config_map_fields, struct config_map), .is_namespaced = true},
	[KUBE_SECRET] = {TABLE(secret_fields, struct secret), .is_namespaced = true},
};

bool object_equals(const struct object *a, const struct object *b)
{
	static_assert(offsetof(struct object, mark) == 0, "the mark comes before the content");
	const size_t skip = sizeof(a->mark);

	return a->size == b->size &&
	       memcmp((const char *)a + skip, (const char *)b + skip, a->size - skip) == 0;
}

/* Where what comes before the status ends: behind it there is only the list and its texts. */
static size_t spec_end(const struct ingress *ingress)
{
	return ingress->addresses.n > 0 ? ingress->addresses.offset : ingress->head.size;
}

bool object_differs_in_status(const struct object *a, const struct object *b)
{
	const size_t start = offsetof(struct object, created_seconds);
	const size_t hole = offsetof(struct ingress, addresses);
	const struct ingress *first = (const struct ingress *)a;
	const struct ingress *second = (const struct ingress *)b;

	static_assert(offsetof(struct ingress, addresses) + sizeof(struct obj_list) +
				      _Alignof(struct ingress) >
			      sizeof(struct ingress),
		"behind the status there is padding at most");
	static_assert(offsetof(struct object, size) + sizeof(a->size) ==
			      offsetof(struct object, created_seconds),
		"mark and size are all that comes before the content");
	if (a->kind != KUBE_INGRESS || b->kind != KUBE_INGRESS || object_equals(a, b)) {
		return false;
	}
	size_t end = spec_end(first);
	size_t other_end = spec_end(second);
	/* One may be longer by the padding before its list. */
	size_t padding = end > other_end ? end - other_end : other_end - end;
	end = end < other_end ? end : other_end;
	return padding < OBJECT_LIST_ALIGNMENT &&
	       memcmp((const char *)a + start, (const char *)b + start, hole - start) == 0 &&
	       memcmp(first + 1, second + 1, end - sizeof(*first)) == 0;
}

void object_free(struct object *object)
{
	if (object != NULL && object->kind == KUBE_SECRET) {
		explicit_bzero(object, object->size);
	}
	free(object);
}
