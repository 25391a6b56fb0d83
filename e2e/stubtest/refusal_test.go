package stubtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// wantNoneWithin checks that a request was not followed by another one sooner
// than it may be. It is a lower bound: a slow machine can't break it.
func wantNoneWithin(t *testing.T, requests []apistub.Request, from int, window time.Duration) {
	t.Helper()
	for _, later := range requests[from+1:] {
		if gap := later.At.Sub(requests[from].At); gap < window {
			t.Errorf("request %d came back after %v, want no request within %v", from, gap, window)
		}
	}
}

// One kind is told to wait: it does, and the others go on.
func TestRetryAfterIsHonoured(t *testing.T) {
	r := start(t, 2)
	const seconds = 4 // longer than the backoff would be
	r.stub.Fail(apistub.Ingress, apistub.Watch, 429, seconds, 1)
	r.stub.CloseWatches(apistub.Ingress)
	r.awaitRequests(apistub.Ingress, apistub.Watch, 1)
	r.replacePods(r.routes[0], r.put)
	requests := r.awaitRequests(apistub.Ingress, apistub.Watch, 2)
	wantNoneWithin(t, requests, 0, seconds*time.Second)
	r.awaitWatches()
	r.fence()
	r.wantLists(0, watched...)
	r.wantTouched(r.routes[0].name)
	r.end()
}

// 500s are answered with ever longer waits, and end in the right state.
func TestServerErrorsBackOff(t *testing.T) {
	r := start(t, 2)
	r.stub.Fail(apistub.Service, apistub.List, 500, 0, -1)
	r.stub.ExpireWatches(true)
	gone := 800 * time.Millisecond // the wait before the first list, doubled for each that fails
	requests := r.awaitRequests(apistub.Service, apistub.List, 3)
	wantNoneWithin(t, requests, 0, 2*gone)
	wantNoneWithin(t, requests, 1, 4*gone)
	r.stub.Heal()
	r.awaitWatches()
	r.fence()
	r.wantLists(4, apistub.Service)
	r.wantTouched()
	r.end()
}

// One kind is forbidden: that one stands still, and the log says what is missing.
func TestForbiddenKindNamesItsVerb(t *testing.T) {
	r := start(t, 2)
	from := len(r.h.Log())
	r.stub.Fail(apistub.EndpointSlice, "", 403, 0, -1)
	r.stub.CloseWatches(apistub.EndpointSlice)
	r.awaitRequests(apistub.EndpointSlice, apistub.Watch, 1)
	line, _ := r.h.WaitLog(t, from, "level=warn", "kind=EndpointSlice")
	for _, part := range []string{"watch", "endpointslices.discovery.k8s.io", "403"} {
		if !strings.Contains(line.Fields["error"], part) {
			t.Errorf("the log doesn't say %q: %s", part, line.Raw)
		}
	}
	// A new host for a Service whose endpoints are known works all the same.
	r.stub.Put(t, harness.Ingress(namespace, "second", harness.Class(className),
		harness.Rule("second.example", "/", r.routes[0].name+":80")))
	harness.WantPod(t, r.h.HTTP, "second.example", "/", r.routes[0].ips...)

	r.changePods(r.routes[1], r.put) // unseen for now
	r.stub.Heal()
	r.awaitPods(r.routes[1])
	r.fence()
	r.wantLists(0, watched...)
	r.wantTouched(r.routes[1].name, "second")
	r.end()
}

// A kind is forbidden from the beginning: not ready, the log says why, and it
// heals by itself.
func TestForbiddenAtStart(t *testing.T) {
	r := prepare(t, 1)
	r.stub.Fail(apistub.Ingress, apistub.List, 403, 0, -1)
	r.h.Start(t, "--kubeconfig="+r.stub.Kubeconfig(t), "--runtime-socket="+r.cli.Socket,
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--haproxy="+harness.HAProxyPath(t, haproxyBranch))
	line, _ := r.h.WaitLog(t, 0, "level=warn", "kind=Ingress")
	if !strings.Contains(line.Fields["error"], "list ingresses.networking.k8s.io: 403") {
		t.Errorf("the log doesn't name verb and resource: %s", line.Raw)
	}
	answer, err := harness.Get(r.h.Admin, r.h.Admin, "/readyz")
	if err != nil || answer.Status != 503 {
		t.Errorf("ready without Ingresses: %d, %v", answer.Status, err)
	}
	if writes := r.cli.Writes(); len(writes) != 0 {
		t.Errorf("HAProxy was told %q on partial knowledge", writes)
	}
	r.stub.Heal()
	r.h.WaitReady(t)
	r.awaitPods(r.routes[0])
}

// A token that is replaced in its file is taken up, without a failure.
func TestTokenFileIsReadAgain(t *testing.T) {
	r := prepare(t, 2)
	file := filepath.Join(t.TempDir(), "token")
	write := func(token string) {
		if err := os.WriteFile(file+".new", []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	write(apistub.DefaultToken)
	r.run("--kubeconfig=" + r.stub.KubeconfigWith(t, &clientcmdapi.AuthInfo{TokenFile: file}))
	for n := range 2 {
		token := fmt.Sprintf("token-%d", n)
		r.stub.SetToken(token)
		write(token)
		r.stub.CloseWatches("")
		r.changePods(r.routes[0], r.put)
		r.awaitWatches()
		r.awaitPods(r.routes[0])
	}
	r.fence()
	r.wantLists(0, watched...)
	r.wantTouched(r.routes[0].name)
	r.end()
}

// A wrong token at the start, with nothing to keep alive, ends the controller
// rather than leaving it to wait for ever.
func TestWrongTokenEndsAFreshController(t *testing.T) {
	r := prepare(t, 1)
	r.h.Start(t, "--kubeconfig="+r.stub.KubeconfigWith(t, &clientcmdapi.AuthInfo{Token: "wrong"}),
		"--config-dir="+filepath.Join(harness.Root(t), "haproxy-cfg"), "--haproxy="+harness.HAProxyPath(t, haproxyBranch))
	harness.Eventually(t, "the controller giving up", func() error {
		if r.h.Running() {
			return fmt.Errorf("it still runs, after %d requests", r.stub.Count("", ""))
		}
		return nil
	})
	if status := r.h.Stop(t); status == 0 {
		t.Errorf("exit status 0")
	}
	for _, request := range r.stub.Requests() {
		if request.Status != 401 {
			t.Errorf("a wrong token was good for %+v", request)
		}
	}
	for _, line := range r.h.Log() {
		if strings.Contains(line.Raw, "wrong") && strings.Contains(line.Raw, "Bearer") {
			t.Errorf("the token is in the log: %s", line.Raw)
		}
	}
}
