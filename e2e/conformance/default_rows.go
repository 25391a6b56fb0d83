package conformance

// defaultRows are about sections "DefaultBackend" and "Resource backends", and
// the field IngressSpec.defaultBackend.
var defaultRows = []Row{
	{
		Place: "DefaultBackend", Says: "an Ingress without rules sends everything to its default backend",
		Objects: `
			ingress everything
			  default service1:80`,
		Requests: `
			GET http://any.test/ -> service1
			GET http://any.test/x/y?z -> service1
			POST http://other.test/ -> service1
			GET http://192.0.2.7/ -> service1
			GET http://x/ version=1.0 -> service1
			GET http://*.any.test/ -> service1`,
	},
	{
		Place: "DefaultBackend", Says: "without rules there must be a default backend",
		Objects: `
			ingress nothing`,
		Refused: "either `defaultBackend` or `rules` must be specified",
	},
	{
		Place: "DefaultBackend", Says: "left open: what meets no rule where there is no default backend; decided: 404",
		Objects: `
			ingress rules
			  rules.test Prefix /a service1:80`,
		Requests: `
			GET http://rules.test/ -> 404
			GET http://unknown.test/ -> 404
			GET http://unknown.test/a -> 404
			POST http://unknown.test/a -> 404
			DELETE http://unknown.test/ -> 404`,
	},
	{
		Place: "DefaultBackend", Says: "when no host and no path of any object fits, the default backend",
		Objects: `
			ingress everything
			  default service4:80
			ingress rules
			  rules.test Prefix /a service1:80
			  *.rules.test Exact /b service2:80`,
		Requests: `
			GET http://rules.test/a -> service1
			GET http://rules.test/ -> service4
			GET http://www.rules.test/b -> service2
			GET http://www.rules.test/b/c -> service4
			GET http://unknown.test/ -> service4`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "with rules: for the hosts of these rules where no path fits, and no other host",
		Objects: `
			ingress own
			  default service4:80
			  own.test Prefix /a service1:80
			  *.own.test Prefix /b service2:80`,
		Requests: `
			GET http://own.test/a -> service1
			GET http://own.test/ -> service4
			GET http://own.test/other -> service4
			GET http://www.own.test/b -> service2
			GET http://www.own.test/ -> service4
			GET http://unknown.test/ -> 404`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "the one of an object goes before the one for everything",
		Objects: `
			ingress everything
			  default service3:80
			ingress own
			  default service4:80
			  own.test Prefix /a service1:80`,
		Requests: `
			GET http://own.test/ -> service4
			GET http://unknown.test/ -> service3`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "a path of another object for the same host goes before it",
		Objects: `
			ingress first
			  default service4:80
			  two.test Prefix /a service1:80
			ingress second
			  two.test Prefix /b service2:80`,
		Requests: `
			GET http://two.test/a -> service1
			GET http://two.test/b -> service2
			GET http://two.test/c -> service4`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "a rule for every path leaves it nothing",
		Objects: `
			ingress full
			  default service4:80
			  full.test Prefix / service1:80`,
		Requests: `
			GET http://full.test/ -> service1
			GET http://full.test/x -> service1`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "with a rule that has no host: every host that nothing else is for",
		Objects: `
			ingress hostless
			  default service4:80
			  - Prefix /a service1:80
			ingress named
			  named.test Prefix /b service2:80`,
		Requests: `
			GET http://any.test/a -> service1
			GET http://any.test/ -> service4
			GET http://named.test/b -> service2
			GET http://named.test/ -> 404`,
	},
	{
		Place: "API IngressRule.http", Says: "left open: a host without paths; decided: all of it goes to the object's default backend",
		Objects: `
			ingress catch-all
			  default service4:80
			  catch.test`,
		Requests: `
			GET http://catch.test/ -> service4
			GET http://catch.test/x -> service4
			GET http://unknown.test/ -> 404`,
	},
	{
		Place: "API IngressSpec.defaultBackend", Says: "comes, changes and goes",
		Objects: `
			ingress coming
			  coming.test Prefix /a service1:80`,
		Requests: `
			GET http://coming.test/ -> 404`,
		Then: []Step{
			{
				Says: "it comes",
				Apply: `
					ingress coming
					  default service3:80
					  coming.test Prefix /a service1:80`,
				Requests: `
					GET http://coming.test/ -> service3
					GET http://coming.test/a -> service1`,
			},
			{
				Says: "it changes",
				Apply: `
					ingress coming
					  default service4:80
					  coming.test Prefix /a service1:80`,
				Requests: `
					GET http://coming.test/ -> service4`,
			},
			{
				Says: "it goes",
				Apply: `
					ingress coming
					  coming.test Prefix /a service1:80`,
				Requests: `
					GET http://coming.test/ -> 404
					GET http://coming.test/a -> service1`,
			},
		},
	},
	{
		Place: "Resource backends", Says: "a resource and a Service exclude each other",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: both
spec:
  defaultBackend:
    service:
      name: service1
      port:
        number: 80
    resource:
      apiGroup: k8s.example.com
      kind: StorageBucket
      name: static-assets`,
		Refused: "cannot set both resource and service backends",
	},
	{
		Place: "API IngressBackend", Says: "one of the two is there",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: neither
spec:
  defaultBackend: {}`,
		Refused: "resource or service backend is required",
	},
	{
		Place: "Resource backends, example", Says: "left to the controller; decided: refused, and the rest of the object is served",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: ingress-resource-backend
spec:
  ingressClassName: headgate
  defaultBackend:
    resource:
      apiGroup: k8s.example.com
      kind: StorageBucket
      name: static-assets
  rules:
    - host: resource.test
      http:
        paths:
          - path: /icons
            pathType: ImplementationSpecific
            backend:
              resource:
                apiGroup: k8s.example.com
                kind: StorageBucket
                name: icon-assets
          - path: /pages
            pathType: Prefix
            backend:
              service:
                name: service1
                port:
                  number: 80`,
		Requests: `
			GET http://resource.test/icons -> 404
			GET http://resource.test/ -> 404
			GET http://resource.test/pages -> service1`,
	},
}
