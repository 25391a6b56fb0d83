/* Kubeconfig files and the files of a pod: what is understood, and what is refused with which
 * words. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/config.h"

/* "-----BEGIN X-----\n" */
#define PEM64 "LS0tLS1CRUdJTiBYLS0tLS0K"
#define PEM   "-----BEGIN X-----\n"

#define HEAD                                                                                       \
	"apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n"                         \
	"- name: other\n  context: {cluster: no, user: no}\n"                                      \
	"- name: here\n  context:\n    cluster: c1\n    user: u1\n    namespace: ignored\n"

/* A whole kubeconfig from the bodies of its cluster and its user. */
static char *kubeconfig(const char *cluster, const char *user)
{
	return xasprintf(HEAD
		"clusters:\n- name: c1\n  cluster: {%s}\nusers:\n- name: u1\n  user: {%s}\n",
		cluster, user);
}

static struct kube_config *parse(const char *cluster, const char *user, struct err *err)
{
	char *text = kubeconfig(cluster, user);
	struct kube_config *config =
		kube_config_parse(text, strlen(text), "/etc/headgate/kubeconfig", err);

	free(text);
	return config;
}

static void test_every_field(void **state)
{
	struct err err = {0};
	struct kube_config *config = parse(
		"server: \"https://api.example:6443/\", tls-server-name: api.internal, "
		"certificate-authority: ca.pem, insecure-skip-tls-verify: false, proxy-url: \"\"",
		"token: abc.def, client-certificate: /abs/cert.pem, client-key: keys/key.pem, "
		"exec: null",
		&err);

	(void)state;
	assert_non_null(config);
	assert_string_equal(config->server, "https://api.example:6443");
	assert_string_equal(config->tls_server_name, "api.internal");
	assert_string_equal(config->ca_file, "/etc/headgate/ca.pem");
	assert_null(config->ca_pem);
	assert_string_equal(config->token, "abc.def");
	assert_null(config->token_file);
	assert_string_equal(config->client_cert_file, "/abs/cert.pem");
	assert_string_equal(config->client_key_file, "/etc/headgate/keys/key.pem");
	assert_null(config->client_cert_pem);
	assert_null(config->client_key_pem);
	assert_string_equal(config->source, "/etc/headgate/kubeconfig");
	kube_config_free(config);
}

static void test_inline_data_wins_over_files(void **state)
{
	struct err err = {0};
	struct kube_config *config = parse("server: \"https://a\", certificate-authority: f, "
					   "certificate-authority-data: " PEM64,
		"token: t, tokenFile: tok, client-certificate: f, client-key: f, "
		"client-certificate-data: " PEM64 ", client-key-data: " PEM64,
		&err);

	(void)state;
	assert_non_null(config);
	assert_string_equal(config->ca_pem, PEM);
	assert_string_equal(config->client_cert_pem, PEM);
	assert_string_equal(config->client_key_pem, PEM);
	assert_string_equal(config->token_file, "/etc/headgate/tok");
	assert_null(config->ca_file);
	assert_null(config->client_cert_file);
	assert_null(config->client_key_file);
	assert_null(config->token);
	kube_config_free(config);
}

/* Base64 of every length modulo 3, folded over lines, and with no padding where none is due. */
static void test_base64(void **state)
{
	static const struct {
		const char *base64;
		const char *text;
	} cases[] = {
		{"LS0tLS1CRUdJTiBYLS0tLS0K", PEM}, {"LS0tLS1CRUdJTiBYLS0tLS0KYQ==", PEM "a"},
		{"LS0tLS1CRUdJTiBYLS0tLS0KYWI=", PEM "ab"},
		{"\"LS0tLS1C\\nRUdJ TiBY\\r\\nLS0tLS0K\\n\"", PEM},
		{"LS0tLS1CRUdJTiBYLS0tLS0K/+", NULL}, {"LS0tLS1CRUdJTiBYLS0tLS0KYQ=", NULL},
		{"LS0tLS1CRUdJTiBYLS0tLS0KYQ===", NULL}, {"LS0tLS1CRUdJTiBYLS0tLS0KY===", NULL},
		{"LS0tLS1CRUdJTiBYLS0tLS0KYQ==YQ==", NULL}, {"LS0tLS1CRUdJTiBYLS0tLS0KA-_A", NULL},
		{"LS0tLS1CRUdJTiBYLS0tLS0KAAAA", NULL}, /* NUL bytes */
		{"aGVsbG8K", NULL},			/* not PEM */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		char *cluster = xasprintf(
			"server: \"https://a\", certificate-authority-data: %s", cases[i].base64);
		struct kube_config *config = parse(cluster, "token: t", &err);
		if (cases[i].text != NULL) {
			assert_non_null(config);
			assert_string_equal(config->ca_pem, cases[i].text);
		} else {
			assert_null(config);
			assert_int_equal(err.kind, ERR_INPUT);
			assert_non_null(strstr(err.text, "certificate-authority-data"));
		}
		kube_config_free(config);
		free(cluster);
	}
}

static void test_refused_fields(void **state)
{
	static const struct {
		const char *cluster;
		const char *user;
		const char *words; /* in the error */
	} cases[] = {
		{"server: \"https://a\"", "exec: {command: aws}", "kubectl create token"},
		{"server: \"https://a\"", "auth-provider: {name: gcp}", "kubectl create token"},
		{"server: \"https://a\"", "username: u", "username is not supported"},
		{"server: \"https://a\"", "password: secret", "password is not supported"},
		{"server: \"https://a\"", "token: t, as: admin", "as is not supported"},
		{"server: \"https://a\", insecure-skip-tls-verify: true", "token: t",
			"certificate-authority-data"},
		{"server: \"https://a\", proxy-url: \"http://p\"", "token: t", "proxy-url"},
		{"tls-server-name: x", "token: t", "no server"},
		{"server: [a]", "token: t", "server: not a text"},
		{"server: \"https://a\"", "client-certificate: f", "client-key"},
		{"server: \"https://a\"", "client-key: f", "client-certificate"},
		{"server: \"https://a\"", "token: \"a\\r\\nX-Evil: 1\"", "token"},
		{"server: \"https://a\"", "token: \"a\\0b\"", "token: not a text"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		assert_null(parse(cases[i].cluster, cases[i].user, &err));
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_non_null(strstr(err.text, "/etc/headgate/kubeconfig"));
		assert_null(strstr(err.text, "X-Evil"));
		assert_null(strstr(err.text, "secret"));
	}
}

static void test_server_urls(void **state)
{
	static const struct {
		const char *server;
		const char *taken; /* NULL = refused */
	} cases[] = {
		{"https://10.0.0.1:6443", "https://10.0.0.1:6443"},
		{"https://[fd00::1]:6443/", "https://[fd00::1]:6443"},
		{"https://rancher.example/k8s/clusters/c-1//",
			"https://rancher.example/k8s/clusters/c-1"},
		{"http://127.0.0.1:8001", "http://127.0.0.1:8001"},
		{"http://127.9.9.9:1", "http://127.9.9.9:1"},
		{"http://localhost:8001", "http://localhost:8001"},
		{"http://[::1]:8001", "http://[::1]:8001"},
		{"http://10.0.0.1:8001", NULL},
		{"http://127.0.0.1.evil.example", NULL},
		{"http://localhost.evil.example", NULL},
		{"http://localhost@evil.example", NULL},
		{"10.0.0.1:6443", NULL},
		{"ftp://10.0.0.1", NULL},
		{"file:///etc/passwd", NULL},
		{"https://user:secret@a", NULL},
		{"https://a?x=y", NULL},
		{"https://a#x", NULL},
		{"https://a b", NULL},
		{"https://", NULL},
		{"/", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		char *cluster = xasprintf("server: \"%s\"", cases[i].server);
		struct kube_config *config = parse(cluster, "token: t", &err);
		if (cases[i].taken != NULL) {
			assert_non_null(config);
			assert_string_equal(config->server, cases[i].taken);
		} else {
			assert_null(config);
			assert_int_equal(err.kind, ERR_INPUT);
			assert_non_null(strstr(err.text, "server"));
			assert_null(strstr(err.text, "secret"));
		}
		kube_config_free(config);
		free(cluster);
	}
}

static void test_broken_files(void **state)
{
	static const struct {
		const char *text;
		const char *words;
	} cases[] = {
		{"", "no mapping"},
		{"just words\n", "no mapping"},
		{"- a\n", "no mapping"},
		{"a: 1\nb:\n\t- x\n", "line 3"},
		{"a: 1\nb: [1, 2\nc: 3\n", "line 3"},
		{"a: *nowhere\n", "line 1"},
		{"a: \"x\n", "line"},
		{"a: \xff\xfe\n", "byte"},
		{"kind: Config\n", "current-context is not set"},
		{"current-context: \"\"\n", "kubectl config use-context"},
		{"current-context: x\n", "contexts: no entry is called \"x\""},
		{"current-context: x\ncontexts: [{name: y, context: {}}, 3, [x]]\n", "\"x\""},
		{"current-context: x\ncontexts: [{name: x}]\n", "has no context"},
		{"current-context: x\ncontexts: [{name: x, context: {user: u}}]\n",
			"cluster is not set"},
		{"current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n",
			"user is not set"},
		{"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n",
			"clusters: no entry"},
		{"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		 "clusters: [{name: c, cluster: {server: \"https://a\"}}]\nusers: null\n",
			"users: no entry"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {0};
		assert_null(kube_config_parse(cases[i].text, strlen(cases[i].text), "kc", &err));
		assert_int_equal(err.kind, ERR_INPUT);
		assert_non_null(strstr(err.text, cases[i].words));
		assert_non_null(strstr(err.text, "kubeconfig kc"));
	}
}

/* Aliases are references, not copies: a small file can't become a large one. */
static void test_alias_bomb_is_harmless(void **state)
{
	struct err err = {0};
	struct buf text = {0};

	(void)state;
	buf_append_str(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 40; i++) {
		buf_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1, i - 1,
			i - 1, i - 1, i - 1);
	}
	assert_null(kube_config_parse(buf_str(&text), text.len, "kc", &err));
	assert_non_null(strstr(err.text, "current-context"));
	buf_fini(&text);
}

static char *make_directory(void)
{
	char *directory = xstrdup("/tmp/headgate-config-XXXXXX");

	assert_non_null(mkdtemp(directory));
	return directory;
}

static char *write_file(const char *directory, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", directory, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	return path;
}

static void remove_file(char *path)
{
	assert_int_equal(unlink(path), 0);
	free(path);
}

static void test_load_file(void **state)
{
	struct err err = {0};
	char *directory = make_directory();
	char *text = kubeconfig(
		"server: \"https://a\", certificate-authority: ca.crt", "tokenFile: ./t");
	char *path = write_file(directory, "kubeconfig", text);
	char *ca_path = xasprintf("%s/ca.crt", directory);
	struct kube_config *config = kube_config_load(path, &err);

	(void)state;
	assert_non_null(config);
	assert_string_equal(config->ca_file, ca_path);
	kube_config_free(config);
	free(ca_path);
	free(text);
	remove_file(path);

	path = write_file(directory, "empty", "");
	assert_null(kube_config_load(path, &err));
	assert_non_null(strstr(err.text, "empty"));
	remove_file(path);

	assert_null(kube_config_load(directory, &err));
	assert_non_null(strstr(err.text, "not a plain file"));
	assert_null(kube_config_load("/nowhere/kubeconfig", &err));
	assert_non_null(strstr(err.text, "/nowhere/kubeconfig"));
	assert_int_equal(rmdir(directory), 0);
	free(directory);
}

static void test_in_cluster(void **state)
{
	struct err err = {0};
	char *directory = make_directory();
	char *token = write_file(directory, "token", "abc\n");

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	assert_null(kube_config_in_cluster(directory, &err));
	assert_non_null(strstr(err.text, "--kubeconfig"));

	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_null(kube_config_in_cluster(directory, &err));
	assert_non_null(strstr(err.text, "ca.crt"));

	char *ca = write_file(directory, "ca.crt", PEM);
	struct kube_config *config = kube_config_in_cluster(directory, &err);
	assert_non_null(config);
	assert_string_equal(config->server, "https://[fd00::1]:443");
	assert_string_equal(config->token_file, token);
	assert_string_equal(config->ca_file, ca);
	assert_string_equal(config->source, "in-cluster");
	kube_config_free(config);

	setenv("KUBERNETES_SERVICE_HOST", "bad host", 1);
	assert_null(kube_config_in_cluster(directory, &err));
	remove_file(token);
	remove_file(ca);
	assert_int_equal(rmdir(directory), 0);
	free(directory);
	kube_config_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_inline_data_wins_over_files),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_refused_fields),
		cmocka_unit_test(test_server_urls),
		cmocka_unit_test(test_broken_files),
		cmocka_unit_test(test_alias_bomb_is_harmless),
		cmocka_unit_test(test_load_file),
		cmocka_unit_test(test_in_cluster),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
