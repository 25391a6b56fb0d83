package conformance

// tlsRows are about section "TLS" and the fields of IngressTLS. The authority of
// the tests signs every certificate, and every https request verifies it for the
// name that it asks for.
var tlsRows = []Row{
	{
		Place: "TLS, example", Says: "a Secret's key and certificate secure the host; traffic to the pods is plain",
		Objects: `
			secret testsecret-tls https-example.foo.com
			ingress tls-example-ingress
			  tls testsecret-tls https-example.foo.com
			  https-example.foo.com Prefix / service1:80`,
		Requests: `
			GET https://https-example.foo.com/ -> service1
			GET https://https-example.foo.com/x/y?z -> service1
			POST https://https-example.foo.com/x -> service1
			GET https://https-example.foo.com:443/ -> service1
			GET https://HTTPS-example.foo.com/ -> service1`,
	},
	{
		Place: "TLS", Says: "left open: plain HTTP for such a host; decided: redirected, path and query kept",
		Objects: `
			secret redirect-tls redirect.foo.com
			ingress redirect
			  tls redirect-tls redirect.foo.com
			  redirect.foo.com Prefix / service1:80
			  plain.foo.com Prefix / service2:80`,
		Requests: `
			GET http://redirect.foo.com/ -> 308 https://redirect.foo.com/
			GET http://redirect.foo.com/a/b?c=d -> 308 https://redirect.foo.com/a/b?c=d
			POST http://redirect.foo.com/a -> 308 https://redirect.foo.com/a
			GET https://redirect.foo.com/ -> service1
			GET http://plain.foo.com/ -> service2`,
	},
	{
		Place: "TLS", Says: "several hosts share the port, told apart by SNI",
		Objects: `
			secret one-tls one.foo.com
			secret two-tls two.foo.com
			ingress multiplexed
			  tls one-tls one.foo.com
			  tls two-tls two.foo.com
			  one.foo.com Prefix / service1:80
			  two.foo.com Prefix / service2:80`,
		Requests: `
			GET https://one.foo.com/ -> service1, certificate one.foo.com
			GET https://two.foo.com/ -> service2, certificate two.foo.com`,
	},
	{
		Place: "TLS", Says: "one certificate may be for several hosts, and they may be of several objects",
		Objects: `
			secret both-tls a.both.com b.both.com
			ingress both-a
			  tls both-tls a.both.com
			  a.both.com Prefix / service1:80
			ingress both-b
			  tls both-tls b.both.com
			  b.both.com Prefix / service2:80`,
		Requests: `
			GET https://a.both.com/ -> service1
			GET https://b.both.com/ -> service2`,
	},
	{
		Place: "TLS, note", Says: "hosts of tls match the host of a rule: a wildcard has one of its own",
		Objects: `
			secret wild-tls *.wild.com
			ingress wild
			  tls wild-tls *.wild.com
			  *.wild.com Prefix / service1:80`,
		Requests: `
			GET https://x.wild.com/ -> service1
			GET https://y.wild.com/ -> service1
			GET http://x.wild.com/p -> 308 https://x.wild.com/p`,
	},
	{
		Place: "API IngressTLS.secretName", Says: "SNI chooses the certificate, the Host header the route",
		Objects: `
			secret sni-tls sni.foo.com
			secret host-tls host.foo.com
			ingress conflict
			  tls sni-tls sni.foo.com
			  tls host-tls host.foo.com
			  sni.foo.com Prefix / service1:80
			  host.foo.com Prefix / service2:80`,
		Requests: `
			GET https://host.foo.com/ sni=sni.foo.com -> service2, certificate sni.foo.com
			GET https://sni.foo.com/ sni=host.foo.com -> service1, certificate host.foo.com`,
	},
	{
		Place: "API IngressTLS.hosts", Says: "left open: no hosts; decided: the hosts of the object's rules",
		Objects: `
			secret hostless-tls first.hostless.com second.hostless.com
			ingress hostless
			  tls hostless-tls
			  first.hostless.com Prefix / service1:80
			  second.hostless.com Prefix / service2:80`,
		Requests: `
			GET https://first.hostless.com/ -> service1
			GET https://second.hostless.com/ -> service2`,
	},
	{
		Place: "API IngressTLS.secretName", Says: "the Secret is of the Ingress's own namespace",
		Objects: `
			secret here-tls namespace=elsewhere space.foo.com
			ingress space namespace=elsewhere
			  tls here-tls space.foo.com
			  space.foo.com Prefix / service1:80`,
		Requests: `
			GET https://space.foo.com/ -> elsewhere/service1`,
	},
	{
		Place: "TLS", Says: "a Secret that comes later, and one that is replaced",
		Objects: `
			ingress late
			  tls late-tls late.foo.com
			  late.foo.com Prefix / service1:80`,
		Then: []Step{
			{
				Says: "it comes", Apply: `secret late-tls late.foo.com`,
				Requests: `
					GET https://late.foo.com/ -> service1`,
			},
			{
				Says: "it is replaced", Apply: `secret late-tls late.foo.com also.foo.com`,
				Requests: `
					GET https://late.foo.com/ -> service1, certificate also.foo.com`,
			},
			{
				Says: "tls is removed", Apply: `
					ingress late
					  late.foo.com Prefix / service1:80`,
				Requests: `
					GET http://late.foo.com/ -> service1`,
			},
		},
	},
	{
		Place: "API IngressTLS.hosts", Says: "are names",
		Objects: `
			ingress bad-host
			  tls some-tls bad_host.foo.com
			  bad.foo.com Prefix / service1:80`,
		Refused: "spec.tls[0].hosts[0]: Invalid value",
	},
	{
		Place: "API IngressTLS.secretName", Says: "is a name",
		Objects: `
			ingress bad-secret
			  tls Bad_Secret bad.foo.com
			  bad.foo.com Prefix / service1:80`,
		Refused: "spec.tls[0].secretName: Invalid value",
	},
	{
		Place: "suite: host rules", Says: "over TLS, with the certificate of the host",
		Objects: `
			service foo-bar-com http=80:8080
			secret conformance-tls foo.bar.com
			ingress host-rules
			  tls conformance-tls foo.bar.com
			  *.foo.com Prefix / wildcard-foo-com:8080
			  foo.bar.com Prefix / foo-bar-com:http`,
		Requests: `
			GET https://foo.bar.com -> foo-bar-com, certificate foo.bar.com
			# The suite's client follows redirects.
			GET http://foo.bar.com -> 308 https://foo.bar.com/
			GET http://subdomain.bar.com -> 404
			GET http://bar.foo.com -> wildcard-foo-com
			GET http://baz.bar.foo.com -> 404
			GET http://foo.com -> 404`,
	},
}
