/*
 * Where the API server is and who we are: from a kubeconfig file, or from the files that Kubernetes
 * mounts into a pod.
 *
 * Source: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
 * https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/. Of kubeconfig we read:
 * current-context, clusters (server, certificate-authority, certificate-authority-data,
 * tls-server-name), users (token, tokenFile, client-certificate, client-certificate-data,
 * client-key, client-key-data), contexts. As in kubectl, *-data wins over its file and tokenFile
 * wins over token. What would change who we are or whom we trust and isn't supported is refused
 * with a remedy, never skipped: exec, auth-provider, username, password, impersonation (as*),
 * proxy-url, insecure-skip-tls-verify.
 *
 * `http://` is accepted for a loopback host only (kubectl proxy, tests): a token never crosses a
 * network in the clear.
 */
#ifndef HG_KUBE_CONFIG_H
#define HG_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

/* At most one of each `x_file` and `x` is set. Secrets are wiped on free. */
struct kube_config {
	char *server; /* "https://10.0.0.1:6443", no slash at the end */
	char *tls_server_name;
	char *ca_file;		/* PEM */
	char *ca_pem;		/* PEM text */
	char *token_file;	/* re-read whenever it may have changed */
	char *token;		/* no blanks, no control characters */
	char *client_cert_file; /* PEM */
	char *client_cert_pem;
	char *client_key_file;
	char *client_key_pem;
	char *source; /* file name or "in-cluster", for messages */
};

/*
 * Reads a kubeconfig; errors name the file and the entry. Relative paths in it are relative to its
 * folder. Files that it names are not opened here.
 */
struct kube_config *kube_config_load(const char *path, struct err *err) MUST_USE;

/* The same from text; `path` is for messages and relative paths. */
struct kube_config *kube_config_parse(
	const char *text, size_t len, const char *path, struct err *err) MUST_USE;

/*
 * In a pod: KUBERNETES_SERVICE_HOST and _PORT, and token and ca.crt in `directory` (NULL = the
 * standard /var/run/secrets/kubernetes.io/serviceaccount). The token is a file that rotates.
 */
struct kube_config *kube_config_in_cluster(const char *directory, struct err *err) MUST_USE;

void kube_config_free(struct kube_config *config);

#endif
