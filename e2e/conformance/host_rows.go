package conformance

// hostRows are about spec.rules[].host: section "Hostname wildcards" and the
// field IngressRule.host.
var hostRows = []Row{
	{
		Place: "Hostname wildcards, table, row 1", Says: "*.foo.com is for bar.foo.com",
		Objects: `
			ingress wildcard
			  *.foo.com Prefix / service1:80`,
		Requests: `
			GET http://bar.foo.com/ -> service1
			GET http://b-a-r.foo.com/x -> service1
			GET http://1.foo.com/ -> service1`,
	},
	{
		Place: "Hostname wildcards, table, row 2", Says: "*.foo.com is not for baz.bar.foo.com: one label only",
		Objects: `
			ingress wildcard
			  *.foo.com Prefix / service1:80`,
		Requests: `
			GET http://baz.bar.foo.com/ -> 404
			GET http://a.baz.bar.foo.com/ -> 404`,
	},
	{
		Place: "Hostname wildcards, table, row 3", Says: "*.foo.com is not for foo.com: one label at least",
		Objects: `
			ingress wildcard
			  *.foo.com Prefix / service1:80`,
		Requests: `
			GET http://foo.com/ -> 404
			GET http://.foo.com/ -> 404
			GET http://xfoo.com/ -> 404`,
	},
	{
		Place: "Hostname wildcards, example", Says: "a precise host and a wildcard in one object, each with its path",
		Objects: `
			ingress ingress-wildcard-host
			  foo.bar.com Prefix /bar service1:80
			  *.foo.com Prefix /foo service2:80`,
		Requests: `
			GET http://foo.bar.com/bar -> service1
			GET http://foo.bar.com/foo -> 404
			GET http://x.foo.com/foo -> service2
			GET http://x.foo.com/bar -> 404`,
	},
	{
		Place: "API IngressRule.host", Says: "a precise host equals the Host header",
		Objects: `
			ingress precise
			  precise.test Prefix / service1:80`,
		Requests: `
			GET http://precise.test/ -> service1
			GET http://xprecise.test/ -> 404
			GET http://precise.test.evil/ -> 404
			GET http://www.precise.test/ -> 404
			GET http://precise/ -> 404`,
	},
	{
		Place: "API IngressRule.host", Says: "as RFC 3986 defines a host: upper and lower case are the same",
		Objects: `
			ingress letters
			  letters.test Prefix / service1:80
			  *.letters.test Prefix / service2:80`,
		Requests: `
			GET http://LETTERS.test/ -> service1
			GET http://Letters.Test/ -> service1
			GET http://WWW.LETTERS.TEST/ -> service2`,
	},
	{
		Place: "API IngressRule.host", Says: "the ':' and a port are not of the host",
		Objects: `
			ingress port
			  port.test Prefix / service1:80
			  *.port.test Prefix / service2:80`,
		Requests: `
			GET http://port.test:80/ -> service1
			GET http://port.test:8080/ -> service1
			GET http://www.port.test:8080/ -> service2`,
	},
	{
		Place: "API IngressRule.host", Says: "a name without the terminating dot stands for the one with it",
		Objects: `
			ingress dot
			  dot.test Prefix / service1:80
			  *.dot.test Prefix / service2:80`,
		Requests: `
			GET http://dot.test./ -> service1
			GET http://dot.test.:80/ -> service1
			GET http://www.dot.test./ -> service2`,
	},
	{
		Place: "API IngressRule.host", Says: "precise before wildcard, whatever the order of the rules",
		Objects: `
			ingress order
			  *.order.test Prefix / service1:80
			  www.order.test Prefix / service2:80`,
		Requests: `
			GET http://www.order.test/ -> service2
			GET http://other.order.test/ -> service1`,
	},
	{
		Place: "API IngressRule.host", Says: "the host is matched first: a precise host's gaps aren't filled by the wildcard",
		Objects: `
			ingress gaps
			  *.gaps.test Prefix / service1:80
			  www.gaps.test Prefix /shop service2:80
			  - Prefix / service3:80`,
		Requests: `
			GET http://www.gaps.test/shop -> service2
			GET http://www.gaps.test/ -> 404
			GET http://x.gaps.test/ -> service1
			GET http://elsewhere.test/ -> service3
			GET http://a.b.gaps.test/ -> service3`,
	},
	{
		Place: "API IngressRule.host", Says: "without a host, all traffic",
		Objects: `
			ingress hostless
			  - Prefix / service1:80`,
		Requests: `
			GET http://anything.test/ -> service1
			GET http://192.0.2.1/ -> service1
			GET http://192.0.2.1:8080/ -> service1
			GET http://[2001:db8::1]/ -> service1
			GET http://under_score.test/ -> service1
			GET http://x/ host= -> service1
			GET http://x/ version=1.0 -> service1`,
	},
	{
		Place: "API IngressRule.host", Says: "a client that sends a wildcard as its host gets what any unknown host gets",
		Objects: `
			ingress star
			  *.star.test Prefix / service1:80
			  star.test Prefix / service2:80`,
		Requests: `
			GET http://*.star.test/ -> 404
			GET http://*/ -> 404`,
	},
	{
		Place: "API IngressRule.host", Says: "what is no host name is no host that a rule names (and a bad request to some HAProxy)",
		Objects: `
			ingress odd
			  odd.test Prefix / service1:80`,
		Requests: `
			GET http://odd.test../ -> 404|400
			GET http://odd..test/ -> 404|400
			GET http://user@odd.test/ -> 404|400
			GET http://odd.test@elsewhere.test/ -> 404|400
			GET http://odd.test,elsewhere.test/ -> 404|400`,
	},
	{
		Place: "API IngressRule.host", Says: "the absolute form of a target names the host (RFC 9112, 3.2.2)",
		Objects: `
			ingress absolute
			  absolute.test Prefix /x service1:80`,
		Requests: `
			GET http://absolute.test/ target=http://absolute.test/x -> service1
			GET http://absolute.test/ target=http://absolute.test/x/y?q -> service1
			GET http://absolute.test/ target=http://absolute.test/z -> 404`,
	},
	{
		Place: "API IngressRule.host", Says: "no IP addresses",
		Objects: `
			ingress address
			  192.0.2.1 Prefix / service1:80`,
		Refused: "must be a DNS name, not an IP address",
	},
	{
		Place: "API IngressRule.host", Says: "no port",
		Objects: `
			ingress with-port
			  port.test:80 Prefix / service1:80`,
		Refused: "a lowercase RFC 1123 subdomain",
	},
	{
		Place: "API IngressRule.host", Says: "no terminating dot",
		Objects: `
			ingress with-dot
			  dot.test. Prefix / service1:80`,
		Refused: "a lowercase RFC 1123 subdomain",
	},
	{
		Place: "API IngressRule.host", Says: "no wildcard by itself",
		Objects: `
			ingress only-star
			  * Prefix / service1:80`,
		Refused: "a wildcard DNS-1123 subdomain",
	},
	{
		Place: "API IngressRule.host", Says: "a wildcard is the first label",
		Objects: `
			ingress inner-star
			  www.*.foo.com Prefix / service1:80`,
		Refused: "a wildcard DNS-1123 subdomain",
	},
	{
		Place: "API IngressRule.host", Says: "a wildcard is a whole label",
		Objects: `
			ingress half-star
			  w*.foo.com Prefix / service1:80`,
		Refused: "a wildcard DNS-1123 subdomain",
	},
	{
		Place: "API IngressRule.host", Says: "one wildcard only",
		Objects: `
			ingress two-stars
			  *.*.foo.com Prefix / service1:80`,
		Refused: "a wildcard DNS-1123 subdomain",
	},
	{
		Place: "API IngressSpec.rules", Says: "one host in several rules and several objects: all their paths",
		Objects: `
			ingress shared-a
			  shared.test Prefix /a service1:80
			ingress shared-b
			  shared.test Prefix /b service2:80
			ingress shared-c namespace=elsewhere
			  shared.test Prefix /c service3:80`,
		Requests: `
			GET http://shared.test/a -> service1
			GET http://shared.test/b -> service2
			GET http://shared.test/c -> elsewhere/service3
			GET http://shared.test/ -> 404`,
	},
	{
		Place: "API IngressSpec.rules", Says: "left open: two objects for one host and path; decided: the older one wins, then the name",
		Objects: `
			ingress claim-b
			  claim.test Prefix / service1:80`,
		Requests: `
			GET http://claim.test/ -> service1`,
		Then: []Step{
			{
				Says: "a younger one has to wait, though its name comes first", Younger: true,
				Apply: `
					ingress claim-a
					  claim.test Prefix / service2:80
					  claim.test Prefix /other service2:80`,
				Requests: `
					GET http://claim.test/ -> service1
					GET http://claim.test/other -> service2`,
			},
			{
				Says: "it takes over when the older one goes", Delete: `ingress claim-b`,
				Requests: `
					GET http://claim.test/ -> service2
					GET http://claim.test/other -> service2`,
			},
		},
	},
}
