package main

import (
	"crypto/x509"
	"fmt"
	"time"

	"headgate.dev/e2e/apistub"
	"headgate.dev/e2e/harness"
)

// handshake opens a connection for a host and closes it again; the answer is the
// certificate that was shown.
func (c *client) handshake() (a answer, err error) {
	shown, err := harness.PeerCertificates(c.tls, c.sni)
	if err == nil {
		a.serial = serial(shown[0])
	}
	return a, err
}

func serial(leaf *x509.Certificate) string { return leaf.SerialNumber.Text(16) }

// issue makes a certificate for a host, and says its serial number.
func (w *world) issue(t harness.TB, host string) (pair harness.KeyPair, number string) {
	pair, err := w.ca.Issue(host)
	if err != nil {
		t.Fatalf("%v", err)
	}
	leaf, err := pair.Leaf()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return pair, serial(leaf)
}

func tlsIngress(name, service string) any {
	host := name + ".example.com"
	return harness.Ingress(namespace, name, harness.Class(className),
		harness.Rule(host, "/", service+":80"), harness.TLS(name, host))
}

// newCertificate is a Secret, and an Ingress with a new host that names it.
// Right is the first handshake that shows it; before, there is the default one.
func newCertificate(w *world, i int) change {
	name := fmt.Sprintf("tls-%05d", i)
	service := w.anySite().name
	pair, number := w.issue(w.t, name+".example.com")
	secret, route := harness.TLSSecret(namespace, name, pair), tlsIngress(name, service)
	return change{
		host:  name + ".example.com",
		isTLS: true,
		put: func(t harness.TB) []sent {
			last := w.stub.Put(t, secret, route)
			return []sent{{apistub.Secret, last - 1}, {apistub.Ingress, last}}
		},
		right:   func(a answer) bool { return a.serial == number },
		allowed: func(a answer) bool { return a.serial != "" },
		undo:    func(t harness.TB) { w.stub.Delete(t, route, secret) },
	}
}

// rotated is the Secret that certificateRotated changes, over and over.
const rotated = "rotated"

// certificateRotated brings a new certificate for a host that has one.
func certificateRotated(w *world, _ int) change {
	host := rotated + ".example.com"
	if w.serial == "" {
		w.serial = w.firstCertificate(w.t, host)
	}
	old := w.serial
	pair, number := w.issue(w.t, host)
	return change{
		host:  host,
		isTLS: true,
		put: func(t harness.TB) []sent {
			w.serial = number
			return []sent{{apistub.Secret, w.stub.Put(t, harness.TLSSecret(namespace, rotated, pair))}}
		},
		right:   func(a answer) bool { return a.serial == number },
		allowed: func(a answer) bool { return a.serial == old },
	}
}

// firstCertificate makes the host, and waits until its certificate is shown.
func (w *world) firstCertificate(t harness.TB, host string) string {
	pair, number := w.issue(t, host)
	w.stub.Put(t, harness.TLSSecret(namespace, rotated, pair), tlsIngress(rotated, w.anySite().name))
	for begun := time.Now(); time.Since(begun) < limit; time.Sleep(time.Millisecond) {
		if err := harness.ShowsCertificate(w.h.HTTPS, host, pair); err == nil {
			return number
		}
	}
	t.Fatalf("the certificate of %s isn't shown after %v", host, limit)
	return ""
}
