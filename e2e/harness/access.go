package harness

import (
	"context"
	"fmt"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// What deploy/rbac/headgate.yaml calls the controller's service account, its
// namespace and its roles.
const (
	ControllerNamespace = "headgate"
	ControllerAccount   = "headgate"
	ControllerRole      = "headgate"
	rbacFile            = "deploy/rbac/headgate.yaml"
)

// Kubeconfig writes a kubeconfig for the controller and returns its path. It
// logs in as the service account of deploy/, with the roles of deploy/: a verb
// that is missing there fails tests here.
func (c *Cluster) Kubeconfig(t TB) string {
	t.Helper()
	c.grantController(t)
	return c.ServiceAccountKubeconfig(t, ControllerNamespace, ControllerAccount)
}

// GrantController gives the controller in a namespace what it has in its own, as
// somebody does who keeps its settings or its Lease there.
func (c *Cluster) GrantController(t TB, namespace string) {
	t.Helper()
	for _, object := range readManifests(t, rbacPath(t)) {
		if kind := object.GetKind(); kind == "Role" || kind == "RoleBinding" {
			object.SetNamespace(namespace)
			c.Apply(t, object)
		}
	}
	c.awaitAccess(t, authorizationv1.ResourceAttributes{Namespace: namespace, Resource: "configmaps", Verb: "watch"})
}

// AdminKubeconfig is for whoever may do everything, which no controller may.
func (c *Cluster) AdminKubeconfig(t TB) string {
	t.Helper()
	return c.kubeconfig(t, adminUser, c.tokens[adminUser])
}

func rbacPath(t TB) string {
	t.Helper()
	return filepath.Join(Root(t), rbacFile)
}

// grantController applies deploy/'s roles, once a run. The API server learns of
// them a moment later.
func (c *Cluster) grantController(t TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.granted {
		return
	}
	c.ApplyFile(t, rbacPath(t))
	c.awaitAccess(t, authorizationv1.ResourceAttributes{Resource: "services", Verb: "watch"})
	c.awaitAccess(t, authorizationv1.ResourceAttributes{
		Namespace: ControllerNamespace, Resource: "configmaps", Verb: "watch",
	})
	c.granted = true
}

// awaitAccess waits until the controller may do something.
func (c *Cluster) awaitAccess(t TB, attributes authorizationv1.ResourceAttributes) {
	t.Helper()
	user := fmt.Sprintf("system:serviceaccount:%s:%s", ControllerNamespace, ControllerAccount)
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user, ResourceAttributes: &attributes,
	}}
	Eventually(t, "the controller's access", func() error {
		reply, err := c.Client.AuthorizationV1().SubjectAccessReviews().
			Create(context.Background(), review, metav1.CreateOptions{})
		if err == nil && !reply.Status.Allowed {
			err = fmt.Errorf("%s may not %s %s: %s", user, attributes.Verb, attributes.Resource, reply.Status.Reason)
		}
		return err
	})
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

// GrantServiceAccount binds a service account to a ClusterRole (ControllerRole, or
// one that the test has made) until the end of the test.
func (c *Cluster) GrantServiceAccount(t TB, namespace, name, clusterRole string) {
	t.Helper()
	if clusterRole == ControllerRole {
		c.grantController(t)
	}
	subject := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
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
		Server:                   fmt.Sprintf("https://127.0.0.1:%d", APIServerPort),
		CertificateAuthorityData: c.CA.PEM,
	}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: user}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, path)
}
