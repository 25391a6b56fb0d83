package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// What the traffic and the changes have to come to. The rates are what the changes
// are paced at; how long it all takes is not looked at.
const (
	churnRoutes    = 200
	churnRequests  = 20000
	churnPause     = 50 * time.Millisecond // 20 endpoint changes a second
	churnPerOther  = 10                    // of them to one other change: 2 a second
	churnEndpoints = 400
)

// TestChurn sends requests over 200 routes while endpoints change all the time,
// and with them paths. No request fails and none is answered by a pod that is not,
// or no longer, behind its route. This is for the oldest HAProxy; for the newest
// there is TestMixedChurn, where Services come and go as well.
func TestChurn(t *testing.T) {
	t.Run("2.6", func(t *testing.T) {
		c := newChurn(t, "2.6")
		traffic := harness.StartProber(t, harness.Traffic{
			Addr: c.g.HTTP, Clients: 4, Pause: 8 * time.Millisecond,
			Next: func(client, seq int) harness.Route {
				route := c.routes[(client*churnRoutes/4+seq)%churnRoutes]
				return harness.Route{Host: route.name + ".example", Path: "/", Allowed: route.allowed.Allowed()}
			},
		})
		traffic.Await(t, churnRoutes)
		before := c.workers.Distinct()
		tick := time.NewTicker(churnPause)
		defer tick.Stop()
		changes := 0
		for changes < churnEndpoints || traffic.Summary().Requests < churnRequests {
			<-tick.C
			c.changeEndpoints(changes)
			if changes%churnPerOther == 0 {
				c.changePath(changes / churnPerOther)
			}
			changes++
		}
		for i := range churnRoutes {
			c.settle(c.routes[i])
		}
		summary := traffic.Stop()
		summary.WantNoFailures(t)
		t.Logf("%d endpoint changes, %d others; %v", changes, changes/churnPerOther, summary)
		if summary.Requests < churnRequests {
			t.Errorf("%d requests, want %d", summary.Requests, churnRequests)
		}
		c.workers.Stop()
		if n := c.workers.Distinct() - before; n != 0 {
			t.Errorf("%d reloads, want 0", n)
		}
		c.healthy()
		if n := c.g.Metrics(t).Sum("headgate_audits_total", `result="clean"`); n == 0 {
			t.Errorf("no audit went through meanwhile")
		}
	})
}

type churn struct {
	*routeScene
	routes []*churnRoute
	extras []string // Services that came during the churn, oldest first
	paths  []int    // likewise paths
}

// churnRoute is a host with a Service of its own.
type churnRoute struct {
	name    string
	ips     []string        // those of the last change
	allowed *harness.PodSet // those that may answer
}

// newChurn makes the routes and waits until all are served.
func newChurn(t *testing.T, branch string) *churn {
	t.Helper()
	c := &churn{routeScene: newRouteScene(t, branch)}
	for i := range churnRoutes {
		route := &churnRoute{name: fmt.Sprintf("route%03d", i)}
		c.serve(route.name, 2)
		route.ips = c.ips[route.name]
		route.allowed = harness.NewPodSet(route.ips...)
		c.routes = append(c.routes, route)
		c.c.Apply(t, c.ingress(route.name, harness.Rule(route.name+".example", "/", route.name+":80")))
	}
	c.start()
	for _, route := range c.routes {
		c.wantAnswers(routeAnswer{host: route.name + ".example", path: "/", service: route.name})
	}
	return c
}

// changeEndpoints gives one route after the other, in an order that jumps, a
// changed set of pods: one more, one fewer, one exchanged, all exchanged. Each
// round of all routes goes on to the next of these, so that no route only grows.
func (c *churn) changeEndpoints(n int) {
	c.t.Helper()
	route := c.routes[n*7%churnRoutes]
	c.settle(route)
	kept := route.ips
	switch (n + n/churnRoutes) % 4 {
	case 0:
		route.ips = append(c.pods.IPs(1), kept...)
	case 1:
		if len(kept) > 1 {
			route.ips = kept[1:]
		}
	case 2:
		route.ips = append(c.pods.IPs(1), kept[1:]...)
	default:
		route.ips = c.pods.IPs(2)
	}
	route.allowed.Add(route.ips...)
	c.c.Apply(c.t, harness.EndpointSlice(c.ns, route.name, "8080", route.ips...))
}

// settle waits until HAProxy has the pods of a route's last change. From then on
// no other may answer.
func (c *churn) settle(route *churnRoute) {
	c.t.Helper()
	harness.Eventually(c.t, "the servers of "+route.name, func() error { return c.hasServers(route.name, 80, route.ips...) })
	route.allowed.Set(route.ips...)
}

// changeService makes a new Service with its route, or removes the oldest of
// these, in turn. That it worked is seen at the next call.
func (c *churn) changeService(n int) {
	c.t.Helper()
	if n%2 == 0 || len(c.extras) < 2 {
		if len(c.extras) > 0 {
			last := c.extras[len(c.extras)-1]
			c.wantAnswers(routeAnswer{host: last + ".example", path: "/", service: last})
		}
		name := fmt.Sprintf("extra%04d", n)
		c.ips[name] = c.pods.IPs(1)
		c.c.Apply(c.t, c.extraObjects(name)...)
		c.extras = append(c.extras, name)
		return
	}
	c.removeService()
}

// removeService removes the oldest of the Services that came.
func (c *churn) removeService() {
	c.t.Helper()
	old := c.extras[0]
	c.extras = c.extras[1:]
	c.wantAnswers(routeAnswer{host: old + ".example", path: "/", service: old})
	c.c.Delete(c.t, c.extraObjects(old)...)
	c.wantAnswers(routeAnswer{host: old + ".example", path: "/", status: http.StatusNotFound})
}

func (c *churn) extraObjects(name string) []runtime.Object {
	return []runtime.Object{
		harness.EndpointSlice(c.ns, name, "8080", c.ips[name]...),
		harness.Service(c.ns, name, "80:8080"),
		c.ingress(name, harness.Rule(name+".example", "/", name+":80")),
	}
}

// wantRoute waits until a pod of the route answers, whichever it has by then: others
// may change them meanwhile.
func (c *churn) wantRoute(host, path string, route *churnRoute) {
	c.t.Helper()
	harness.Eventually(c.t, "route "+host+path, func() error {
		isAllowed := route.allowed.Allowed()
		answer, err := harness.Get(c.g.HTTP, host, path)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusOK || !isAllowed(answer.Pod()) {
			return fmt.Errorf("status %d from %q, want a pod of %s", answer.Status, answer.Pod(), route.name)
		}
		return nil
	})
}

// changePath gives one Ingress a further path, and takes the oldest of them away
// when there are several. The Services are those of the routes.
func (c *churn) changePath(n int) {
	c.t.Helper()
	c.paths = append(c.paths, n)
	gone := -1
	if len(c.paths) > 5 {
		gone, c.paths = c.paths[0], c.paths[1:]
	}
	options := []harness.IngressOption{}
	for _, i := range c.paths {
		options = append(options, harness.Rule("paths.example", fmt.Sprintf("/path%d", i), c.routes[i%churnRoutes].name+":80"))
	}
	c.c.Apply(c.t, c.ingress("paths", options...))
	route := c.routes[n%churnRoutes]
	c.wantRoute("paths.example", fmt.Sprintf("/path%d/x", n), route)
	if gone >= 0 {
		c.wantAnswers(routeAnswer{host: "paths.example", path: fmt.Sprintf("/path%d", gone), status: http.StatusNotFound})
	}
}
