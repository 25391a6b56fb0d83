package harness

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// adminUser logs in with a fixed token and may do everything. The controller is a
// service account, see Kubeconfig.
const adminUser = "admin"

// NodeName is the one Node object. No kubelet is behind it; the EndpointSlice
// controller ignores pods whose node doesn't exist.
const NodeName = "node-1"

// APIAddress is what the API server says its address is, and its certificate is for
// it. Only what passes connections on listens there.
const APIAddress = "10.244.0.1"

// writeCredentials makes what the API server is started with.
func (c *Cluster) writeCredentials() (err error) {
	if c.CA, err = NewCA("headgate-e2e"); err != nil {
		return err
	}
	pair, err := c.CA.Issue("127.0.0.1", APIAddress, "localhost", "kubernetes.default.svc")
	if err != nil {
		return err
	}
	if err := pair.write(c.file("tls.crt"), c.file("tls.key")); err != nil {
		return err
	}
	// Any key pair will do to sign the tokens of service accounts.
	signer, err := c.CA.Issue("service-accounts")
	if err != nil {
		return err
	}
	if err := signer.write(c.file("sa.crt"), c.file("sa.key")); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("ca.crt"), c.CA.PEM, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(c.file("audit.yaml"), []byte(auditPolicy), 0o644); err != nil {
		return err
	}
	c.tokens = map[string]string{adminUser: randomToken()}
	lines := fmt.Sprintf("%s,%s,1,\"system:masters\"\n", c.tokens[adminUser], adminUser)
	return os.WriteFile(c.file("tokens.csv"), []byte(lines), 0o600)
}

func (c *Cluster) file(name string) string { return filepath.Join(c.dir, name) }

func (c *Cluster) apiServerCommand() []string {
	return []string{c.binary, "kube-apiserver",
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", etcdPort),
		"--bind-address=127.0.0.1",
		"--advertise-address=" + APIAddress, // loopback is refused here
		fmt.Sprintf("--secure-port=%d", APIServerPort),
		"--tls-cert-file=" + c.file("tls.crt"),
		"--tls-private-key-file=" + c.file("tls.key"),
		"--client-ca-file=" + c.file("ca.crt"),
		"--token-auth-file=" + c.file("tokens.csv"),
		"--authorization-mode=RBAC",
		"--audit-policy-file=" + c.file("audit.yaml"),
		"--audit-log-path=" + c.file("audit.log"),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + c.file("sa.crt"),
		"--service-account-signing-key-file=" + c.file("sa.key"),
		"--service-cluster-ip-range=10.0.0.0/16",
		// Pods are made without a controller that makes the default account.
		"--disable-admission-plugins=ServiceAccount",
		"--endpoint-reconciler-type=none",
		"--max-requests-inflight=1000", "--max-mutating-requests-inflight=1000",
	}
}

// managedControllers leaves out those that expect living nodes: they would
// remove, or declare dead, the pods that tests write.
var managedControllers = []string{
	"endpointslice-controller", "endpoints-controller", "endpointslice-mirroring-controller",
	"deployment-controller", "replicaset-controller", "statefulset-controller",
	"namespace-controller", "serviceaccount-controller", "garbage-collector-controller",
}

// StartControllerManager starts the real controllers, EndpointSlices from Pods
// above all, and makes the Node that they look for. Once per run; it stays.
func (c *Cluster) StartControllerManager(t TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.manager != nil {
		return
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: NodeName}}
	_, err := c.Client.CoreV1().Nodes().Create(context.Background(), node, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatalf("making node %s: %v", NodeName, err)
	}
	if err := c.startManager(); err != nil {
		t.Fatalf("starting the controller manager: %v", err)
	}
}

func (c *Cluster) startManager() error {
	kubeconfig := c.file("manager.kubeconfig")
	err := c.writeKubeconfig(kubeconfig, adminUser, c.tokens[adminUser])
	if err != nil {
		return err
	}
	c.manager, err = startProcess(runLog("kube-controller-manager.log"), nil,
		c.binary, "kube-controller-manager",
		"--kubeconfig="+kubeconfig,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--service-account-private-key-file="+c.file("sa.key"),
		"--root-ca-file="+c.file("ca.crt"),
		// The defaults are for a cluster that nobody waits for.
		"--kube-api-qps=500", "--kube-api-burst=1000",
		"--controllers="+strings.Join(managedControllers, ","))
	return err
}

func randomToken() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
