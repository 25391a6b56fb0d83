/*
 * What the ConfigMap of TCP services (--configmap-tcp-services) says. Pure.
 *
 *   "5432": "shop/db:5432"         HAProxy listens on port 5432, for that port of that Service
 *   "5433": "shop/db:pg:ssl"       the same, by the port's name; TLS ends here
 *   "log-format-tcp": "%ci %b"     how connections are logged
 *
 * What can't be used is left out; the rest holds. Private to the model.
 */
#ifndef HG_MODEL_TCP_READ_H
#define HG_MODEL_TCP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/map_faults.h"
#include "model/model.h"

struct config_map;

/* Without TLS, and as many with it: so many places has haproxy-cfg/35-tcp.cfg. */
#define TCP_MAX_PORTS (MODEL_MAX_PORTS / 2)

#define TCP_LOG_FORMAT "log-format-tcp"

/* One port. */
struct tcp_service {
	uint16_t port;
	bool has_tls;
	char *text;	       /* owned: the Service as it is written */
	const char *namespace; /* these are in `parts` */
	const char *service;
	const char *service_port; /* number or name */
	char *parts;		  /* owned */
	bool is_held;		  /* HAProxy can't have it: it is in no settings */
};

/* All zeros: none. */
struct tcp_services {
	struct tcp_service *items; /* owned; by port */
	size_t n;
	char *log_format; /* owned; NULL = HAProxy's own */
};

/*
 * Reads all keys. `listeners` says where else HAProxy and the controller listen, NULL = nowhere:
 * "--http-bind=:8080,[::]:8080 --stats-bind=:8404". The caller frees the services with
 * tcp_services_fini().
 */
void tcp_services_read(struct tcp_services *services, const struct config_map *map,
	const char *listeners, map_report_fn report, void *ctx);
void tcp_services_fini(struct tcp_services *services);

/* Reads one key. NULL = it is taken, else what is wrong with it and the remedy, in words that stand
 * behind "data[5432] ": owned by the caller. */
char *tcp_services_add(struct tcp_services *services, const char *key, const char *value,
	const char *listeners) MUST_USE;

#endif
