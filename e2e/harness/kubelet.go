package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// imageConfig is the configuration of the image that its containers are made of.
const imageConfig = "deploy/image/config.json"

// RunningPod is a pod of the project's own image on this machine: what a kubelet and
// a container runtime make of its manifest, as far as it matters here. Each
// container has namespaces of its own for files and processes; all share a network,
// usually that of the run.
type RunningPod struct {
	Spec corev1.PodSpec

	c          *Cluster
	namespace  string
	place      Place
	dir        string // volumes, and what the containers' roots are put together on
	root       string
	containers map[string]*process
}

// Place is where a pod is on the network.
type Place struct {
	Network   string // its namespace, as a path; "" = that of the run
	Address   string // of the pod
	APIServer string // the address of the API server for it
}

var inRun = Place{Address: "127.0.0.1", APIServer: "127.0.0.1"}

// CanRunPods says why not: other users can only be played by root.
func CanRunPods(t TB) error {
	t.Helper()
	if os.Getuid() != 0 {
		return fmt.Errorf("containers have users of their own, which needs root")
	}
	// A build for the sanitizers needs libraries that no image has.
	text, err := os.ReadFile(HeadgateBinary(t))
	if err == nil && strings.Contains(string(text), "libasan.so") {
		err = fmt.Errorf("the image is for release builds")
	}
	return err
}

var image struct {
	sync.Once
	root string
	err  error
}

// imageRoot makes the root of the image once for all pods of a run: nobody writes to it.
func imageRoot(headgate string) (string, error) {
	image.Do(func() {
		dir, err := runTempDir()
		if err == nil {
			image.root, err = askTool(toolRequest{Script: imageScript, Args: []string{headgate, filepath.Join(dir, "image")}})
		}
		image.err = err
	})
	return image.root, image.err
}

// StartPod runs the init containers of a pod, and then its containers.
func (c *Cluster) StartPod(t TB, namespace string, spec corev1.PodSpec) *RunningPod {
	t.Helper()
	return c.StartPodAt(t, inRun, namespace, spec)
}

// StartPodAt is StartPod with a network of the pod's own.
func (c *Cluster) StartPodAt(t TB, place Place, namespace string, spec corev1.PodSpec) *RunningPod {
	t.Helper()
	dir := shortTempDir(t)
	p := &RunningPod{Spec: spec, c: c, namespace: namespace, place: place, dir: dir, containers: map[string]*process{}}
	var err error
	if p.root, err = imageRoot(HeadgateBinary(t)); err != nil {
		t.Fatalf("the image's root: %v", err)
	}
	// The container's user has to get at what is below.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	for _, volume := range spec.Volumes {
		p.makeVolume(t, volume)
	}
	t.Cleanup(p.end)
	for _, container := range spec.InitContainers {
		p.StartContainer(t, container.Name)
		init := p.containers[container.Name]
		if <-init.done; init.err != nil {
			t.Fatalf("init container %s: %v\n%s", container.Name, init.err, init.tail())
		}
	}
	for _, container := range spec.Containers {
		p.StartContainer(t, container.Name)
	}
	return p
}

func (p *RunningPod) end() {
	for _, container := range p.containers {
		if container.running() {
			container.kill()
		}
	}
}

// StartContainer starts a container, again when it has ended.
func (p *RunningPod) StartContainer(t TB, name string) {
	t.Helper()
	cmd := p.command(t, name, nil)
	started, err := startCommand(testLog(t, name+".log"), nil, cmd)
	if err != nil {
		t.Fatalf("container %s: %v", name, err)
	}
	p.containers[name] = started
}

// PID is a container's first process as the machine sees it.
func (p *RunningPod) PID(name string) int { return p.containers[name].cmd.Process.Pid }

// Log is what a container wrote.
func (p *RunningPod) Log(name string) ([]byte, error) {
	container := p.containers[name]
	if container == nil {
		return nil, fmt.Errorf("no container %q", name)
	}
	return os.ReadFile(container.log)
}

// Probe tries things in a further container that is made as this one is.
func (p *RunningPod) Probe(t TB, name string, probe Probe) ProbeResult {
	t.Helper()
	output, err := p.command(t, name, &probe).Output()
	var result ProbeResult
	if err == nil {
		err = json.Unmarshal(output, &result)
	}
	if err != nil {
		t.Fatalf("a probe in %s: %v\n%s", name, err, output)
	}
	return result
}

// KillContainer ends all processes of a container at once.
func (p *RunningPod) KillContainer(name string) { p.containers[name].kill() }

// Stop ends all containers and gives their exit statuses.
func (p *RunningPod) Stop(t TB) map[string]int {
	t.Helper()
	p.Terminate()
	return p.Ended(t)
}

// Terminate tells all containers to end as the runtime does, with the signal of the
// image.
func (p *RunningPod) Terminate() {
	for _, container := range p.Spec.Containers {
		p.containers[container.Name].signal(syscall.SIGTERM) // deploy/image/config.json names no other
	}
}

// Ended waits for the end of all containers, and gives their exit statuses.
func (p *RunningPod) Ended(t TB) map[string]int {
	t.Helper()
	statuses := map[string]int{}
	for _, container := range p.Spec.Containers {
		running := p.containers[container.Name]
		Eventually(t, "the end of container "+container.Name, func() error {
			if running.running() {
				return fmt.Errorf("it runs:\n%s", running.tail())
			}
			return nil
		})
		statuses[container.Name] = running.cmd.ProcessState.ExitCode()
	}
	return statuses
}

// WaitReady waits until the readiness probes of all containers succeed.
func (p *RunningPod) WaitReady(t TB) {
	t.Helper()
	for _, container := range p.Spec.Containers {
		probe := container.ReadinessProbe.HTTPGet
		addr := p.place.Address + ":" + probe.Port.String()
		for _, port := range container.Ports {
			if port.Name == probe.Port.StrVal {
				addr = fmt.Sprintf("%s:%d", p.place.Address, port.ContainerPort)
			}
		}
		Eventually(t, "container "+container.Name+" becoming ready", func() error {
			if running := p.containers[container.Name]; !running.running() {
				t.Fatalf("container %s ended: %v\n%s", container.Name, running.err, running.tail())
			}
			answer, err := Get(addr, addr, probe.Path)
			if err == nil && answer.Status != http.StatusOK {
				err = fmt.Errorf("%s: %d %s", probe.Path, answer.Status, answer.Body)
			}
			return err
		})
	}
}

// container finds a container's part of the manifest.
func (p *RunningPod) container(t TB, name string) corev1.Container {
	t.Helper()
	all := slices.Concat(p.Spec.InitContainers, p.Spec.Containers)
	i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no container %q", name)
	}
	return all[i]
}

// command is this program, which makes itself the container's first process.
func (p *RunningPod) command(t TB, name string, probe *Probe) *exec.Cmd {
	t.Helper()
	container, image := p.container(t, name), ReadImageConfig(t)
	scratch, err := os.MkdirTemp(p.dir, "root-")
	if err != nil {
		t.Fatalf("%v", err)
	}
	user := *p.Spec.SecurityContext.RunAsUser
	spec := containerSpec{
		Network: p.place.Network, Root: p.root, Scratch: scratch, IsReadOnly: *container.SecurityContext.ReadOnlyRootFilesystem,
		Mounts: p.mounts(t, container), UID: int(user), GID: int(*p.Spec.SecurityContext.RunAsGroup),
		Args: image.Config.Entrypoint, Env: p.environment(t, container, image.Config.Env), Probe: probe,
	}
	if len(container.Command) > 0 {
		spec.Args = container.Command
	}
	spec.Args = append(slices.Clone(spec.Args), container.Args...)
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatalf("%v", err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{containerEnv + "=" + string(text)}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWIPC, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}

func (p *RunningPod) mounts(t TB, container corev1.Container) []containerMount {
	t.Helper()
	mounts := []containerMount{{"/etc/hosts", "/etc/hosts", true}}
	if _, err := os.Stat("/etc/resolv.conf"); err == nil {
		mounts = append(mounts, containerMount{"/etc/resolv.conf", "/etc/resolv.conf", true})
	}
	for _, m := range container.VolumeMounts {
		mounts = append(mounts, containerMount{p.volume(m.Name), m.MountPath, m.ReadOnly})
	}
	return mounts
}

// environment is the image's, the API server's address, and the manifest's.
func (p *RunningPod) environment(t TB, container corev1.Container, image []string) []string {
	t.Helper()
	env := append(slices.Clone(image), "HOSTNAME="+p.namespace+"-pod",
		"KUBERNETES_SERVICE_HOST="+p.place.APIServer, fmt.Sprintf("KUBERNETES_SERVICE_PORT=%d", APIServerPort))
	for _, variable := range container.Env {
		if variable.ValueFrom != nil {
			t.Fatalf("variable %s: only plain values are played here", variable.Name)
		}
		env = append(env, variable.Name+"="+variable.Value)
	}
	return env
}

func (p *RunningPod) volume(name string) string { return filepath.Join(p.dir, "volume-"+name) }

// makeVolume makes what the kubelet does: emptyDir is for everybody, a token for the
// pod's user.
func (p *RunningPod) makeVolume(t TB, volume corev1.Volume) {
	t.Helper()
	dir := p.volume(volume.Name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	switch {
	case volume.EmptyDir != nil:
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatalf("%v", err)
		}
	case volume.Projected != nil:
		for name, text := range p.project(t, volume.Projected.Sources) {
			path := filepath.Join(dir, name)
			err := os.WriteFile(path, text, 0o600)
			if err == nil {
				err = os.Chown(path, int(*p.Spec.SecurityContext.RunAsUser), -1)
			}
			if err != nil {
				t.Fatalf("%v", err)
			}
		}
	default:
		t.Fatalf("volume %s: of a kind that is not played here", volume.Name)
	}
}

func (p *RunningPod) project(t TB, sources []corev1.VolumeProjection) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, source := range sources {
		switch {
		case source.ServiceAccountToken != nil:
			files[source.ServiceAccountToken.Path] = p.token(t, source.ServiceAccountToken)
		case source.ConfigMap != nil && source.ConfigMap.Name == "kube-root-ca.crt":
			files[source.ConfigMap.Items[0].Path] = p.c.CA.PEM
		case source.DownwardAPI != nil && source.DownwardAPI.Items[0].FieldRef.FieldPath == "metadata.namespace":
			files[source.DownwardAPI.Items[0].Path] = []byte(p.namespace)
		default:
			t.Fatalf("a projection that is not played here: %v", source)
		}
	}
	return files
}

func (p *RunningPod) token(t TB, source *corev1.ServiceAccountTokenProjection) []byte {
	t.Helper()
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: source.ExpirationSeconds}}
	reply, err := p.c.Client.CoreV1().ServiceAccounts(p.namespace).
		CreateToken(context.Background(), p.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		t.Fatalf("a token for %s/%s: %v", p.namespace, p.Spec.ServiceAccountName, err)
	}
	return []byte(reply.Status.Token)
}

// ImageConfig is what of the configuration of our image is of interest.
type ImageConfig struct {
	Config struct {
		User, StopSignal     string
		Env, Entrypoint, Cmd []string
		ExposedPorts         map[string]struct{}
		Labels               map[string]string
		Healthcheck          struct{ Test []string }
	} `json:"config"`
}

// ReadImageConfig reads the one that deploy/image/build gives the image.
func ReadImageConfig(t TB) ImageConfig {
	t.Helper()
	var config ImageConfig
	text, err := os.ReadFile(filepath.Join(Root(t), imageConfig))
	if err == nil {
		err = json.Unmarshal(text, &config)
	}
	if err != nil {
		t.Fatalf("%s: %v", imageConfig, err)
	}
	return config
}
