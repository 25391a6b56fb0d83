/* Unit tests of reply.c: what a real HAProxy says is provoked in test/runtime_test.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "haproxy/reply.h"

struct sample {
	enum plan_op_kind kind;
	const char *text;
	enum plan_result result;
};

#define NAME "/run/hg/current/certs/a.pem"

static const struct sample samples[] = {
	{PLAN_OP_CERT_NEW, "New empty certificate store '" NAME "'!\n", PLAN_DONE},
	{PLAN_OP_CERT_NEW, "Certificate '" NAME "' already exists!\n", PLAN_REFUSED},
	{PLAN_OP_CERT_NEW, "New empty certificate store '" NAME ".x'!\n", PLAN_REFUSED},
	{PLAN_OP_CERT_SET, "Transaction created for certificate " NAME "!\n", PLAN_DONE},
	{PLAN_OP_CERT_SET, "Transaction updated for certificate " NAME "!\n", PLAN_REFUSED},
	{PLAN_OP_CERT_SET, "Transaction created for certificate /run/hg/current/certs/b.pem!\n",
		PLAN_REFUSED},
	{PLAN_OP_CERT_SET, "Transaction created for certificate !\n", PLAN_REFUSED},
	{PLAN_OP_CERT_SET,
		"The ongoing transaction is about '/x' but you are trying to set '" NAME
		"'\nCan't update " NAME "!\n",
		PLAN_REFUSED},
	{PLAN_OP_CERT_COMMIT, "Committing " NAME "..\nSuccess!\n", PLAN_DONE},
	{PLAN_OP_CERT_COMMIT,
		"inconsistencies between private key and certificate loaded '" NAME
		"'.\nCan't commit " NAME "!\n",
		PLAN_REFUSED},
	{PLAN_OP_CERT_LIST,
		"Inserting certificate '" NAME "' in crt-list '/run/hg/current/certs.list'.\n"
		"Success!\n",
		PLAN_DONE},
	{PLAN_OP_CERT_LIST, "Can't edit the crt-list: certificate '" NAME "' is empty!\n",
		PLAN_REFUSED},
	{PLAN_OP_CERT_UNLIST, "Entry '" NAME "' deleted in crtlist '/run/hg/current/certs.list'!\n",
		PLAN_DONE},
	{PLAN_OP_CERT_UNLIST,
		"Can't delete the entry: certificate '" NAME "' can't be found in crt-list 'x'!\n",
		PLAN_REFUSED},
	{PLAN_OP_CERT_DEL, "Certificate '" NAME "' deleted!\n", PLAN_DONE},
	{PLAN_OP_CERT_DEL,
		"Can't remove the certificate: certificate '" NAME
		"' in use, can't be deleted!\n\n",
		PLAN_REFUSED},
	{PLAN_OP_CA_NEW, "New CA file created '" NAME "'!\n", PLAN_DONE},
	{PLAN_OP_CA_NEW, "CA file '" NAME "' already exists!\n", PLAN_REFUSED},
	{PLAN_OP_CA_SET, "transaction created for CA " NAME "!\n", PLAN_DONE},
	{PLAN_OP_CA_SET, "transaction updated for CA " NAME "!\n", PLAN_REFUSED},
	{PLAN_OP_CA_COMMIT, "Committing " NAME "..\nSuccess!\n", PLAN_DONE},
	{PLAN_OP_CA_COMMIT, "No ongoing transaction! !\n", PLAN_REFUSED},
	{PLAN_OP_CA_DEL, "CA file '" NAME "' deleted!\n", PLAN_DONE},
	{PLAN_OP_CA_DEL, "Can't remove the CA file: CA file '" NAME "' in use, can't be deleted!\n",
		PLAN_BUSY},
	{PLAN_OP_SHOWN_NEW, "New empty certificate store '" NAME "'!\n", PLAN_DONE},
	{PLAN_OP_SHOWN_SET, "Transaction created for certificate " NAME "!\n", PLAN_DONE},
	{PLAN_OP_SHOWN_COMMIT, "Committing " NAME "..\nSuccess!\n", PLAN_DONE},
	{PLAN_OP_SHOWN_DEL, "Certificate '" NAME "' deleted!\n", PLAN_DONE},
	{PLAN_OP_SHOWN_DEL,
		"Can't remove the certificate: certificate '" NAME
		"' in use, can't be deleted!\n\n",
		PLAN_BUSY},
	{PLAN_OP_BACKEND_ADD, "New backend registered.\n", PLAN_DONE},
	{PLAN_OP_BACKEND_ADD, "Cannot find default proxy 'http_profile'.\n", PLAN_REFUSED},
	{PLAN_OP_BACKEND_ADD,
		"Error during backend creation : name is already used by other proxy 'backend "
		"b'.\n",
		PLAN_REFUSED},
	{PLAN_OP_BACKEND_ADD,
		"Unknown command, but maybe one of the following ones is a better match:\n  quit  "
		": disconnect\n",
		PLAN_REFUSED},
	{PLAN_OP_BACKEND_PUBLISH, "Backend published.\n", PLAN_DONE},
	{PLAN_OP_BACKEND_PUBLISH, "No such backend.\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_ADD, "New server registered.\n", PLAN_DONE},
	{PLAN_OP_SERVER_ADD, "Already exists a server with the same name in backend.\n",
		PLAN_REFUSED},
	{PLAN_OP_SERVER_ADD,
		"Backend must use a dynamic load balancing to support dynamic servers.",
		PLAN_REFUSED},
	{PLAN_OP_SERVER_ADDRESS,
		"IP changed from '10.0.0.1' to '10.0.0.2', port changed from '80' to '81' by "
		"'stats socket command'\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS,
		"IP changed from '10.0.0.2' to '10.0.0.3', no need to change the port by 'stats "
		"socket command'\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS,
		"no need to change the addr, port changed from '81' to '82' by 'stats socket "
		"command'\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS,
		"no need to change the addr, no need to change the port by 'stats socket "
		"command'\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS, "port changed from '81' to '82' by 'stats socket command'\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS, "nothing changed\n", PLAN_DONE},
	{PLAN_OP_SERVER_ADDRESS, "Invalid addr 'x' by 'stats socket command'\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_ADDRESS, "", PLAN_REFUSED},
	{PLAN_OP_SERVER_CHECK, "", PLAN_DONE},
	{PLAN_OP_SERVER_CHECK, "Health checks are not configured on this server, cannot enable.\n",
		PLAN_REFUSED},
	{PLAN_OP_SERVER_ENABLE, "", PLAN_DONE},
	{PLAN_OP_SERVER_ENABLE, "No such server.\n", PLAN_REFUSED},
	{PLAN_OP_MAP_ADD, "", PLAN_DONE},
	{PLAN_OP_MAP_ADD, "Unknown map identifier. Please use #<id> or <file>.\n", PLAN_REFUSED},
	{PLAN_OP_MAP_SET, "", PLAN_DONE},
	{PLAN_OP_MAP_SET, "entry not found.\n", PLAN_REFUSED},
	{PLAN_OP_MAP_DEL, "", PLAN_DONE},
	{PLAN_OP_MAP_DEL, "Key not found.\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_DRAIN, "", PLAN_DONE},
	{PLAN_OP_SERVER_DRAIN, "No such server.\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_DISABLE, "", PLAN_DONE},
	{PLAN_OP_SERVER_DISABLE, "No such backend.\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_DEL, "Server deleted.", PLAN_DONE},
	{PLAN_OP_SERVER_DEL, "Server still has connections attached to it, cannot remove it.\n",
		PLAN_BUSY},
	{PLAN_OP_SERVER_DEL, "Only servers in maintenance mode can be deleted.", PLAN_REFUSED},
	{PLAN_OP_BACKEND_UNPUBLISH, "Backend unpublished.\n", PLAN_DONE},
	{PLAN_OP_BACKEND_UNPUBLISH, "Backend published.\n", PLAN_REFUSED},
	{PLAN_OP_BACKEND_DEL, "Backend deleted.\n", PLAN_DONE},
	{PLAN_OP_BACKEND_DEL, "Only a backend without server can be deleted.\n", PLAN_BUSY},
	{PLAN_OP_BACKEND_DEL, "Backend still has attached streams on it.\n", PLAN_BUSY},
	{PLAN_OP_BACKEND_DEL, "Backend must be unpublished prior to its deletion.\n", PLAN_REFUSED},
	/* Earlier messages come first, and are not mistaken for the answer. */
	{PLAN_OP_BACKEND_DEL, "Server deleted.\nBackend deleted.\n", PLAN_DONE},
	{PLAN_OP_SERVER_DEL,
		"Server b/s is going DOWN for maintenance. 0 active and 0 backup servers "
		"left.\n\nServer deleted.\n\n",
		PLAN_DONE},
	{PLAN_OP_SERVER_DEL, "Server deleted.\nNo such server.\n", PLAN_REFUSED},
	{PLAN_OP_SERVER_ENABLE, "Server deleted.\n", PLAN_REFUSED},
	/* Close is not enough. */
	{PLAN_OP_SERVER_DEL, "Server deleted", PLAN_REFUSED},
	{PLAN_OP_SERVER_DEL, "Server deleted. Not.", PLAN_REFUSED},
	{PLAN_OP_SERVER_DEL, " Server deleted.", PLAN_REFUSED},
	{PLAN_OP_MAP_ADD, " ", PLAN_REFUSED},
	{PLAN_OP_MAP_ADD, "\n\n", PLAN_DONE},
};

/* HAProxy 3.4 repeats what it has noted, 1,024 bytes at most, and then has no room for the answer.
 */
static void test_cut_answers(void **state)
{
	const char *repeated = "Server deleted.\n";
	struct buf answer = BUF_INIT(0);

	(void)state;
	/* 62 times 16 bytes and 17 of the answer leave room; one more doesn't. */
	for (int i = 1; i <= 63; i++) {
		buf_append_str(&answer, repeated);
		enum plan_result wanted = i <= 62 ? PLAN_REFUSED : PLAN_DONE;
		assert_int_equal(
			reply_classify(PLAN_OP_BACKEND_DEL, NULL, buf_str(&answer)), wanted);
	}
	buf_append_str(&answer, "\n");
	assert_int_equal(reply_classify(PLAN_OP_BACKEND_DEL, NULL, buf_str(&answer)), PLAN_DONE);
	assert_int_equal(
		reply_classify(PLAN_OP_BACKEND_UNPUBLISH, NULL, buf_str(&answer)), PLAN_REFUSED);
	buf_fini(&answer);
}

static void test_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		enum plan_result result = reply_classify(samples[i].kind, NAME, samples[i].text);

		if (result != samples[i].result) {
			print_error("%s: %s", plan_ops[samples[i].kind].name, samples[i].text);
		}
		assert_int_equal(result, samples[i].result);
	}
}

static void test_every_operation_can_succeed_and_be_refused(void **state)
{
	bool is_done[PLAN_OP_COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		is_done[samples[i].kind] |= samples[i].result == PLAN_DONE;
	}
	for (int kind = 0; kind < PLAN_OP_COUNT; kind++) {
		assert_true(is_done[kind]);
		assert_int_equal(
			reply_classify((enum plan_op_kind)kind, NULL, "Permission denied\n"),
			PLAN_REFUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_cut_answers),
		cmocka_unit_test(test_every_operation_can_succeed_and_be_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
