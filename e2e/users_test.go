package e2e

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"headgate.dev/e2e/harness"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Hashes of "secret" and of "a:b".
const (
	hashSecret = "$2y$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6"
	hashApr1   = "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"
	hashAB     = "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="
)

func (s *routeScene) usersSecret(name string, users map[string]string) *corev1.Secret {
	return harness.Secret(s.ns, name, users)
}

func basicHeader(credentials string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))}}
}

// wantUser waits until a user and a password ("" is none) get this status.
func (s *routeScene) wantUser(host, credentials string, status int) {
	s.t.Helper()
	harness.Eventually(s.t, fmt.Sprintf("%s: %s for %q", s.branch, host, credentials), func() error {
		request, err := http.NewRequest(http.MethodGet, "http://"+host+"/", nil)
		if err != nil {
			return err
		}
		if credentials != "" {
			request.Header = basicHeader(credentials)
		}
		answer, err := harness.Do(s.g.HTTP, request)
		if err == nil && answer.Status != status {
			err = fmt.Errorf("status %d, want %d", answer.Status, status)
		}
		return err
	})
}

// wantRealm waits until strangers are told this realm.
func (s *routeScene) wantRealm(host, realm string) {
	s.t.Helper()
	harness.Eventually(s.t, s.branch+": "+host+" is "+realm, func() error {
		answer, err := harness.Get(s.g.HTTP, host, "/")
		want := fmt.Sprintf(`Basic realm=%q, charset="UTF-8"`, realm)
		if err == nil && answer.Header.Get("WWW-Authenticate") != want {
			err = fmt.Errorf("WWW-Authenticate is %q", answer.Header.Get("WWW-Authenticate"))
		}
		return err
	})
}

// TestUsers has users come, change and go: in their Secret, with another Secret,
// without a controller and without a Secret. One of them never notices.
func TestUsers(t *testing.T) {
	eachRouteBranch(t, func(t *testing.T, branch string) {
		s := newRouteScene(t, branch)
		s.serve("web", 1)
		// Others' Secrets, which are none of the controller's business.
		for i := range 10 {
			foreign := s.usersSecret(fmt.Sprintf("foreign-%d", i), nil)
			foreign.Data = map[string][]byte{"x": bytes.Repeat([]byte("x"), 500_000)}
			s.c.Apply(t, foreign)
		}
		first := s.usersSecret("first", map[string]string{"joe": hashSecret, "ann": hashApr1})
		s.c.Apply(t, first)
		ingress := func(secret, realm string) runtime.Object {
			return s.ingress("users", harness.Rule("users.test", "/", "web:80"),
				harness.Annotation("haproxy.org/auth-type", "basic-auth"),
				harness.Annotation("haproxy.org/auth-secret", secret),
				harness.Annotation("haproxy.org/auth-realm", realm))
		}
		s.c.Apply(t, ingress("first", "A"))
		s.start()
		s.wantUser("users.test", "joe:secret", http.StatusOK)
		s.wantUser("users.test", "ann:secret", http.StatusOK)
		s.wantUser("users.test", "", http.StatusUnauthorized)
		joe := harness.StartProber(t, harness.Traffic{Addr: s.g.HTTP, Clients: 2, Next: func(int, int) harness.Route {
			return harness.Route{Host: "users.test", Path: "/", Header: basicHeader("joe:secret")}
		}})
		s.costs(0, "users", func() {
			s.c.Apply(t, s.usersSecret("first", map[string]string{"joe": hashSecret, "ann": hashAB, "auth": "j\u00f6:" + hashAB}))
			s.wantUser("users.test", "ann:a:b", http.StatusOK)
			s.wantUser("users.test", "ann:secret", http.StatusUnauthorized)
			s.wantUser("users.test", "j\u00f6:a:b", http.StatusOK)
			s.c.Apply(t, s.usersSecret("second", map[string]string{"joe": hashSecret, "bob": hashSecret}), ingress("second", "B"))
			s.wantRealm("users.test", "B")
			// Only now is it remembered: before, the controller's users were not those that HAProxy knew.
			s.wantUser("users.test", "bob:secret", http.StatusOK)
			s.wantUser("users.test", "ann:a:b", http.StatusUnauthorized)
		})
		// Without the controller those that are known come in, and nobody else.
		s.g.Kill()
		joe.Await(t, 20)
		s.wantUser("users.test", "bob:secret", http.StatusOK)
		s.wantUser("users.test", "bob:wrong", http.StatusServiceUnavailable)
		s.g.Start(t, append(routeFlags(t, branch), "--kubeconfig="+s.c.Kubeconfig(t),
			"--controller-name="+s.controllerName(), "--audit-interval=1s")...)
		s.g.WaitReady(t)
		s.wantUser("users.test", "bob:wrong", http.StatusUnauthorized)
		joe.Await(t, 20)
		if summary := joe.Stop(); summary.Failures > 0 {
			t.Errorf("who is a user all the time: %v", summary)
		}
		// No Secret, no users.
		second := s.usersSecret("second", map[string]string{"bob": hashSecret})
		s.costs(0, "no users", func() {
			s.c.Delete(t, second)
			s.wantUser("users.test", "bob:secret", http.StatusForbidden)
			s.wantUser("users.test", "", http.StatusForbidden)
			s.c.Apply(t, second)
			s.wantUser("users.test", "bob:secret", http.StatusOK)
			s.wantUser("users.test", "joe:secret", http.StatusUnauthorized)
			s.c.Apply(t, ingress("away/second", "B"))
			s.wantUser("users.test", "bob:secret", http.StatusForbidden)
		})
		s.healthy()
	})
}
