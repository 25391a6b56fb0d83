package harness

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"time"
)

// CA is a certificate authority that lives as long as the run.
type CA struct {
	PEM  []byte // its certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// KeyPair is a certificate with its key, in PEM.
type KeyPair struct {
	Cert, Key []byte
}

// Leaf is the first certificate.
func (p KeyPair) Leaf() (*x509.Certificate, error) {
	block, _ := pem.Decode(p.Cert)
	if block == nil {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// NewCA makes an authority.
func NewCA(name string) (*CA, error) { return newCA(certificate(name), nil) }

// NewExpiredCA makes one whose time was over a minute ago.
func NewExpiredCA(name string) (*CA, error) {
	template := certificate(name)
	template.NotAfter = time.Now().Add(-time.Minute)
	return newCA(template, nil)
}

// Intermediate makes an authority that this one vouches for.
func (ca *CA) Intermediate(name string) (*CA, error) { return newCA(certificate(name), ca) }

func newCA(template *x509.Certificate, above *CA) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	issuer, issuerKey := template, key
	if above != nil {
		issuer, issuerKey = above.cert, above.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{PEM: encodePEM("CERTIFICATE", der), cert: cert, key: key}, nil
}

// Issue makes a server certificate for host names and IP addresses, with an ECDSA
// key.
func (ca *CA) Issue(names ...string) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	return ca.issue(key, certificate(names[0]), names)
}

// IssueForClient is Issue for who connects, with the first name as its subject.
func (ca *CA) IssueForClient(names ...string) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	template := certificate(names[0])
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return ca.issue(key, template, names)
}

// IssueRSA is Issue with an RSA key.
func (ca *CA) IssueRSA(names ...string) (KeyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return KeyPair{}, err
	}
	return ca.issue(key, certificate(names[0]), names)
}

// IssueExpired is Issue for a certificate whose time was over a minute ago.
func (ca *CA) IssueExpired(names ...string) (KeyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return KeyPair{}, err
	}
	template := certificate(names[0])
	template.NotAfter = time.Now().Add(-time.Minute)
	return ca.issue(key, template, names)
}

func (ca *CA) issue(key crypto.Signer, template *x509.Certificate, names []string) (KeyPair, error) {
	template.KeyUsage = x509.KeyUsageDigitalSignature
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return KeyPair{}, err
	}
	keyPEM, err := encodeKey(key)
	return KeyPair{Cert: encodePEM("CERTIFICATE", der), Key: keyPEM}, err
}

// ClientTLS is a client configuration that trusts this authority alone.
func (ca *CA) ClientTLS() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{RootCAs: pool}
}

// write stores the pair for a program that wants files.
func (p KeyPair) write(certFile, keyFile string) error {
	if err := os.WriteFile(certFile, p.Cert, 0o644); err != nil {
		return err
	}
	return os.WriteFile(keyFile, p.Key, 0o600)
}

func certificate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encodePEM("PRIVATE KEY", der), err
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
