package harness

import (
	"slices"
	"sync"
)

// PodSet is the pods that may answer a route, while a test changes them. A
// request that was sent before a change and answered after it may be answered by
// a pod of either set; asking for Allowed per request takes care of that.
type PodSet struct {
	mu  sync.Mutex
	ips []string
}

// NewPodSet makes a set of pods by their addresses.
func NewPodSet(ips ...string) *PodSet { return &PodSet{ips: ips} }

// Set replaces the pods. Add the new ones to the old ones before asking the
// cluster for a change, and take the old ones out when it has been made.
func (s *PodSet) Set(ips ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ips = slices.Clone(ips)
}

// Add adds pods.
func (s *PodSet) Add(ips ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ips = append(slices.Clone(s.ips), ips...)
}

// Allowed is for Route.Allowed, called where the Route is made: it allows the
// pods of that moment, and those at the moment of the answer.
func (s *PodSet) Allowed() func(pod string) bool {
	before := s.current()
	return func(pod string) bool {
		return contains(before, pod) || contains(s.current(), pod)
	}
}

func (s *PodSet) current() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ips // never changed in place
}

func contains(ips []string, pod string) bool {
	return slices.ContainsFunc(ips, func(ip string) bool { return PodAddr(ip) == pod })
}
