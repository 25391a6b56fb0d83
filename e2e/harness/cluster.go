package harness

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// The ports of the control plane. The namespace is ours, so they are free.
const (
	etcdPort      = 2379
	etcdPeerPort  = 2380
	APIServerPort = 6443
)

// Cluster is a real Kubernetes API on an etcd of its own. It has no nodes: pods
// are addresses, and their objects are written by the tests.
type Cluster struct {
	Client *kubernetes.Clientset // logged in as the admin
	Config *rest.Config          // the admin's, to make other clients from
	CA     *CA                   // signed the API server's certificate

	dir     string // keys, tokens and etcd's data
	binary  string // the control plane, see e2e/cluster
	etcd    *process
	tokens  map[string]string // by user
	dynamic *dynamic.DynamicClient
	mapper  *restmapper.DeferredDiscoveryRESTMapper

	mu        sync.Mutex // guards what tests start and stop, and granted
	granted   bool       // deploy/'s roles are there
	apiServer *process
	manager   *process
}

var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// StartCluster gives the cluster of this run, which the first call starts. It is
// shared by all tests: keep to Namespace, and to cluster-wide objects with names
// of your own.
func StartCluster(t TB) *Cluster {
	t.Helper()
	shared.once.Do(func() { shared.cluster, shared.err = startCluster() })
	if shared.err != nil {
		t.Fatalf("starting the cluster: %v", shared.err)
	}
	return shared.cluster
}

func startCluster() (*Cluster, error) {
	binary, err := askTool(toolRequest{Script: clusterScript})
	if err != nil {
		return nil, err
	}
	dir, err := runTempDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{binary: binary, dir: dir}
	atEnd.add(c.end)
	if err := c.writeCredentials(); err != nil {
		return nil, err
	}
	if err := c.startEtcd(); err != nil {
		return nil, err
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	return c, c.start()
}

func (c *Cluster) startEtcd() error {
	path, err := exec.LookPath("etcd")
	if err != nil {
		return fmt.Errorf("%w; install etcd (Debian: etcd-server)", err)
	}
	client := fmt.Sprintf("http://127.0.0.1:%d", etcdPort)
	peer := fmt.Sprintf("http://127.0.0.1:%d", etcdPeerPort)
	c.etcd, err = startProcess(runLog("etcd.log"), nil, path,
		"--data-dir", filepath.Join(c.dir, "etcd"),
		"--listen-client-urls", client, "--advertise-client-urls", client,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
		"--initial-cluster", "default="+peer)
	return err
}

// connect makes the clients; they connect when they are used.
func (c *Cluster) connect() (err error) {
	c.Config = &rest.Config{
		Host:            fmt.Sprintf("https://127.0.0.1:%d", APIServerPort),
		BearerToken:     c.tokens[adminUser],
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA.PEM},
		// The default limits are for polite programs; a test writes in bursts.
		QPS: -1,
		// Clearing a namespace touches every kind, the deprecated ones too.
		WarningHandler: rest.NoWarnings{},
	}
	if c.Client, err = kubernetes.NewForConfig(c.Config); err != nil {
		return err
	}
	if c.dynamic, err = dynamic.NewForConfig(c.Config); err != nil {
		return err
	}
	cached := memory.NewMemCacheClient(c.Client.Discovery())
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(cached)
	return nil
}

// Stop ends the API server, and it alone: an outage. etcd keeps the objects.
// The test that stops it must not run in parallel with others; the end of the
// test starts it again.
func (c *Cluster) Stop(t TB) {
	t.Helper()
	c.mu.Lock()
	c.apiServer.kill()
	c.mu.Unlock()
	t.Cleanup(func() { c.Start(t) })
}

// Start starts the API server again, on the same port, and waits until it is
// ready. It does nothing when the server is running.
func (c *Cluster) Start(t TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.apiServer.running() {
		return
	}
	if err := c.start(); err != nil {
		t.Fatalf("starting the API server again: %v", err)
	}
	// The controllers would come back in their own time, up to half a minute.
	if c.manager != nil {
		c.manager.kill()
		if err := c.startManager(); err != nil {
			t.Fatalf("starting the controller manager again: %v", err)
		}
	}
}

// Freeze stops the API server from doing anything while its connections stay
// open: a hang, not an outage. Thaw, or the end of the test, lets it go on.
func (c *Cluster) Freeze(t TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Cleanup(func() { c.Thaw(t) })
	c.apiServer.signal(syscall.SIGSTOP)
	// Its threads stop one by one, when they next leave the kernel.
	Eventually(t, "the API server stopping", func() error {
		if !allStopped(c.apiServer.pid()) {
			return errors.New("a thread is running")
		}
		return nil
	})
}

// Thaw undoes Freeze.
func (c *Cluster) Thaw(t TB) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.apiServer.signal(syscall.SIGCONT)
}

func (c *Cluster) start() (err error) {
	if c.apiServer, err = startProcess(runLog("kube-apiserver.log"), nil, c.apiServerCommand()...); err != nil {
		return err
	}
	return eventually(func() error {
		if !c.apiServer.running() {
			return fmt.Errorf("the API server ended: %v\n%s", c.apiServer.err, c.apiServer.tail())
		}
		reply := c.Client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(context.Background())
		return reply.Error()
	})
}

// end stops everything, the clients' side first.
func (c *Cluster) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range []*process{c.manager, c.apiServer, c.etcd} {
		if p != nil && p.running() {
			p.kill() // nothing of it is kept, so nothing has to be written
		}
	}
}
