package harness

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig writes a kubeconfig for AdminUser or HeadgateUser and returns its
// path. Being logged in is all that HeadgateUser may do; see GrantUser.
func (c *Cluster) Kubeconfig(t TB, user string) string {
	t.Helper()
	token, ok := c.tokens[user]
	if !ok {
		t.Fatalf("no user %q: take %s, %s or a service account", user, AdminUser, HeadgateUser)
	}
	return c.kubeconfig(t, user, token)
}

// ServiceAccountKubeconfig writes a kubeconfig for a service account, which it
// makes if needed. The token is one that the API server issued for it, as it
// does for a pod, so the account's own RBAC bindings are what counts.
func (c *Cluster) ServiceAccountKubeconfig(t TB, namespace, name string) string {
	t.Helper()
	ctx, accounts := context.Background(), c.Client.CoreV1().ServiceAccounts(namespace)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := accounts.Create(ctx, account, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("making service account %s/%s: %v", namespace, name, err)
	}
	lifetime := int64(24 * 60 * 60)
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &lifetime}}
	reply, err := accounts.CreateToken(ctx, name, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a token for %s/%s: %v", namespace, name, err)
	}
	return c.kubeconfig(t, name, reply.Status.Token)
}

// GrantUser binds a user to a ClusterRole until the end of the test.
func (c *Cluster) GrantUser(t TB, user, clusterRole string) {
	t.Helper()
	c.grant(t, clusterRole, rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user})
}

// GrantServiceAccount binds a service account to a ClusterRole until the end of
// the test.
func (c *Cluster) GrantServiceAccount(t TB, namespace, name, clusterRole string) {
	t.Helper()
	c.grant(t, clusterRole, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name})
}

func (c *Cluster) grant(t TB, clusterRole string, subject rbacv1.Subject) {
	t.Helper()
	ctx, bindings := context.Background(), c.Client.RbacV1().ClusterRoleBindings()
	binding, err := bindings.Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRole},
		Subjects:   []rbacv1.Subject{subject},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("binding %s to %s: %v", subject.Name, clusterRole, err)
	}
	t.Cleanup(func() {
		if err := bindings.Delete(ctx, binding.Name, metav1.DeleteOptions{}); err != nil {
			t.Logf("removing %s: %v", binding.Name, err)
		}
	})
}

func (c *Cluster) kubeconfig(t TB, user, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), user+".kubeconfig")
	if err := c.writeKubeconfig(path, user, token); err != nil {
		t.Fatalf("writing %s: %v", path, err)
	}
	return path
}

func (c *Cluster) writeKubeconfig(path, user, token string) error {
	const name = "e2e"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{
		Server:                   fmt.Sprintf("https://127.0.0.1:%d", apiServerPort),
		CertificateAuthorityData: c.CA.PEM,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}
