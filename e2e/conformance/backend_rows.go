package conformance

// backendRows are about IngressServiceBackend and ServiceBackendPort, and section
// "Load balancing": what answers when a route has been found.
var backendRows = []Row{
	{
		Place: "API IngressServiceBackend.name", Says: "the Service is of the Ingress's own namespace",
		Objects: `
			ingress here
			  here.test Prefix / same:80
			ingress there namespace=elsewhere
			  there.test Prefix / same:80`,
		Requests: `
			GET http://here.test/ -> same
			GET http://there.test/ -> elsewhere/same`,
	},
	{
		Place: "API IngressServiceBackend.name", Says: "the Service must exist; without it 503, and it heals by itself",
		Objects: `
			ingress missing
			  missing.test Prefix / missing-later:80
			  missing.test Prefix /good service1:80`,
		Requests: `
			GET http://missing.test/ -> 503
			GET http://missing.test/good -> service1`,
		Then: []Step{
			{
				Says: "the Service comes", Apply: `service missing-later 80:8080`,
				Requests: `
					GET http://missing.test/ -> missing-later`,
			},
			{
				Says: "and goes", Delete: `service missing-later 80:8080`,
				Requests: `
					GET http://missing.test/ -> 503
					GET http://missing.test/good -> service1`,
			},
		},
	},
	{
		Place: "API IngressServiceBackend.name", Says: "of another namespace is no such Service",
		Objects: `
			service missing-here 80:8080
			ingress across namespace=elsewhere
			  across.test Prefix / missing-here:80`,
		Requests: `
			GET http://across.test/ -> 503`,
	},
	{
		Place: "API IngressServiceBackend.name", Says: "is required",
		Objects: `
			ingress nameless
			  nameless.test Prefix / :80`,
		Refused: "service.name: Required value",
	},
	{
		Place: "API IngressServiceBackend.port", Says: "a name or a number is required",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: no-port
spec:
  defaultBackend:
    service:
      name: service1`,
		Refused: "port name or number is required",
	},
	{
		Place: "API ServiceBackendPort", Says: "name and number exclude each other",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: two-ports
spec:
  defaultBackend:
    service:
      name: service1
      port:
        name: http
        number: 80`,
		Refused: "cannot set both port name & port number",
	},
	{
		Place: "API ServiceBackendPort.name", Says: "is that of the Service's port",
		Objects: `
			service ported web=8000:8080
			ingress by-name
			  byname.test Prefix / ported:web
			  byname.test Prefix /absent ported:absent`,
		Requests: `
			GET http://byname.test/ -> ported
			GET http://byname.test/absent -> 503`,
	},
	{
		Place: "API ServiceBackendPort.number", Says: "is that of the Service's port, not of the pods'",
		Objects: `
			service ported web=8000:8080
			ingress by-number
			  bynumber.test Prefix / ported:8000
			  bynumber.test Prefix /target ported:8080`,
		Requests: `
			GET http://bynumber.test/ -> ported
			GET http://bynumber.test/target -> 503`,
		Then: []Step{{
			Says: "the port comes", Apply: `service ported web=8000:8080 other=8080:8080`,
			Requests: `
				GET http://bynumber.test/ -> ported
				GET http://bynumber.test/target -> ported`,
		}},
	},
	{
		Place: "API ServiceBackendPort.number", Says: "is a port",
		Objects: `
			ingress huge
			  huge.test Prefix / service1:70000`,
		Refused: "must be between 1 and 65535",
	},
	{
		Place: "Load balancing", Says: "requests are spread over the pods of the Service",
		Objects: `
			ingress spread
			  spread.test Prefix / spread-5:80`,
		Requests: `
			25 x GET http://spread.test/ -> spread-5, every pod`,
	},
	{
		Place: "Load balancing", Says: "readiness is what health checks are: without a ready pod 503",
		Objects: `
			service empty-none 80:8080
			ingress empty
			  empty.test Prefix / empty-none:80`,
		Requests: `
			GET http://empty.test/ -> 503
			GET http://empty.test/x -> 503`,
	},
}

// typeRows are section "Types of Ingress".
var typeRows = []Row{
	{
		Place: "Ingress backed by a single Service", Says: "a default backend and no rules",
		Objects: `
			ingress test-ingress
			  default test:80`,
		Requests: `
			GET http://whatever.test/ -> test
			GET http://203.0.113.123/some/path -> test`,
	},
	{
		Place: "Simple fanout, example", Says: "one address, several Services, by path",
		Objects: `
			ingress simple-fanout-example
			  foo.bar.com Prefix /foo service1:4200
			  foo.bar.com Prefix /bar service2:8080`,
		Requests: `
			GET http://foo.bar.com/foo -> service1
			GET http://foo.bar.com/foo/x -> service1
			GET http://foo.bar.com/bar -> service2
			GET http://foo.bar.com/ -> 404
			GET http://foo.bar.com/baz -> 404`,
	},
	{
		Place: "Simple fanout", Says: "as long as the Services exist",
		Objects: `
			ingress fanout
			  foo.bar.com Prefix /foo service1:4200
			  foo.bar.com Prefix /bar missing-service2:8080`,
		Requests: `
			GET http://foo.bar.com/foo -> service1
			GET http://foo.bar.com/bar -> 503`,
	},
	{
		Place: "Name based virtual hosting, example 1", Says: "several names at one address",
		Objects: `
			ingress name-virtual-host-ingress
			  foo.bar.com Prefix / service1:80
			  bar.foo.com Prefix / service2:80`,
		Requests: `
			GET http://foo.bar.com/ -> service1
			GET http://bar.foo.com/ -> service2
			GET http://other.bar.com/ -> 404`,
	},
	{
		Place: "Name based virtual hosting", Says: "without hosts in the rules, any request to the address",
		Objects: `
			ingress nameless
			  - Prefix / service1:80`,
		Requests: `
			GET http://anything.test/ -> service1
			GET http://198.51.100.9/ -> service1`,
	},
	{
		Place: "Name based virtual hosting, example 2", Says: "two names, and a third Service for every other one",
		Objects: `
			ingress name-virtual-host-ingress-no-third-host
			  first.bar.com Prefix / service1:80
			  second.bar.com Prefix / service2:80
			  - Prefix / service3:80`,
		Requests: `
			GET http://first.bar.com/ -> service1
			GET http://second.bar.com/ -> service2
			GET http://third.bar.com/ -> service3
			GET http://x/ version=1.0 -> service3
			GET http://x/ host= -> service3`,
	},
}

// suiteRows are the scenarios of kubernetes-sigs/ingress-controller-conformance,
// by feature.
var suiteRows = []Row{
	{
		Place: "suite: default backend", Says: "no rules: every method, host and path goes to the default backend",
		Objects: `
			ingress default-backend
			  default echo-service:8080`,
		Requests: `
			GET http://my-host/ -> echo-service, headers Content-Length Content-Type Date Server
			GET http://my-host/sub-path -> echo-service, headers Content-Length Content-Type Date Server
			POST http://some-host/ -> echo-service, headers Content-Length Content-Type Date Server
			PUT http://x/resource host= -> echo-service, headers Content-Length Content-Type Date Server
			DELETE http://some-host/resource -> echo-service, headers Content-Length Content-Type Date Server
			PATCH http://my-host/resource -> echo-service, headers Content-Length Content-Type Date Server`,
	},
	{
		Place: "suite: host rules", Says: "precise and wildcard hosts, ports by number and by name",
		Objects: `
			service foo-bar-com http=80:8080
			ingress host-rules
			  *.foo.com Prefix / wildcard-foo-com:8080
			  foo.bar.com Prefix / foo-bar-com:http`,
		Requests: `
			GET http://foo.bar.com -> foo-bar-com
			GET http://subdomain.bar.com -> 404
			GET http://bar.foo.com -> wildcard-foo-com
			GET http://baz.bar.foo.com -> 404
			GET http://foo.com -> 404`,
	},
	{
		Place: "suite: ingress class", Says: "a class that doesn't exist",
		Objects: `
			ingress test-ingress-class class=some-invalid-class-name
			  ingress-class Prefix / ingress-class-prefix:8080`,
		Requests: `
			GET http://ingress-class/ -> 404`,
	},
	{
		Place: "suite: load balancing", Says: "100 requests reach all of 10 pods",
		Objects: `
			ingress load-balancing
			  default echo-10:8080`,
		Requests: `
			100 x GET http://load-balancing -> echo-10, every pod`,
	},
	{
		Place: "suite: path rules", Says: "exact, prefix, mixed, and slashes at the end",
		Objects: `
			ingress path-rules
			  exact-path-rules Exact /foo foo-exact:8080
			  prefix-path-rules Prefix /foo foo-prefix:8080
			  prefix-path-rules Prefix /aaa/bbb aaa-slash-bbb-prefix:8080
			  prefix-path-rules Prefix /aaa aaa-prefix:8080
			  mixed-path-rules Prefix /foo foo-prefix:8080
			  mixed-path-rules Exact /foo foo-exact:8080
			  trailing-slash-path-rules Prefix /aaa/bbb/ aaa-slash-bbb-slash-prefix:8080
			  trailing-slash-path-rules Exact /foo/ foo-slash-exact:8080`,
		Requests: `
			GET http://exact-path-rules/foo -> foo-exact
			GET http://exact-path-rules/foo/ -> 404
			GET http://exact-path-rules/FOO -> 404
			GET http://exact-path-rules/bar -> 404
			GET http://prefix-path-rules/foo -> foo-prefix
			GET http://prefix-path-rules/foo/ -> foo-prefix
			GET http://prefix-path-rules/FOO -> 404
			GET http://prefix-path-rules/aaa/bbb -> aaa-slash-bbb-prefix
			GET http://prefix-path-rules/aaa/bbb/ccc -> aaa-slash-bbb-prefix
			GET http://prefix-path-rules/aaa/ccc -> aaa-prefix
			GET http://prefix-path-rules/aaaccc -> 404
			GET http://mixed-path-rules/foo -> foo-exact
			GET http://mixed-path-rules/foo/ -> foo-prefix
			GET http://trailing-slash-path-rules/aaa/bbb -> aaa-slash-bbb-slash-prefix
			GET http://trailing-slash-path-rules/aaa/bbb/ -> aaa-slash-bbb-slash-prefix
			GET http://trailing-slash-path-rules/foo -> 404`,
	},
}
