package conformance

// published is where the sites of the table serve, on ports 80 and 443, and what
// they are told to publish; the replica that holds the Lease writes it.
const published = "10.244.250.26 10.244.250.34"

// statusRows are about the field Ingress.status, and what the page shows of it.
var statusRows = []Row{
	{
		Place: "Ingress backed by a single Service", Says: "the address at which the object is served is in its status",
		Objects: `
			ingress test-ingress
			  default test:80`,
		Requests: `
			STATUS test-ingress -> ` + published + `
			GET http://10.244.250.34/ -> test`,
	},
	{
		Place: "API IngressStatus.loadBalancer", Says: "is written by the controller that is responsible, and by nobody for a class of somebody else's",
		Objects: `
			class foreign example.com/ingress-controller
			ingress ours
			  ours.test Prefix / service1:80
			ingress theirs class=foreign
			  theirs.test Prefix / service1:80
			ingress nobodys class=absent
			  nobodys.test Prefix / service1:80`,
		Requests: `
			STATUS ours -> ` + published + `
			STATUS theirs -> none
			STATUS nobodys -> none`,
		Then: []Step{
			{
				Says: "classes change: it is cleared where we let go, and written where we take over", Apply: `
					ingress ours class=foreign
					  ours.test Prefix / service1:80
					ingress theirs
					  theirs.test Prefix / service1:80`,
				Requests: `
					STATUS ours -> none
					STATUS theirs -> ` + published,
			},
		},
	},
	{
		Place: "suite: ingress class", Says: "the status of an object with a class that doesn't exist has no address",
		Objects: `
			ingress test-ingress-class class=some-invalid-class-name
			  ingress-class Prefix / ingress-class-prefix:8080
			ingress valid
			  valid-class Prefix / ingress-class-prefix:8080`,
		Requests: `
			STATUS valid -> ` + published + `
			STATUS test-ingress-class -> none`,
	},
}
