package apistub

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// ask sends a request that may have a body; the status is 0 when nothing came back.
func (c *client) ask(method, path, body string) (status int, text string) {
	c.t.Helper()
	request, err := http.NewRequest(method, c.stub.URL+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+DefaultToken)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	read, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(read)
}

// TestWriting goes through what may be written, in order, and what may not.
func TestWriting(t *testing.T) {
	const (
		leases = "/apis/coordination.k8s.io/v1/namespaces/x/leases"
		status = "/apis/networking.k8s.io/v1/namespaces/x/ingresses/a/status"
		events = "/apis/events.k8s.io/v1/namespaces/x/events"
	)
	c := newClient(t)
	c.stub.Put(t, harness.Ingress("x", "a", harness.Rule("a.example", "/", "web:80")))
	for _, row := range []struct {
		method, path, body string
		status             int
		says               string // part of the answer
	}{
		{http.MethodGet, leases + "/l", "", 404, "NotFound"},
		{http.MethodPost, leases, `{"kind":"Lease","metadata":{"name":"l"},"spec":{"holderIdentity":"me","n":1}}`, 201, `"resourceVersion":"90019"`},
		{http.MethodPost, leases, `{"kind":"Lease","metadata":{"name":"l"}}`, 409, "AlreadyExists"},
		{http.MethodPost, leases, `{"kind":"Service","metadata":{"name":"l"}}`, 422, "Invalid"},
		{http.MethodPatch, leases + "/l", `{"metadata":{"resourceVersion":"1"},"spec":{"n":2}}`, 409, "Conflict"},
		{http.MethodPatch, leases + "/l", `{"metadata":{"resourceVersion":"90019"},"spec":{"n":2}}`, 200, `"spec":{"holderIdentity":"me","n":2}`},
		{http.MethodPatch, leases + "/l", `{"spec":{"n":null}}`, 200, `"spec":{"holderIdentity":"me"}`},
		{http.MethodGet, leases + "/l", "", 200, `"resourceVersion":"90021"`},
		{http.MethodPatch, status, `{"spec":{"rules":null},"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, 200, `"host":"a.example"`},
		{http.MethodPatch, status, `{"status":{"loadBalancer":{"ingress":[{"ip":"192.0.2.1"}]}}}`, 200, `"resourceVersion":"90022"`},
		{http.MethodPost, events, `{"kind":"Event","metadata":{"name":"e"}}`, 201, `"uid":`},
		{http.MethodPatch, leases + "/l", `{`, 400, "BadRequest"},
		{http.MethodPatch, strings.TrimSuffix(status, "/status"), `{}`, 404, ""},
		{http.MethodPost, "/api/v1/namespaces/x/services", `{}`, 404, ""},
		{http.MethodDelete, leases + "/l", "", 404, ""},
	} {
		if have, text := c.ask(row.method, row.path, row.body); have != row.status || !strings.Contains(text, row.says) {
			t.Errorf("%s %s %s: %d %s, want %d and %q", row.method, row.path, row.body, have, text, row.status, row.says)
		}
	}
	if n := len(c.stub.Strangers()); n != 3 {
		t.Errorf("%d strangers, want 3", n)
	}
	for i, isCarried := range []bool{false, true} {
		c.stub.Inject(Fault{Kind: Event, Verb: Create, Hangup: true, Carried: isCarried})
		if have, _ := c.ask(http.MethodPost, events, `{"kind":"Event","metadata":{"name":"f"}}`); have != 0 {
			t.Errorf("status %d after a hangup", have)
		}
		if n := c.stub.Versions(Event, "x", "f"); n != i {
			t.Errorf("carried out %v: %d versions, want %d", isCarried, n, i)
		}
	}
	if c.stub.Faults() != 0 {
		t.Errorf("%d faults are left", c.stub.Faults())
	}
}
