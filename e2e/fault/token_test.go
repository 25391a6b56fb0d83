package fault

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"headgate.dev/e2e/harness"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// faultAccount is a service account whose tokens can be made invalid one by one:
// each is bound to a Secret, and dies with it.
type faultAccount struct {
	t    *testing.T
	c    *harness.Cluster
	ns   string
	file string // that holds the token
	made int
}

const faultAccountName = "rotated"

// newFaultAccount makes an account that may do what the controller may.
func newFaultAccount(t *testing.T, c *harness.Cluster) *faultAccount {
	t.Helper()
	a := &faultAccount{t: t, c: c, ns: c.Namespace(t), file: filepath.Join(t.TempDir(), "token")}
	c.Apply(t, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: faultAccountName}})
	c.GrantServiceAccount(t, a.ns, faultAccountName, harness.ControllerRole)
	return a
}

// rotate puts a new token in the place of the old one, as a kubelet does.
func (a *faultAccount) rotate() (token string, secret *corev1.Secret) {
	a.t.Helper()
	ctx := context.Background()
	a.made++
	secret, err := a.c.Client.CoreV1().Secrets(a.ns).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("token-%d", a.made)},
	}, metav1.CreateOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	reply, err := a.c.Client.CoreV1().ServiceAccounts(a.ns).CreateToken(ctx, faultAccountName,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
			BoundObjectRef: &authenticationv1.BoundObjectReference{
				APIVersion: "v1", Kind: "Secret", Name: secret.Name, UID: secret.UID,
			},
		}}, metav1.CreateOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(reply.Status.Token)
	return reply.Status.Token, secret
}

func (a *faultAccount) write(token string) {
	a.t.Helper()
	if err := os.WriteFile(a.file+".new", []byte(token), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(a.file+".new", a.file); err != nil {
		a.t.Fatal(err)
	}
}

// invalidate makes a token invalid and waits until the API server refuses it.
func (a *faultAccount) invalidate(token string, secret *corev1.Secret) {
	a.t.Helper()
	ctx := context.Background()
	if err := a.c.Client.CoreV1().Secrets(a.ns).Delete(ctx, secret.Name, metav1.DeleteOptions{}); err != nil {
		a.t.Fatal(err)
	}
	config := rest.AnonymousClientConfig(a.c.Config)
	config.BearerToken = token
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		a.t.Fatal(err)
	}
	harness.Eventually(a.t, "the old token's end", func() error {
		_, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{Limit: 1})
		if !apierrors.IsUnauthorized(err) {
			return fmt.Errorf("the API server says: %v", err)
		}
		return nil
	})
}

// kubeconfig names the token's file instead of holding a token.
func (a *faultAccount) kubeconfig(t *testing.T, link *faultLink) string {
	t.Helper()
	path := link.kubeconfig(t, a.c.Kubeconfig(t))
	config, err := clientcmd.LoadFromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Token, user.TokenFile = "", a.file
	}
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// A token that was replaced in its file is used for the next request, whether the
// old one had become invalid after that or before it.
func TestFaultTokenRotated(t *testing.T) {
	c := harness.StartCluster(t)
	link := newFaultLink(t, c, "127.0.0.1")
	account := newFaultAccount(t, c)
	old, oldSecret := account.rotate()
	pair := startFaultPair(t, func(t *testing.T) string { return account.kubeconfig(t, link) })
	lists := map[*faultSite]map[string]float64{}
	pair.each(func(s *faultSite) { lists[s] = s.lists() })

	pair.underTraffic(t, func() {
		// In time.
		token, secret := account.rotate()
		account.invalidate(old, oldSecret)
		link.breakAll()
		pair.each(func(s *faultSite) { s.change(s.routes[0], 3) })
		pair.each(func(s *faultSite) { s.arrived(s.routes...) })

		// Too late: for a while, every request is refused.
		account.invalidate(token, secret)
		link.breakAll()
		pair.each(func(s *faultSite) {
			harness.Eventually(t, s.branch+": being refused", func() error {
				if n := s.g.Metrics(t).Sum("rest_client_requests_total", `code="401"`); n < 4 {
					return fmt.Errorf("%v times", n)
				}
				return nil
			})
			s.change(s.routes[0], 2)
			s.serves("refused")
		})
		account.rotate()
		pair.each(func(s *faultSite) {
			s.arrived(s.routes...)
			s.wantNoLists(lists[s])
		})
	})
}
