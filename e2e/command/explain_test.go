package command

import (
	"fmt"
	"strings"
	"testing"
)

// What is said of requests, in the order in which they are asked; the expected
// file is read by people.
func TestExplain(t *testing.T) {
	rows := []struct {
		url     string
		class   string
		status  int
		headers []string
	}{
		{"https://shop.example.com/cart?item=1", "", 0, nil},
		{"http://SHOP.example.com.:8080/", "", 0, nil},
		{"https://shop.example.com/", "other", 0, nil},
		{"http://shop.example.com/exact", "headgate", 0, nil},
		{"http://shop.example.com/exact/more", "headgate", 0, nil},
		{"http://shop.example.com/gone/x", "headgate", 0, nil},
		{"http://blog.example.com/only/x", "", 0, nil},
		{"http://blog.example.com/other", "", 1, nil},
		{"http://a.blog.example.com/only", "", 1, nil},
		{"http://localhost", "", 1, nil},
		{"http://[2001:db8::1]:80/", "", 1, nil},
		{"http://shop.example.com/EXACT", "headgate", 0, nil},
		{"http://127.0.0.1:8080/users/1", "", 0, []string{"host: admin.example.com", "X-Real-IP: 203.0.113.9, 192.0.2.7"}},
		{"http://admin.example.com/users", "", 0, []string{"x-real-ip: 192.0.2.66"}},
		{"http://admin.example.com/Users", "", 0, []string{"X-Real-IP: 2001:db8:1::1"}},
		{"http://admin.example.com/Users/", "", 1, []string{"X-Real-IP: 2001:db9::1"}},
		{"http://admin.example.com/users/", "", 0, []string{"X-Real-IP: 10.0.0.1"}},
		{"http://admin.example.com/users/", "", 0, []string{"X-Real-IP: nobody"}},
		{"http://admim.example.com/", "", 1, nil},
		{"http://next.example.com/", "", 0, nil},
		{"http://next.example.com/", "", 0, []string{"X-Side: always"}},
		{"http://next.example.com/debug/x?y=z", "", 0, []string{"X-Side: never"}},
		{"http://next.example.com/debugger", "", 0, []string{"X-Side: perhaps"}},
		{"http://later.example.com/", "", 0, nil},
	}
	var text strings.Builder
	for _, row := range rows {
		arguments := []string{"explain", row.url, "testdata/explain.yaml"}
		if row.class != "" {
			arguments = append([]string{"explain", "--ingress-class=" + row.class}, arguments[1:]...)
		}
		for _, header := range row.headers {
			arguments = append([]string{"explain", "--header=" + header}, arguments[1:]...)
		}
		out, errs, status := headgate(t, "", arguments...)
		if status != row.status || errs != "" {
			t.Errorf("%s: exit status %d, %q", row.url, status, errs)
		}
		fmt.Fprintf(&text, "$ headgate %s\n%s\n", strings.Join(arguments, " "), out)
	}
	wantFile(t, "testdata/explain.txt", text.String())
}

// TLS that passes through is asked by no path, plain HTTP for the same host is.
func TestExplainPassthrough(t *testing.T) {
	const passes = "TLS connections for tls.example.com pass through"
	rows := []struct {
		flag, url, says, saysNot string
	}{
		{"--enable-ssl-passthrough", "https://TLS.example.com/x", passes, "path      /x"},
		{"--enable-ssl-passthrough", "http://tls.example.com/x", "path      /x", passes},
		{"--ingress-class=haproxy", "https://tls.example.com/x", "path      /x", passes},
	}
	for _, row := range rows {
		out, errs, status := headgate(t, "", "explain", row.flag, row.url, "testdata/check/snippets.yaml")
		if status != 0 || errs != "" || !strings.Contains(out, row.says) || strings.Contains(out, row.saysNot) {
			t.Errorf("%v: exit status %d, %q\n%s", row, status, errs, out)
		}
	}
}

// What the operator's ConfigMaps say holds where they are named, and only there.
func TestExplainConfigMaps(t *testing.T) {
	const all = "--configmap=infra/own --configmap-errorfiles=infra/pages --configmap-patternfiles=infra/patterns"
	const lacks = "'patterns/office', and there is no such file"
	rows := []struct{ flags, client, says, saysNot string }{
		{all, "192.0.2.7", "option    timeout-server: 5000 (of a ConfigMap)", lacks},
		{all, "192.0.2.7", "option    deny-list is 'patterns/bad', and there is no such file", lacks},
		{"--configmap-patternfiles=infra/patterns", "192.0.2.7", "client    is in allow-list\n", "deny-list"},
		{"--configmap-patternfiles=infra/patterns", "198.51.100.1", "client    is not in allow-list: 403\n", "deny-list"},
		{"--ingress-class=headgate", "192.0.2.7", "option    allow-list is " + lacks, "timeout-server"},
	}
	for _, row := range rows {
		arguments := append([]string{"explain"}, strings.Fields(row.flags)...)
		out, errs, status := headgate(t, "", append(arguments, "--header=X-Real-IP: "+row.client, "http://office.example.com/", "testdata/maps.yaml")...)
		if status != 0 || errs != "" || !strings.Contains(out, row.says) || strings.Contains(out, row.saysNot) {
			t.Errorf("%v: exit status %d, %q\n%s", row, status, errs, out)
		}
	}
}

func TestExplainStatus(t *testing.T) {
	rows := []struct {
		arguments []string
		status    int
		errs      string
	}{
		{nil, 2, "a URL and a file are needed"},
		{[]string{"http://a.test/"}, 2, "a URL and a file are needed"},
		{[]string{"a.test/x", "testdata/explain.yaml"}, 2, "'a.test/x' is no URL"},
		{[]string{"http:///x", "testdata/explain.yaml"}, 2, "is no URL"},
		{[]string{"http://a.test/", "testdata/none.yaml"}, 2, "No such file"},
		{[]string{"--bogus", "http://a.test/", "testdata/explain.yaml"}, 2, "--bogus"},
		{[]string{"--header=Host", "http://a.test/", "testdata/explain.yaml"}, 2, "write NAME: VALUE"},
		{[]string{"--header=: x", "http://a.test/", "testdata/explain.yaml"}, 2, "write NAME: VALUE"},
		{[]string{"--configmap=own", "http://a.test/", "testdata/explain.yaml"}, 2, "--configmap is 'own': use NAMESPACE/NAME"},
		{[]string{"--help"}, 0, ""},
	}
	for _, row := range rows {
		_, errs, status := headgate(t, "", append([]string{"explain"}, row.arguments...)...)
		if status != row.status || !strings.Contains(errs, row.errs) || (row.errs == "") != (errs == "") {
			t.Errorf("%q: exit status %d, %q", row.arguments, status, errs)
		}
	}
}
