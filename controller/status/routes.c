/* See routes.h. Called by verdict.c and run.c. */
#include "status/routes.h"

#include <inttypes.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/routes.h"

struct list {
	struct buf *buf;
	bool has_ingress;
	size_t n;
};

/* Nothing when there is no value. */
static void write_member(struct buf *buf, const char *key, const char *value)
{
	if (value != NULL) {
		json_append_member(buf, key, value, JSON_TEXT_WHOLE);
	}
}

static void write_ingress(struct buf *buf, const char *key, const char *namespace, const char *name)
{
	if (namespace != NULL) {
		CLEANUP(free_ptr) char *both = xasprintf("%s/%s", namespace, name);
		json_append_member(buf, key, both, JSON_TEXT_WHOLE);
	}
}

static void write_route(void *ctx, const struct model_route *route)
{
	struct list *list = ctx;
	struct buf *buf = list->buf;

	if (list->n++ >= ROUTES_MAX_LISTED) {
		return;
	}
	buf_append_str(buf, list->n > 1 ? ",{" : "{");
	if (list->has_ingress) {
		write_ingress(buf, "ingress", route->namespace, route->ingress);
	}
	write_member(buf, "field", route->field);
	write_member(buf, "host", route->host);
	write_member(buf, "path", route->path);
	write_member(buf, "pathType", route->path_type);
	write_member(buf, "backend", route->backend);
	write_ingress(buf, "taken_by", route->taken_namespace, route->taken_ingress);
	write_member(buf, "canary", route->canary);
	write_member(buf, "auth", route->auth);
	buf_append_char(buf, '}');
}

static void end_list(struct list *list)
{
	buf_append_char(list->buf, ']');
	if (list->n > ROUTES_MAX_LISTED) {
		buf_printf(list->buf, ",\"more_routes\":%zu", list->n - ROUTES_MAX_LISTED);
	}
}

void routes_write(
	struct buf *buf, const struct model *model, const char *namespace, const char *name)
{
	struct list list = {.buf = buf};

	buf_append_str(buf, ",\"routes\":[");
	model_list_routes(model, namespace, name, write_route, &list);
	end_list(&list);
}

bool routes_write_backend(struct buf *buf, const struct model *model, const char *backend)
{
	struct buf routes = BUF_INIT(0);
	struct list list = {.buf = &routes, .has_ingress = true};
	struct model_backend_source source;
	bool is_known = model_list_backend_routes(model, backend, &source, write_route, &list);

	buf_append_char(buf, '{');
	if (is_known) {
		end_list(&list);
		write_member(buf, "backend", backend);
		write_member(buf, "namespace", source.namespace);
		write_member(buf, "service", source.service);
		buf_printf(buf, ",\"port\":%" PRId32, source.port);
		if (source.external != NULL) {
			write_member(buf, "external", source.external);
		} else {
			buf_printf(buf, ",\"servers\":%zu", source.n_servers);
		}
		buf_printf(buf, ",\"routes\":[%s", buf_str(&routes));
	} else {
		write_member(buf, "error", "no Ingress of this controller leads to such a backend");
	}
	buf_append_char(buf, '}');
	buf_fini(&routes);
	return is_known;
}
