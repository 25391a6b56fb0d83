package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headgate.dev/e2e/harness"
)

// lookEvery is how often objects are looked at. There are few, and one machine.
const lookEvery = 200 * time.Millisecond

// cloud gives each Service of type LoadBalancer an address of its own.
type cloud struct {
	t         harness.TB
	c         *harness.Cluster
	balancers map[types.UID][]net.Listener
	turn      int
	mu        sync.Mutex // guards turn
	ended     chan struct{}
	done      sync.WaitGroup
}

func newCloud(t harness.TB, c *harness.Cluster) *cloud {
	l := &cloud{t: t, c: c, balancers: map[types.UID][]net.Listener{}, ended: make(chan struct{})}
	l.done.Add(1)
	go func() {
		defer l.done.Done()
		every(l.ended, l.look)
	}()
	return l
}

// every calls look until ended is closed.
func every(ended <-chan struct{}, look func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
			look()
		}
	}
}

func (l *cloud) stop() {
	close(l.ended)
	l.done.Wait()
	for _, listeners := range l.balancers {
		closeAll(listeners)
	}
}

func closeAll(listeners []net.Listener) {
	for _, listener := range listeners {
		listener.Close()
	}
}

func (l *cloud) look() {
	services, err := l.c.Client.CoreV1().Services("").List(context.Background(), metav1.ListOptions{})
	if err != nil {
		return // the next time
	}
	gone := map[types.UID][]net.Listener{}
	for uid, listeners := range l.balancers {
		gone[uid] = listeners
	}
	for i := range services.Items {
		service := &services.Items[i]
		delete(gone, service.UID)
		if service.Spec.Type == corev1.ServiceTypeLoadBalancer && l.balancers[service.UID] == nil {
			l.balance(service)
		}
	}
	for uid, listeners := range gone {
		closeAll(listeners)
		delete(l.balancers, uid)
	}
}

func (l *cloud) balance(service *corev1.Service) {
	address := fmt.Sprintf("10.244.0.%d", 100+len(l.balancers))
	for _, port := range service.Spec.Ports {
		listener := listenFor(l.t, fmt.Sprintf("%s:%d", address, port.Port), func() (string, error) {
			return l.endpoint(service.Namespace, service.Name, port.Name)
		})
		l.balancers[service.UID] = append(l.balancers[service.UID], listener)
	}
	service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
	_, err := l.c.Client.CoreV1().Services(service.Namespace).UpdateStatus(context.Background(), service, metav1.UpdateOptions{})
	if err != nil {
		closeAll(l.balancers[service.UID])
		delete(l.balancers, service.UID) // and once more the next time
	}
}

// endpoint is a ready one of a Service, the next in turn.
func (l *cloud) endpoint(namespace, name, port string) (string, error) {
	slices, err := l.c.Client.DiscoveryV1().EndpointSlices(namespace).List(context.Background(),
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + name})
	if err != nil {
		return "", err
	}
	var ready []string
	for _, slice := range slices.Items {
		for _, p := range slice.Ports {
			for _, endpoint := range slice.Endpoints {
				if *p.Name == port && *endpoint.Conditions.Ready {
					ready = append(ready, fmt.Sprintf("%s:%d", endpoint.Addresses[0], *p.Port))
				}
			}
		}
	}
	if len(ready) == 0 {
		return "", fmt.Errorf("no endpoint of %s/%s is ready", namespace, name)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn++
	return ready[l.turn%len(ready)], nil
}
