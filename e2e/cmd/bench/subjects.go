package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headgate.dev/e2e/harness"
)

// subject is a controller that is measured beside others: how to start it, with
// what its own documentation says is best for what is measured.
type subject struct {
	name       string
	controller string            // spec.controller of its IngressClass
	settings   string            // for the reader, beyond addresses and folders
	configMap  map[string]string // what its ConfigMap says
	args       []string
	start      func(w *contest, s subject) served
}

// served is a subject that runs.
type served struct {
	pid         int
	http, https string
	dir         string // in the command line of its HAProxy
	stop        func()
}

// The names of subjects are those of bench/peers/peers.list, up to a colon.
var subjects = []subject{
	{
		name:       "Headgate",
		controller: "headgate.dev/ingress-controller",
		settings:   "as installed",
		args:       []string{"--log-level=warn"},
		start:      startHeadgate,
	},
	{
		name:       "haproxytech",
		controller: "haproxy.org/ingress-controller/" + className,
		settings:   "--sync-period=1s (5s), scale-server-slots 4 (42)",
		configMap:  map[string]string{"scale-server-slots": "4"},
		args:       []string{"--sync-period=1s"},
		start:      startHaproxytech,
	},
	{
		name:       "haproxy-ingress",
		controller: "haproxy-ingress.github.io/controller",
		settings:   "--rate-limit-update=10 (0.5), --wait-before-update=10ms (200ms), --backend-shards=20 (0)",
		args:       []string{"--rate-limit-update=10", "--wait-before-update=10ms", "--backend-shards=20"},
		start:      startHaproxyIngress,
	},
	{
		name:       "haproxytech:defaults",
		controller: "haproxy.org/ingress-controller/" + className,
		settings:   "as installed: --sync-period=5s, scale-server-slots 42",
		configMap:  map[string]string{},
		start:      startHaproxytech,
	},
	{
		name:       "haproxy-ingress:defaults",
		controller: "haproxy-ingress.github.io/controller",
		settings:   "as installed: --rate-limit-update=0.5, --wait-before-update=200ms",
		start:      startHaproxyIngress,
	},
}

func startHeadgate(w *contest, s subject) served {
	h := harness.NewHeadgate(w.t)
	h.Start(w.t, append([]string{
		"--kubeconfig=" + w.cluster.Kubeconfig(w.t),
		"--config-dir=" + filepath.Join(harness.Root(w.t), "haproxy-cfg"),
		"--haproxy=" + w.haproxy,
	}, s.args...)...)
	return served{h.PID(), h.HTTP, h.HTTPS, h.Dir, h.KillAll}
}

// startHaproxytech runs it outside of a pod, as its documentation describes for
// --external; HAProxy is then its child instead of s6's.
func startHaproxytech(w *contest, s subject) served {
	dir, httpPort, httpsPort := w.t.TempDir(), harness.FreePort(w.t), harness.FreePort(w.t)
	w.writeConfigMap(s.configMap)
	cmd := exec.Command(filepath.Join(w.folderOf(s), "controller"), append([]string{
		"--external", "--kubeconfig=" + w.cluster.AdminKubeconfig(w.t),
		"--program=" + w.haproxy, "--config-dir=" + dir + "/etc", "--runtime-dir=" + dir + "/run",
		"--configmap=" + configMap, "--default-ssl-certificate=" + namespace + "/" + rotated,
		"--ipv4-bind-address=127.0.0.1", "--disable-ipv6",
		"--ingress.class=" + className, // it drops Ingresses of classes with another name
		fmt.Sprintf("--http-bind-port=%d", httpPort), fmt.Sprintf("--https-bind-port=%d", httpsPort),
	}, s.args...)...)
	return w.foreign(s, cmd, dir, httpPort, httpsPort)
}

// startHaproxyIngress runs it outside of a pod, as its Makefile does, with the
// HAProxy that it starts itself (master-worker, its default).
func startHaproxyIngress(w *contest, s subject) served {
	dir, httpPort, httpsPort := w.t.TempDir(), harness.FreePort(w.t), harness.FreePort(w.t)
	w.writeConfigMap(map[string]string{
		"bind-ip-addr-http": "127.0.0.1",
		"http-port":         fmt.Sprint(httpPort), "https-port": fmt.Sprint(httpsPort),
	})
	// Its image copies them, too, before it starts.
	lua := filepath.Join(dir, "etc", "haproxy", "lua")
	if err := os.CopyFS(lua, os.DirFS(filepath.Join(w.folderOf(s), "rootfs", "etc", "lua"))); err != nil {
		w.t.Fatalf("%v", err)
	}
	// A library for JSON, which its image brings: it is loaded, and not used here.
	if err := os.WriteFile(filepath.Join(lua, "json.lua"), []byte("return {}\n"), 0o644); err != nil {
		w.t.Fatalf("%v", err)
	}
	cmd := exec.Command("./controller", append([]string{
		"--kubeconfig=" + w.cluster.AdminKubeconfig(w.t), "--local-filesystem-prefix=" + dir,
		"--configmap=" + configMap, "--default-ssl-certificate=" + namespace + "/" + rotated,
		"--update-status=false",
	}, s.args...)...)
	cmd.Dir = w.folderOf(s)
	return w.foreign(s, cmd, dir, httpPort, httpsPort)
}

// The peers' own objects; the pod is one that they look for.
const (
	configMap = namespace + "/peer"
	podName   = "peer-6d4cf56db6-x7k2p"
)

func (w *contest) writeConfigMap(data map[string]string) {
	_, name, _ := strings.Cut(configMap, "/")
	data["ssl-redirect"] = "false" // there is a default certificate, and requests are plain
	w.cluster.Apply(w.t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data},
		&corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podName, Labels: map[string]string{"app": "peer"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "peer", Image: "peer"}}},
		})
}

// folderOf is where the program of a peer is.
func (w *contest) folderOf(s subject) string {
	name, _, _ := strings.Cut(s.name, ":")
	for _, folder := range strings.Split(w.o.peers, ",") {
		if strings.HasPrefix(filepath.Base(folder), name+"-v") {
			return folder
		}
	}
	w.t.Fatalf("-peers has no folder of %s", name)
	return ""
}

func (w *contest) foreign(s subject, cmd *exec.Cmd, dir string, httpPort, httpsPort int) served {
	cmd.Env = append(os.Environ(), "POD_NAME="+podName, "POD_NAMESPACE="+namespace, "POD_IP=127.0.0.1",
		"PATH="+filepath.Dir(w.haproxy)+":"+os.Getenv("PATH"))
	f := harness.StartForeign(w.t, strings.ReplaceAll(s.name, ":", "-"), dir, cmd)
	return served{f.PID(), fmt.Sprintf("127.0.0.1:%d", httpPort), fmt.Sprintf("127.0.0.1:%d", httpsPort), dir, f.Stop}
}
