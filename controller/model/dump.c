/* The model as text, in a fixed order: what golden tests compare, and what a rebuild is compared
 * by. See model.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"

static int compare_backends(const void *a, const void *b)
{
	return strcmp((*(struct backend_node *const *)a)->public.name,
		(*(struct backend_node *const *)b)->public.name);
}

static int compare_ingresses(const void *a, const void *b)
{
	const struct ingress_node *left = *(struct ingress_node *const *)a;
	const struct ingress_node *right = *(struct ingress_node *const *)b;
	int order = strcmp(left->namespace, right->namespace);

	return order != 0 ? order : strcmp(left->name, right->name);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void dump_backends(const struct model *model, struct buf *buf)
{
	struct backend_node **sorted =
		(struct backend_node **)table_sorted(&model->backends, compare_backends);

	for (uint32_t i = 0; i < model->backends.n_items; i++) {
		const struct model_backend *backend = &sorted[i]->public;
		buf_printf(buf, "backend %s\n", backend->name);
		for (size_t j = 0; j < backend->n_servers; j++) {
			buf_printf(buf, "  server %s %s%s\n", backend->servers[j].name,
				backend->servers[j].address,
				backend->servers[j].is_draining ? " drain" : "");
		}
	}
	free(sorted);
}

static void dump_map(const struct model *model, enum model_map map, struct buf *buf)
{
	const char **lines = NULL;
	const char *key;
	const char *value;
	size_t n = 0;
	size_t n_allocated = 0;
	uint32_t position = 0;

	while (model_next_entry(model, map, &position, &key, &value)) {
		if (n == n_allocated) {
			n_allocated = n_allocated ? n_allocated * 2 : 64;
			lines = xreallocarray(lines, n_allocated, sizeof(*lines));
		}
		lines[n++] = key;
	}
	if (n > 1) {
		qsort(lines, n, sizeof(*lines), compare_texts);
	}
	for (size_t i = 0; i < n; i++) {
		buf_printf(buf, "%s %s %s\n", model_map_files[map], lines[i],
			model_find_entry(model, map, lines[i]));
	}
	free(lines);
}

static int compare_certificates(const void *a, const void *b)
{
	return strcmp((*(struct certificate_node *const *)a)->public.name,
		(*(struct certificate_node *const *)b)->public.name);
}

/* Name and fingerprint say everything about the content, which holds a key. */
static void dump_certificates(const struct model *model, struct buf *buf)
{
	struct certificate_node **sorted = (struct certificate_node **)table_sorted(
		&model->certificates, compare_certificates);

	for (uint32_t i = 0; i < model->certificates.n_items; i++) {
		const struct model_certificate *certificate = &sorted[i]->public;
		buf_printf(buf, "certificate %s %s", certificate->name, certificate->fingerprint);
		for (size_t j = 0; j < certificate->n_hosts; j++) {
			buf_printf(buf, " %s", certificate->hosts[j]);
		}
		buf_append_char(buf, '\n');
	}
	free(sorted);
}

static void dump_diags(const struct ingress_node *node, struct buf *buf)
{
	size_t n;
	struct diag *diags = model_collect_diags(node, &n);

	for (size_t i = 0; i < n; i++) {
		buf_printf(buf, "ingress %s/%s %s %s: %s\n", node->namespace, node->name,
			diag_reason_names[diags[i].reason], diags[i].field, diags[i].text);
	}
	model_free_diags(diags, n);
}

void model_dump(const struct model *model, struct buf *buf)
{
	dump_backends(model, buf);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		dump_map(model, (enum model_map)map, buf);
	}
	dump_certificates(model, buf);
	/* Nobody sets anything: nothing to say. */
	if (!model_is_standard(model->settings_digest)) {
		buf_printf(buf, "settings %s\n", model->settings_digest);
	}
	if (model_pages_fault(model) != NULL) {
		buf_printf(buf, "error-pages %s\n", model_pages_fault(model));
	}
	if (model_patterns_fault(model) != NULL) {
		buf_printf(buf, "patterns %s\n", model_patterns_fault(model));
	}
	if (model_tcp_fault(model) != NULL) {
		buf_printf(buf, "tcp-services %s\n", model_tcp_fault(model));
	}
	if (model_client_ca_fault(model) != NULL) {
		buf_printf(buf, "client-ca %s\n", model_client_ca_fault(model));
	}
	if (model_monitors_fault(model) != NULL) {
		buf_printf(buf, "monitors %s\n", model_monitors_fault(model));
	}
	struct ingress_node **sorted =
		(struct ingress_node **)table_sorted(&model->ingresses, compare_ingresses);
	for (uint32_t i = 0; i < model->ingresses.n_items; i++) {
		dump_diags(sorted[i], buf);
	}
	free(sorted);
	if (model->operator_default != NULL) {
		dump_diags(model->operator_default, buf);
	}
	if (model->operator_certificate != NULL) {
		dump_diags(model->operator_certificate, buf);
	}
	const struct ingress_node *port;
	size_t position = 0;
	while ((port = tcp_next(model, &position)) != NULL) {
		dump_diags(port, buf);
	}
	for (int i = 0; i < OPTION_VERDICT_COUNT; i++) {
		if (model->n_verdicts[i] > 0) {
			buf_printf(buf, "annotations %s %zu\n", option_verdict_names[i],
				model->n_verdicts[i]);
		}
	}
}
