/* See verdict.h. Called by status.c and run.c. */
#include "status/verdict.h"

#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/diag.h"
#include "status/routes.h"

static void write_member(struct buf *buf, const char *key, const char *value)
{
	json_append_member(buf, key, value, VERDICT_TEXT_MAX_SIZE);
}

/* Why the class that it names (NULL = none) makes it none of ours. */
static void write_reason(struct buf *buf, const struct store *store, const char *name)
{
	const struct ingress_class *class = name ? store_ingress_class(store, name) : NULL;
	struct buf text = BUF_INIT(0);

	if (name == NULL) {
		buf_append_str(&text, "spec.ingressClassName is not set, and no IngressClass of "
				      "this controller is the default: name one");
	} else if (class == NULL) {
		buf_printf(&text,
			"there is no IngressClass '%s': create it, or name one of this controller",
			name);
	} else {
		buf_printf(&text,
			"IngressClass '%s' has the controller '%s', or is not the one that this "
			"controller was told to serve: name another one",
			name, obj_str(class, class->controller));
	}
	write_member(buf, "reason", buf_str(&text));
	buf_fini(&text);
}

static void write_diagnostics(
	struct buf *buf, const struct model *model, const char *namespace, const char *name)
{
	size_t n;
	struct diag *diags = model_ingress_diags(model, namespace, name, &n);

	buf_append_str(buf, ",\"diagnostics\":[");
	for (size_t i = 0; i < n && i < VERDICT_MAX_DIAGNOSTICS; i++) {
		buf_append_str(buf, i > 0 ? ",{" : "{");
		write_member(buf, "reason", diag_reason_names[diags[i].reason]);
		write_member(buf, "field", diags[i].field);
		write_member(buf, "text", diags[i].text);
		buf_append_char(buf, '}');
	}
	buf_append_char(buf, ']');
	if (n > VERDICT_MAX_DIAGNOSTICS) {
		buf_printf(buf, ",\"more_diagnostics\":%zu", n - VERDICT_MAX_DIAGNOSTICS);
	}
	model_free_diags(diags, n);
}

bool verdict_write(struct buf *buf, const struct verdict_sources *sources, const char *namespace,
	const char *name)
{
	const struct ingress *ingress = store_ingress(sources->store, namespace, name);

	buf_append_char(buf, '{');
	if (ingress == NULL) {
		write_member(
			buf, "error", "no such Ingress among those that this controller watches");
		buf_append_char(buf, '}');
		return false;
	}
	bool is_ours = model_is_ours(sources->model, namespace, name);
	const char *class = model_class_name(sources->model, ingress);
	write_member(buf, "namespace", namespace);
	write_member(buf, "name", name);
	write_member(buf, "uid", obj_str(ingress, ingress->uid));
	if (class != NULL) {
		write_member(buf, "class", class);
	} else {
		buf_append_str(buf, ",\"class\":null");
	}
	buf_printf(buf, ",\"served\":%s", is_ours ? "true" : "false");
	if (!is_ours) {
		write_reason(buf, sources->store, class);
	}
	routes_write(buf, sources->model, namespace, name);
	write_diagnostics(buf, sources->model, namespace, name);
	buf_append_str(buf, ",\"addresses\":");
	addresses_write_of(ingress, buf);
	if (is_ours && sources->published != NULL) {
		buf_append_str(buf, ",\"published\":");
		addresses_write(sources->published, buf);
	}
	buf_append_char(buf, '}');
	return true;
}
