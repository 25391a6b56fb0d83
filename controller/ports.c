/* See ports.h. Called by reconcile.c. */
#include "ports.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "haproxy/bindable.h"

/* A few system calls each time. */
#define RETRY_FIRST_MS 1000
#define RETRY_MAX_MS   15000

struct ports {
	struct ports_options options;
	struct event *timer; /* runs while a port can't be had */
	struct backoff retry;
	bool is_due;
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ports *ports = arg;

	(void)fd;
	(void)what;
	ports->is_due = true;
	ports->options.wake(ports->options.ctx);
}

struct ports *ports_new(const struct ports_options *options)
{
	struct ports *ports = xcalloc(1, sizeof(*ports));

	ports->options = *options;
	ports->timer = evtimer_new(options->base, on_timer, ports);
	backoff_init(&ports->retry, RETRY_FIRST_MS, RETRY_MAX_MS, BACKOFF_KUBE_RESET_MS);
	return ports;
}

void ports_free(struct ports *ports)
{
	if (ports != NULL) {
		event_free(ports->timer);
		free(ports);
	}
}

/* Those that can't be had; returns how many. */
static size_t try_ports(const struct ports_options *options, const struct applied *applied,
	struct model_held_port ret_held[MODEL_MAX_PORTS])
{
	uint16_t wanted[MODEL_MAX_PORTS];
	size_t n = model_ports(options->model, wanted);
	size_t n_held = 0;

	for (size_t i = 0; i < n; i++) {
		int error = applied_has_port(applied, wanted[i])
				    ? 0
				    : bindable_try_port(wanted[i], options->has_ipv6);
		if (error != 0) {
			ret_held[n_held++] = (struct model_held_port){wanted[i], error};
		}
	}
	return n_held;
}

static bool is_same(const struct model *model, const struct model_held_port *held, size_t n)
{
	const struct model_held_port *were;
	bool is_same = model_held_ports(model, &were) == n;

	for (size_t i = 0; i < n && is_same; i++) {
		is_same = were[i].port == held[i].port && were[i].error == held[i].error;
	}
	return is_same;
}

static void try_later(struct ports *ports, size_t n_held, bool is_other)
{
	if (is_other) {
		backoff_reset(&ports->retry);
		event_del(ports->timer);
	}
	if (n_held > 0 && !event_pending(ports->timer, EV_TIMEOUT, NULL)) {
		uint32_t wait_ms = backoff_fail(&ports->retry, clock_now_ms());
		const struct timeval wait = {wait_ms / 1000, (long)(wait_ms % 1000) * 1000};
		event_add(ports->timer, &wait);
	}
}

bool ports_follow(struct ports *ports, const struct applied *applied, bool is_asked)
{
	struct model *model = ports->options.model;
	struct model_held_port held[MODEL_MAX_PORTS];

	if (applied == NULL || applied->ports[0] == '\0') {
		return false;
	}
	bool is_new = strcmp(applied->settings, model_settings_digest(model)) != 0;
	if (!is_new && !is_asked && !ports->is_due) {
		return false;
	}
	ports->is_due = false;
	size_t n = try_ports(&ports->options, applied, held);
	bool is_other = !is_same(model, held, n);
	if (is_other) {
		model_hold_ports(model, ports->options.store, held, n);
	}
	try_later(ports, n, is_other);
	return is_other;
}
