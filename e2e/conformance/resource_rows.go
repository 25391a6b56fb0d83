package conformance

// resourceRows are about the object as a whole: sections "What is Ingress?" to
// "Ingress rules", and the fields of Ingress and IngressSpec.
var resourceRows = []Row{
	{
		Place: "What is Ingress?", Says: "an Ingress leads HTTP from outside to Services inside, by its rules",
		Objects: `
			ingress outside
			  outside.test Prefix / service1:80`,
		Requests: `
			GET http://outside.test/ -> service1
			GET http://outside.test/deep/below?q=1 -> service1`,
	},
	{
		Place: "What is Ingress?", Says: "no arbitrary ports: the port in Host chooses nothing, there is one for HTTP",
		Objects: `
			ingress ports
			  ports.test Prefix / service1:80`,
		Requests: `
			GET http://ports.test:80/ -> service1
			GET http://ports.test:8443/ -> service1
			GET http://ports.test:/ -> service1`,
	},
	{
		Place: "Prerequisites", Says: "an Ingress that no controller is responsible for has no effect",
		Objects: `
			class nobodys example.com/nobody
			ingress alone class=nobodys
			  alone.test Prefix / service1:80`,
		Requests: `
			GET http://alone.test/ -> 404`,
	},
	{
		Place: "The Ingress resource, example", Says: "the smallest one: a path, no host, a Service by port number",
		Objects: `
			ingress minimal-ingress nginx.ingress.kubernetes.io/rewrite-target=/testpath
			  - Prefix /testpath test:80`,
		Requests: `
			GET http://any.test/testpath -> test
			GET http://other.test/testpath/x -> test
			GET http://10.1.2.3/testpath -> test
			GET http://[2001:db8::1]:80/testpath -> test
			GET http://any.test/testpaths -> 404
			GET http://any.test/ -> 404`,
	},
	{
		Place: "The Ingress resource", Says: "needs apiVersion, kind, metadata and spec",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: no-spec`,
		Refused: "either `defaultBackend` or `rules` must be specified",
	},
	{
		Place: "The Ingress resource", Says: "its name is a DNS subdomain name",
		Objects: `
			ingress Capital
			  name.test Prefix / service1:80`,
		Refused: "a lowercase RFC 1123 subdomain",
	},
	{
		Place: "The Ingress resource", Says: "such a name may have dots",
		Objects: `
			ingress name.with.dots
			  dots.test Prefix / service1:80`,
		Requests: `
			GET http://dots.test/ -> service1`,
	},
	{
		Place: "The Ingress resource", Says: "annotations are the controller's business: unknown ones do no harm",
		Objects: `
			ingress annotated example.com/unknown=x nginx.ingress.kubernetes.io/nonsense=}{
			  annotated.test Prefix / service1:80`,
		Requests: `
			GET http://annotated.test/ -> service1`,
	},
	{
		Place: "The Ingress resource", Says: "its rules are matched against all requests: of every method",
		Objects: `
			ingress methods
			  methods.test Prefix / service1:80`,
		Requests: `
			GET http://methods.test/x -> service1
			HEAD http://methods.test/x -> service1
			POST http://methods.test/x -> service1
			PUT http://methods.test/x -> service1
			PATCH http://methods.test/x -> service1
			DELETE http://methods.test/x -> service1
			OPTIONS http://methods.test/x -> service1`,
	},
	{
		Place: "Ingress rules", Says: "a rule with a host is for that host only, one without for all requests",
		Objects: `
			ingress hosts
			  foo.bar.com Prefix /own service1:80
			  - Prefix /all service2:80`,
		Requests: `
			GET http://foo.bar.com/own -> service1
			GET http://elsewhere.test/own -> 404
			GET http://elsewhere.test/all -> service2`,
	},
	{
		Place: "Ingress rules", Says: "both host and path must match",
		Objects: `
			ingress both
			  both.test Exact /a service1:80
			  other.test Exact /b service2:80`,
		Requests: `
			GET http://both.test/a -> service1
			GET http://other.test/b -> service2
			GET http://both.test/b -> 404
			GET http://other.test/a -> 404
			GET http://third.test/a -> 404`,
	},
	{
		Place: "Ingress rules", Says: "the backend's port by number or by name",
		Objects: `
			service named http=80:8080 admin=81:8080
			ingress ports
			  named.test Prefix /name named:http
			  named.test Prefix /number named:80
			  named.test Prefix /admin named:admin
			  named.test Prefix /eightyone named:81`,
		Requests: `
			GET http://named.test/name -> named
			GET http://named.test/number -> named
			GET http://named.test/admin -> named
			GET http://named.test/eightyone -> named`,
	},
	{
		Place: "API Ingress.status", Says: "the state that others write is no wish: a status has no effect on routes",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: with-status
spec:
  ingressClassName: headgate
  rules:
    - host: status.test
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: service1
                port:
                  number: 80`,
		Requests: `
			GET http://status.test/ -> service1`,
	},
	{
		Place: "API IngressRuleValue.http", Says: "paths is required where http is there",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: no-paths
spec:
  rules:
    - host: nopaths.test
      http:
        paths: []`,
		Refused: "spec.rules[0].http.paths: Required value",
	},
	{
		Place: "Updating an Ingress", Says: "a host that is added by editing the object is served; what is there stays",
		Objects: `
			ingress test
			  foo.bar.com Prefix /foo service1:80`,
		Requests: `
			GET http://foo.bar.com/foo -> service1
			GET http://bar.baz.com/foo -> 404`,
		Then: []Step{
			{
				Says: "the host comes",
				Apply: `
					ingress test
					  foo.bar.com Prefix /foo service1:80
					  bar.baz.com Prefix /foo service2:80`,
				Requests: `
					GET http://foo.bar.com/foo -> service1
					GET http://bar.baz.com/foo -> service2`,
			},
			{
				Says: "a path, a type and a Service change",
				Apply: `
					ingress test
					  foo.bar.com Exact /bar service1:80
					  bar.baz.com Prefix /foo service3:80`,
				Requests: `
					GET http://foo.bar.com/foo -> 404
					GET http://foo.bar.com/bar -> service1
					GET http://foo.bar.com/bar/x -> 404
					GET http://bar.baz.com/foo -> service3`,
			},
			{
				Says: "the host goes, and then the object",
				Apply: `
					ingress test
					  foo.bar.com Exact /bar service1:80`,
				Requests: `
					GET http://bar.baz.com/foo -> 404
					GET http://foo.bar.com/bar -> service1`,
			},
			{
				Says:   "the object goes",
				Delete: `ingress test`,
				Requests: `
					GET http://foo.bar.com/bar -> 404`,
			},
		},
	},
}
