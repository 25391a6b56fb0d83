package conformance

// classRows are about section "Ingress class" and the fields of IngressClass and
// IngressSpec.ingressClassName. The controllers serve every class whose
// spec.controller is theirs.
var classRows = []Row{
	{
		Place: "Ingress class", Says: "the class names the controller that is responsible",
		Objects: `
			class second headgate.dev/ingress-controller
			class foreign example.com/ingress-controller
			ingress first
			  first.test Prefix / service1:80
			ingress second class=second
			  second.test Prefix / service2:80
			ingress foreign class=foreign
			  foreign.test Prefix / service3:80`,
		Requests: `
			GET http://first.test/ -> service1
			GET http://second.test/ -> service2
			GET http://foreign.test/ -> 404`,
		Then: []Step{
			{
				Says: "objects change their class", Apply: `
					ingress first class=foreign
					  first.test Prefix / service1:80
					ingress foreign class=second
					  foreign.test Prefix / service3:80`,
				Requests: `
					GET http://first.test/ -> 404
					GET http://second.test/ -> service2
					GET http://foreign.test/ -> service3`,
			},
			{
				Says: "a class goes", Delete: `class second headgate.dev/ingress-controller`,
				Requests: `
					GET http://second.test/ -> 404
					GET http://foreign.test/ -> 404`,
			},
			{
				Says: "and comes back", Apply: `class second headgate.dev/ingress-controller`,
				Requests: `
					GET http://second.test/ -> service2
					GET http://foreign.test/ -> service3`,
			},
		},
	},
	{
		Place: "API IngressSpec.ingressClassName", Says: "a class that doesn't exist is nobody's",
		Objects: `
			ingress absent class=absent
			  absent.test Prefix / service1:80`,
		Requests: `
			GET http://absent.test/ -> 404`,
	},
	{
		Place: "API IngressSpec.ingressClassName", Says: "is a DNS subdomain name",
		Objects: `
			ingress name class=Not_A_Name
			  name.test Prefix / service1:80`,
		Refused: "spec.ingressClassName",
	},
	{
		Place: "The Ingress resource", Says: "without a class there should be a default class: without one, nobody's",
		Objects: `
			ingress classless class=-
			  classless.test Prefix / service1:80`,
		Requests: `
			GET http://classless.test/ -> 404`,
		Then: []Step{{
			Says: "left open: one that is older than the default class; decided: it is of the default class, too",
			Apply: `
				class standard headgate.dev/ingress-controller default`,
			Requests: `
				GET http://classless.test/ -> service1`,
		}},
	},
	{
		Place: "Default IngressClass", Says: "new objects without a class get the default one",
		Objects: `
			class standard headgate.dev/ingress-controller default
			ingress late class=-
			  late.test Prefix / service1:80`,
		Requests: `
			GET http://late.test/ -> service1`,
	},
	{
		Place: "Default IngressClass", Says: "which may be another controller's",
		Objects: `
			class standard example.com/ingress-controller default
			ingress late class=-
			  late.test Prefix / service1:80`,
		Requests: `
			GET http://late.test/ -> 404`,
	},
	{
		Place: "Deprecated annotation", Says: "the field is no name of a controller: a class is what counts",
		Objects: `
			ingress annotated class=- kubernetes.io/ingress.class=headgate
			  annotated.test Prefix / service1:80`,
		Requests: `
			GET http://annotated.test/ -> 404`,
	},
	{
		Place: "API IngressSpec.ingressClassName", Says: "the annotation should be honoured where it is; decided: by option",
		Options: []string{"--legacy-class-annotation"},
		Objects: `
			ingress by-annotation class=- kubernetes.io/ingress.class=headgate
			  annotation.test Prefix / service1:80
			ingress nobodys class=- kubernetes.io/ingress.class=nginx
			  nginx.test Prefix / service1:80
			ingress by-field
			  field.test Prefix / service2:80`,
		Requests: `
			GET http://annotation.test/ -> service1
			GET http://nginx.test/ -> 404
			GET http://field.test/ -> service2`,
	},
	{
		Place: "API IngressSpec.ingressClassName", Says: "new objects don't have both with different names",
		Objects: `
			ingress both kubernetes.io/ingress.class=other
			  both.test Prefix / service1:80`,
		Refused: "must match `ingressClassName` when both are specified",
	},
	{
		Place: "API IngressClass", Says: "the default class has the annotation \"true\", and no other word",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: nearly
  annotations:
    ingressclass.kubernetes.io/is-default-class: "yes"
spec:
  controller: headgate.dev/ingress-controller
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: nearly
spec:
  rules:
    - host: nearly.test
      http:
        paths:
          - path: /
            pathType: Prefix
            backend: {service: {name: service1, port: {number: 80}}}`,
		Requests: `
			GET http://nearly.test/ -> 404`,
	},
	{
		Place: "API IngressClassSpec.controller", Says: "at most 250 characters",
		Objects: `
			class long example.com/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`,
		Refused: "Too long",
	},
	{
		Place: "Ingress class, parameters", Says: "a class may have parameters; a kind that is not understood does no harm",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: external-lb-1
spec:
  controller: headgate.dev/ingress-controller
  parameters:
    scope: Cluster
    apiGroup: k8s.example.net
    kind: ClusterIngressParameter
    name: external-config-1
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: with-parameters
spec:
  ingressClassName: external-lb-1
  rules:
    - host: parameters.test
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
			GET http://parameters.test/ -> service1`,
	},
	{
		Place: "IngressClass scope, Namespaced", Says: "a namespace belongs to it",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: no-namespace
spec:
  controller: headgate.dev/ingress-controller
  parameters:
    scope: Namespace
    kind: ConfigMap
    name: settings`,
		Refused: "spec.parameters.namespace: Required value",
	},
	{
		Place: "IngressClass scope, Cluster", Says: "no namespace belongs to it",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: with-namespace
spec:
  controller: headgate.dev/ingress-controller
  parameters:
    scope: Cluster
    kind: ConfigMap
    namespace: elsewhere
    name: settings`,
		Refused: "spec.parameters.namespace: Forbidden",
	},
	{
		Place: "API IngressClassParametersReference.kind", Says: "is required",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: no-kind
spec:
  controller: headgate.dev/ingress-controller
  parameters:
    name: settings`,
		Refused: "spec.parameters.kind",
	},
	{
		Place: "API IngressClassParametersReference.scope", Says: "is Cluster or Namespace",
		Objects: `
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: third-scope
spec:
  controller: headgate.dev/ingress-controller
  parameters:
    scope: Universe
    kind: ConfigMap
    name: settings`,
		Refused: "spec.parameters.scope: Unsupported value",
	},
	{
		Place: "API IngressClassSpec.controller", Says: "is a domain-prefixed path",
		Objects: `
			class bare headgate`,
		Refused: "must be a domain-prefixed path",
	},
	{
		Place: "API IngressClassSpec.controller", Says: "can't be changed",
		Objects: `
			class fixed headgate.dev/ingress-controller
			ingress fixed class=fixed
			  fixed.test Prefix / service1:80`,
		Requests: `
			GET http://fixed.test/ -> service1`,
		Then: []Step{{
			Says: "the change is refused and nothing is lost", Apply: `class fixed example.com/ingress-controller`,
			Refused: "field is immutable",
			Requests: `
				GET http://fixed.test/ -> service1`,
		}},
	},
}
