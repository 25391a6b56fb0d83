package command

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What becomes of a directory of manifests as teams have them, with each
// verdict; the expected file is read by people.
func TestCheckDirectory(t *testing.T) {
	out, errs, status := headgate(t, "", "check", "--output=wide",
		"--configmap=haproxy-controller/haproxy-kubernetes-ingress", "--configmap-errorfiles=haproxy-controller/pages",
		"--configmap-patternfiles=haproxy-controller/patterns", "--configmap-tcp-services=haproxy-controller/tcp", "testdata/check")
	if status != 1 || errs != "" {
		t.Errorf("exit status %d, %q", status, errs)
	}
	wantFile(t, "testdata/check.txt", out)
}

func TestCheckJSON(t *testing.T) {
	out, _, status := headgate(t, "", "check", "--output=json", "testdata/check")
	var result struct {
		Objects []struct {
			Kind, Namespace, Name, Verdict string
			Items                          []struct{ Field, Verdict, Reason string }
		}
		Applied, Ignored, Refused int
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	counts := map[string]int{}
	for _, object := range result.Objects {
		worst := "applied"
		for _, item := range object.Items {
			counts[item.Verdict]++
			if item.Verdict == "refused" || item.Verdict == "ignored" && worst == "applied" {
				worst = item.Verdict
			}
			if (item.Reason == "") != (item.Verdict == "applied") {
				t.Errorf("%s/%s %s: %s, reason %q", object.Namespace, object.Name, item.Field, item.Verdict, item.Reason)
			}
		}
		if object.Verdict != worst {
			t.Errorf("%s/%s is %s, its items %s", object.Namespace, object.Name, object.Verdict, worst)
		}
	}
	if counts["applied"] != result.Applied || counts["ignored"] != result.Ignored || counts["refused"] != result.Refused {
		t.Errorf("%d applied, %d ignored, %d refused, but %v", result.Applied, result.Ignored, result.Refused, counts)
	}
	if status != 1 || len(result.Objects) < 20 {
		t.Errorf("exit status %d, %d objects", status, len(result.Objects))
	}
}

const plainIngress = `{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: web, namespace: shop%s},
spec: {ingressClassName: haproxy, defaultBackend: {service: {name: web, port: {number: 80}}}}}
`

// The exit statuses that --help promises.
func TestCheckStatus(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte("kind: {{ .Values.kind }}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	annotated := func(text string) string {
		return strings.Replace(plainIngress, "%s", ", annotations: {"+text+"}", 1)
	}
	rows := []struct {
		name      string
		stdin     string
		arguments []string
		status    int
		out, errs string
	}{
		{"nothing", "", nil, 2, "", "no file is named"},
		{"unknown option", "", []string{"--bogus", "-"}, 2, "", "--bogus"},
		{"unknown format", "", []string{"--output=xml", "-"}, 2, "", "use table, wide or json"},
		{"half a name", "", []string{"--configmap=own", "-"}, 2, "", "use NAMESPACE/NAME"},
		{"half a name of pages", "", []string{"--configmap-errorfiles=/own", "-"}, 2, "", "--configmap-errorfiles is '/own': use NAMESPACE/NAME"},
		{"a file of patterns that may be in the cluster", annotated("haproxy.org/allow-list: patterns/office"),
			[]string{"--configmap-patternfiles=infra/patterns", "-"}, 0, "1 applied, 0 ignored, 0 refused", ""},
		{"TLS that the operator doesn't let through", annotated("haproxy.org/ssl-passthrough: 'true'"), []string{"-"}, 1,
			"PassthroughRefused: TLS connections pass through with the controller's flag --enable-ssl-passthrough only", ""},
		{"TLS that passes through", annotated("haproxy.org/ssl-passthrough: 'true'"), []string{"--enable-ssl-passthrough", "-"}, 0, "1 applied, 0 ignored, 0 refused", ""},
		{"what only requests have", annotated("haproxy.org/ssl-passthrough: 'true', haproxy.org/set-host: a.test"), []string{"--enable-ssl-passthrough", "-"}, 1,
			"PlainHTTPOnly: TLS connections pass through, so these hold for plain HTTP only: set-host", ""},
		{"a question to somebody who doesn't say that one may ask", annotated("headgate.dev/auth-url: 'http://judge.other.svc/'") +
			"\n---\napiVersion: v1\nkind: Service\nmetadata: {name: judge, namespace: other}\nspec: {ports: [{port: 80}]}\n", []string{"-"}, 1,
			"AnnotationRefused: names Service other/judge of another namespace", ""},
		{"missing file", "", []string{"testdata/none.yaml"}, 2, "", "testdata/none.yaml: No such file"},
		{"no manifest in a directory", "", []string{t.TempDir()}, 2, "", "there is no *.yaml"},
		{"a template", "", []string{broken}, 2, "0 objects", "broken.yaml: line 1"},
		{"a template beside a good file", annotated(""), []string{broken, "-"}, 2, "Ingress shop/web", "broken.yaml"},
		{"plain", annotated(""), []string{"-"}, 0, "1 objects: 0 applied", ""},
		{"applied", annotated("haproxy.org/ssl-redirect: 'true'"), []string{"-"}, 0, "1 applied, 0 ignored, 0 refused", ""},
		{"ignored", annotated("haproxy.org/server-slots: '5'"), []string{"-"}, 0, "0 applied, 1 ignored, 0 refused", ""},
		{"refused", annotated("haproxy.org/frontend-config-snippet: 'x'"), []string{"-"}, 1, "never taken", ""},
		{"of another class", annotated("haproxy.org/frontend-config-snippet: 'x'"), []string{"--ingress-class=other", "-"}, 0,
			"not the class that is asked for", ""},
		{"help", "", []string{"--help"}, 0, "Exit status: 0", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			out, errs, status := headgate(t, row.stdin, append([]string{"check"}, row.arguments...)...)
			if status != row.status || !strings.Contains(out, row.out) || !strings.Contains(errs, row.errs) ||
				(row.errs == "") != (errs == "") {
				t.Errorf("exit status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// Whatever bytes an annotation has, a verdict is one line.
func TestCheckHostileValue(t *testing.T) {
	out, _, status := headgate(t, strings.Replace(plainIngress, "%s",
		`, annotations: {headgate.dev/ssl-redirect: "a\nRefused\e[31m\u0000b"}`, 1), "check", "-")
	if status != 1 || strings.Count(out, "\n") != 2 || strings.ContainsAny(out, "\x1b\x00\x01") {
		t.Errorf("exit status %d: %q", status, out)
	}
}
