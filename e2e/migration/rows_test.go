package migration

// row is a request and what answers it: "STATUS Service", or for a redirect
// "STATUS Location".
type row struct {
	set     string // of testdata
	request string // "[METHOD] URL"
	header  [2]string
	see     string // a header of the answer, or with "> " before it, of what the pod got; what it says is behind the answer
	there   string // as haproxytech's controller is documented to answer
	here    string // "" = the same
	// why is the row of docs/migration.md that says so, where it differs.
	why string
}

var noHeader [2]string

const (
	client    = "127.0.0.1"
	redirects = "redirect to HTTPS"
)

var rows = []row{
	{"plain", "http://shop.example.com/", noHeader, "", "200 storefront", "", ""},
	{"plain", "http://shop.example.com/some/page?q=1", noHeader, "", "200 storefront", "", ""},
	{"plain", "http://SHOP.example.com:8080/", noHeader, "", "200 storefront", "", ""},
	{"plain", "http://shop.example.com/api", noHeader, "", "200 api", "", ""},
	{"plain", "http://shop.example.com/api/", noHeader, "", "200 api", "", ""},
	{"plain", "http://shop.example.com/api/v1/items", noHeader, "", "200 api", "", ""},
	{"plain", "http://shop.example.com/apis", noHeader, "", "200 storefront", "", ""},
	{"plain", "http://shop.example.com/reports/2026", noHeader, "", "503", "", ""},
	{"plain", "http://de.shop.example.com/", noHeader, "", "200 storefront", "", ""},
	{"plain", "http://www.de.shop.example.com/", noHeader, "", "404", "", ""},
	{"plain", "http://example.com/", noHeader, "", "404", "", ""},
	{"plain", "http://admin.example.com/users/1", noHeader, "", "200 api", "", ""},
	{"plain", "http://admin.example.com/userscript", noHeader, "", "404", "", ""},
	{"plain", "http://admin.example.com/status", noHeader, "", "200 api", "", ""},
	{"plain", "http://admin.example.com/status/", noHeader, "", "404", "", ""},
	{"plain", "http://admin.example.com/", noHeader, "", "404", "", ""},
	{"plain", "http://admin.example.com/legacy/a", noHeader, "", "200 api", "", ""},
	{"plain", "http://admin.example.com/legacy-app", noHeader, "", "200 api", "404", "`ImplementationSpecific`"},
	{"plain", "http://admin.example.com/billing", noHeader, "", "404", "503", "a rule whose Service or port doesn't exist"},
	{"plain", "http://shop.example.com/", [2]string{"X-Forwarded-For", "192.0.2.1"}, "> X-Forwarded-For",
		"200 storefront 192.0.2.1, " + client, "200 storefront " + client, "X-Forwarded-For"},

	{"tls", "https://www.example.org/", noHeader, "", "200 web", "", ""},
	{"tls", "https://www.example.org/", noHeader, "> X-Forwarded-Proto", "200 web https", "", ""},
	{"tls", "http://www.example.org/a?b=c", noHeader, "", "302 https://www.example.org:8443/a?b=c", "308 https://www.example.org/a?b=c", redirects},
	{"tls", "http://both.example.org/", noHeader, "", "200 web", "", ""},
	{"tls", "https://both.example.org/", noHeader, "", "200 web", "", ""},
	{"tls", "http://permanent.example.org/a", noHeader, "", "301 https://permanent.example.org:8443/a", "", ""},
	{"tls", "https://permanent.example.org/a", noHeader, "", "200 web", "", ""},
	{"tls", "http://example.org/a?b=c", noHeader, "", "301 https://www.example.org/a?b=c", "", ""},

	{"annotations", "http://internal.example.net/", noHeader, "", "403", "", ""},
	{"annotations", "http://error.example.net/", noHeader, "", "200 app", "403", "a bad `allow-list`, `deny-list` or `auth-*`"},
	{"annotations", "http://public.example.net/", noHeader, "", "200 app", "", ""},
	{"annotations", "http://public.example.net/", noHeader, "> X-Team", "200 app storefront", "", ""},
	{"annotations", "http://public.example.net/", noHeader, "> X-Env", "200 app production", "", ""},
	{"annotations", "http://public.example.net/", noHeader, "Strict-Transport-Security", "200 app max-age=31536000", "", ""},
	{"annotations", "http://public.example.net/", noHeader, "Access-Control-Allow-Origin", "200 app", "", ""},
	{"annotations", "http://public.example.net/", [2]string{"Origin", "https://app.example.net"}, "Access-Control-Allow-Origin", "200 app https://app.example.net", "", ""},
	{"annotations", "http://public.example.net/", [2]string{"Origin", "https://app.example.net"}, "Access-Control-Allow-Methods", "200 app GET, POST", "", ""},
	{"annotations", "http://public.example.net/", [2]string{"Origin", "https://app.example.net"}, "Access-Control-Max-Age", "200 app 60", "", ""},
	{"annotations", "http://public.example.net/", [2]string{"Origin", "https://example.net"}, "Access-Control-Allow-Origin", "200 app", "", ""},
	{"annotations", "OPTIONS http://public.example.net/", [2]string{"Origin", "https://app.example.net"}, "Access-Control-Allow-Origin", "204 https://app.example.net", "", ""},
	{"annotations", "http://rewritten.example.net/v1/items?a=b", noHeader, "uri", "200 app /items?a=b", "", ""},
	{"annotations", "http://rewritten.example.net/v1/items", noHeader, "host", "200 app app.internal", "", ""},
	{"annotations", "http://limited.example.net/", noHeader, "", "200 app", "", ""},
	{"annotations", "http://limited.example.net/", noHeader, "", "200 app", "", ""},
	{"annotations", "http://limited.example.net/", noHeader, "", "429", "", ""},
	{"annotations", "http://session.example.net/", noHeader, "Set-Cookie name", "200 session SESSIONPOD", "", ""},
	{"annotations", "http://special.example.net/", noHeader, "X-Snippet", "200 app yes", "200 app", "configuration snippets, `route-acl`, custom resources"},
}
