/* Which ports of TCP services are left out of the settings: those that somebody else has, and
 * nothing that HAProxy has itself. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ports.h"
#include "self_check.h"
#include "store/store_testing.h"

static const struct model_options options = {
	.controller_name = "ours", .tcp_namespace = "own", .tcp_name = "tcp"};

struct fixture {
	struct event_base *base;
	struct store *store;
	struct model *model;
	struct applied *applied;
	struct ports *ports;
	int fd; /* somebody else's, who has the first port */
	uint16_t taken;
	uint16_t free;
	unsigned n_woken;
};

static uint16_t listen_somewhere(int *ret_fd)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof(address);

	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_fd, (const struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(*ret_fd, 1), 0);
	assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&address, &size), 0);
	return ntohs(address.sin_port);
}

static void on_wake(void *ctx)
{
	struct fixture *f = ctx;

	f->n_woken++;
	event_base_loopbreak(f->base);
}

/* The ConfigMap asks for both, or for nothing. */
static void ask_for_ports(struct fixture *f, bool has_ports)
{
	if (has_ports) {
		testing_put(f->store, KUBE_CONFIG_MAP,
			"{'metadata':{'namespace':'own','name':'tcp'},"
			"'data':{'%u':'a/b:1','%u':'a/b:1:ssl'}}",
			f->taken, f->free);
	} else {
		testing_put(f->store, KUBE_CONFIG_MAP,
			"{'metadata':{'namespace':'own','name':'tcp'},'data':{}}");
	}
	struct store_changes changes = store_take_changes(f->store);
	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
}

/* HAProxy has been reloaded with what is wanted. */
static void reload(struct fixture *f)
{
	uint16_t ports[MODEL_MAX_PORTS];
	size_t n = model_settings_ports(model_settings(f->model), ports);

	snprintf(f->applied->settings, sizeof(f->applied->settings), "%s",
		model_settings_digest(f->model));
	snprintf(f->applied->ports, sizeof(f->applied->ports), "none");
	for (size_t i = 0, len = 0; i < n; i++) {
		len += (size_t)snprintf(f->applied->ports + len, sizeof(f->applied->ports) - len,
			"%s%u", i > 0 ? " " : "", ports[i]);
	}
}

static size_t count_ports(const struct fixture *f)
{
	uint16_t ports[MODEL_MAX_PORTS];

	return model_settings_ports(model_settings(f->model), ports);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	int fd;

	f->base = event_base_new();
	f->store = store_new();
	f->model = model_new(&options);
	f->applied = applied_new();
	f->ports =
		ports_new(&(struct ports_options){f->base, f->model, f->store, false, on_wake, f});
	f->taken = listen_somewhere(&f->fd);
	f->free = listen_somewhere(&fd);
	close(fd);
	ask_for_ports(f, false);
	reload(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	ports_free(f->ports);
	applied_free(f->applied);
	model_free(f->model);
	store_free(f->store);
	event_base_free(f->base);
	if (f->fd >= 0) {
		close(f->fd);
	}
	free(f);
	return 0;
}

static void test_one_is_taken(void **state)
{
	struct fixture *f = *state;

	ask_for_ports(f, true);
	assert_int_equal(count_ports(f), 2);
	assert_true(ports_follow(f->ports, f->applied, false));
	assert_int_equal(count_ports(f), 1);
	CLEANUP(free_ptr)
	char *fault = xasprintf("ConfigMap own/tcp: data[%u] can't be listened on: Address already "
				"in use: end what else has the port, or use another; it is tried "
				"again by itself",
		f->taken);
	assert_string_equal(model_tcp_fault(f->model), fault);
	assert_true(self_check(f->model, &options, f->store));
	/* Tried as long as HAProxy has something else; it is still the same. */
	assert_false(ports_follow(f->ports, f->applied, false));
	reload(f);

	/* It is tried again by itself. */
	close(f->fd);
	f->fd = -1;
	assert_false(ports_follow(f->ports, f->applied, false));
	event_base_dispatch(f->base);
	assert_int_equal(f->n_woken, 1);
	assert_true(ports_follow(f->ports, f->applied, false));
	assert_int_equal(count_ports(f), 2);
	assert_null(model_tcp_fault(f->model));
	reload(f);
	assert_false(ports_follow(f->ports, f->applied, true));
	/* No timer is left. */
	event_base_dispatch(f->base);
	assert_int_equal(f->n_woken, 1);
}

/* At once, when the ConfigMap is read anew; and it may go. */
static void test_asked(void **state)
{
	struct fixture *f = *state;

	ask_for_ports(f, true);
	assert_true(ports_follow(f->ports, f->applied, false));
	reload(f);
	ask_for_ports(f, false);
	assert_true(ports_follow(f->ports, f->applied, true));
	assert_null(model_tcp_fault(f->model));
	reload(f);
	ask_for_ports(f, true);
	assert_true(ports_follow(f->ports, f->applied, true));
	assert_int_equal(count_ports(f), 1);
	reload(f);
	close(f->fd);
	f->fd = -1;
	assert_true(ports_follow(f->ports, f->applied, true));
	assert_int_equal(count_ports(f), 2);
}

/* A HAProxy of another user is somebody else for us, too: what it has is not asked for. */
static void test_what_haproxy_has(void **state)
{
	struct fixture *f = *state;

	ask_for_ports(f, true);
	reload(f);
	f->applied->settings[0] ^= 1;
	assert_false(ports_follow(f->ports, f->applied, true));
	assert_int_equal(count_ports(f), 2);
}

/* Not known what it has: nothing is left out. */
static void test_unknown(void **state)
{
	struct fixture *f = *state;

	ask_for_ports(f, true);
	assert_false(ports_follow(f->ports, NULL, true));
	f->applied->ports[0] = '\0';
	assert_false(ports_follow(f->ports, f->applied, true));
	assert_int_equal(count_ports(f), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_is_taken),
		TEST(test_asked),
		TEST(test_what_haproxy_has),
		TEST(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
