package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"headgate.dev/e2e/chart"
	"headgate.dev/e2e/harness"
)

// furtherValues are values that no plain manifest is made of, each a way in which
// the chart's text can come out wrong.
var furtherValues = map[string]string{
	"other release": `{nameOverride: gate, serviceAccount: {name: other}, controller: {ingressClassResource: {name: second, default: true, parameters: {kind: ConfigMap, name: second, scope: Cluster}}}}`,
	"service":       `{controller: {service: {annotations: {a: b}, labels: {c: d}, externalTrafficPolicy: Local, healthCheckNodePort: 30999, loadBalancerClass: example.test/lb, loadBalancerSourceRanges: [192.0.2.0/24], externalIPs: [192.0.2.1], nodePorts: {http: 30081}}}}`,
	"tcp":           `{haproxy: {ipv6: true}, controller: {extraArgs: [--configmap-tcp-services=headgate/tcp], containerPort: {http: 8081}, networkPolicy: {enabled: true}, service: {tcpPorts: [{name: postgres, port: 5432}, {name: ssh, port: 22, targetPort: 2222, nodePort: 30022}]}}}`,
	"placement":     `{controller: {nodeSelector: {a: b}, tolerations: [{operator: Exists}], affinity: {nodeAffinity: {}}, priorityClassName: system-cluster-critical, topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}], podLabels: {a: b}, podAnnotations: {c: d}, extraLabels: {e: f}, annotations: {g: h}}}`,
	"flags":         `{controller: {ingressClass: one, ingressSelector: "team in (a,b)", defaultTLSSecret: {secret: standard}, config: {log-level: debug}, extraArgs: [--allow-external-name], extraEnvs: [{name: HEADGATE_SELF_CHECK, value: "true"}], logging: {level: debug}}, haproxy: {extraArgs: [--accept-proxy], extraEnvs: [{name: HEADGATE_HAPROXY_LOG_LEVEL, value: info}]}}`,
	"image":         `{controller: {image: {repository: registry.test/a/b, digest: "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", pullPolicy: Always}, existingImagePullSecret: pull}}`,
	"stats":         `{controller: {networkPolicy: {enabled: true}}, haproxy: {stats: {userSecret: {name: stats}, tlsSecret: stats-tls}}}`,
	"ipv6":          `{controller: {service: {ipFamilyPolicy: PreferDualStack}}, haproxy: {ipv6: true, stats: {tlsSecret: stats-tls}}}`,
	"no service":    `{controller: {service: {enabled: false}, extraArgs: [--publish-address=192.0.2.1]}}`,
	"outside":       `{controller: {watchNamespaces: [headgate], config: {auth-url: "https://sso.corp.svc.example.com/check"}, extraArgs: [--allow-external-name]}}`,
	"narrow":        `{controller: {watchNamespaces: [headgate], config: {client-ca: clients, auth-url: "http://auth.headgate.svc:4180/"}, defaultTLSSecret: {secret: standard, secretNamespace: infra}}}`,
	"budget":        `{controller: {PodDisruptionBudget: {minAvailable: 0}}}`,
	"little":        `{rbac: {create: false}, serviceAccount: {create: false, name: mine}, controller: {publishService: {enabled: false}, PodDisruptionBudget: {enable: false}, service: {enabled: false}}}`,
}

func render(t *testing.T, release chart.Release, values string) []*unstructured.Unstructured {
	t.Helper()
	var parsed map[string]any
	if err := yaml.Unmarshal([]byte(values), &parsed); err != nil {
		t.Fatal(err)
	}
	documents, err := chart.Render(harness.Root(t), release, parsed)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, strings.Join(documents, "---\n"))
}

// parse refuses what kubectl would let pass: a key that is there twice.
func parse(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	for _, document := range strings.Split(text, "\n---\n") {
		var object map[string]any
		if err := yaml.UnmarshalStrict([]byte(document), &object); err != nil {
			t.Errorf("%v in\n%s", err, document)
		}
	}
	objects, err := harness.ParseManifests(text)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// workload is the Deployment or DaemonSet among the objects.
func workload(t *testing.T, objects []*unstructured.Unstructured) (kind string, template corev1.PodTemplateSpec) {
	t.Helper()
	for _, object := range objects {
		if kind = object.GetKind(); kind != "Deployment" && kind != "DaemonSet" {
			continue
		}
		var both appsv1.DaemonSet // a Deployment's template is in the same place
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &both); err != nil {
			t.Fatal(err)
		}
		return kind, both.Spec.Template
	}
	t.Fatal("no workload")
	return "", template
}

// TestPlainManifests compares the files with the chart: `make manifests` makes them.
func TestPlainManifests(t *testing.T) {
	variants, err := chart.Variants(harness.Root(t))
	if err != nil || len(variants) < 5 {
		t.Fatalf("%v %v", variants, err)
	}
	for _, variant := range variants {
		want, err := chart.PlainManifest(harness.Root(t), variant)
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join(harness.Root(t), chart.Plain, variant+".yaml"))
		if err != nil || string(have) != want {
			t.Errorf("%s/%s.yaml (%v) is not what the chart gives: run `make manifests`", chart.Plain, variant, err)
		}
	}
}

// TestAccepted has the API server look at every object, as strictly as it can, and
// at the pod that would be made.
func TestAccepted(t *testing.T) {
	c := harness.StartCluster(t)
	c.Apply(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "team-a"}})
	variants, err := chart.Variants(harness.Root(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, variant := range variants {
		text, err := os.ReadFile(filepath.Join(harness.Root(t), chart.Plain, variant+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(variant, func(t *testing.T) { accepted(t, c, parse(t, string(text)), variant == "daemonset") })
	}
	for name, values := range furtherValues {
		t.Run(name, func(t *testing.T) {
			objects := render(t, chart.Release{Name: "edge", Namespace: "headgate"}, values)
			namespace := &unstructured.Unstructured{Object: map[string]any{
				"apiVersion": "v1", "kind": "Namespace",
				"metadata": map[string]any{"name": "headgate", "labels": map[string]any{"pod-security.kubernetes.io/enforce": "restricted"}},
			}}
			accepted(t, c, append([]*unstructured.Unstructured{namespace}, objects...), false)
		})
	}
}

func accepted(t *testing.T, c *harness.Cluster, objects []*unstructured.Unstructured, hasHostPorts bool) {
	t.Helper()
	for _, object := range objects {
		switch object.GetKind() {
		case "Namespace": // the others need it, and its Pod Security level
			c.Apply(t, object)
		case "ServiceMonitor": // not of this API server
			var monitor monitoringv1.ServiceMonitor
			text, err := yaml.Marshal(object.Object)
			if err == nil {
				err = yaml.UnmarshalStrict(text, &monitor)
			}
			if err != nil || len(monitor.Spec.Endpoints) != 2 {
				t.Errorf("ServiceMonitor: %v", err)
			}
		default:
			if err := c.TryStrict(object); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
	_, template := workload(t, objects)
	if err := admit(c, "headgate", template); err != nil {
		t.Errorf("the pod: %v", err)
	}
	if hasHostPorts {
		// Of all that "restricted" asks for, only the ports are missing.
		namespace := c.Namespace(t)
		c.Apply(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespace, Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
		}})
		err := admit(c, namespace, template)
		if err == nil || !strings.HasSuffix(err.Error(), `violates PodSecurity "restricted:latest": hostPort (container "haproxy" uses hostPorts 443, 80)`) {
			t.Errorf("in a restricted namespace: %v", err)
		}
	}
}

// admit asks whether such a pod could be made.
func admit(c *harness.Cluster, namespace string, template corev1.PodTemplateSpec) error {
	pod := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
	pod.Namespace, pod.Name = namespace, "accepted"
	// Priority classes are others' to make.
	pod.Spec.PriorityClassName = ""
	_, err := c.Client.CoreV1().Pods(namespace).Create(context.Background(), pod,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	return err
}

// TestStrictness shows that TestAccepted can fail.
func TestStrictness(t *testing.T) {
	c := harness.StartCluster(t)
	objects := render(t, chart.Release{Name: "headgate", Namespace: "headgate"}, `{namespace: {create: true}}`)
	c.Apply(t, objects[0])
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			object.Object["spec"].(map[string]any)["replica"] = int64(1)
			if err := c.TryStrict(object); err == nil || !strings.Contains(err.Error(), "replica") {
				t.Errorf("an unknown field: %v", err)
			}
		}
	}
	_, template := workload(t, objects)
	template.Spec.Containers[1].SecurityContext.Capabilities = nil
	if err := admit(c, "headgate", template); err == nil || !strings.Contains(err.Error(), "PodSecurity") {
		t.Errorf("a pod with capabilities: %v", err)
	}
}

// TestValuesRefused: what the schema doesn't know is an error, not a setting that has
// no effect.
func TestValuesRefused(t *testing.T) {
	const unseen = "is not in controller.watchNamespaces, so what it names there is not seen: add the namespace"
	for values, said := range map[string]string{
		`{controller: {containerPort: {stat: 8405}}}`:                                                                                       "controller.containerPort.admin and controller.containerPort.stat are both 8405: give one of them another port",
		`{haproxy: {stats: {tlsSecret: s, tlsPort: 8443}}}`:                                                                                 "controller.containerPort.https and haproxy.stats.tlsPort are both 8443",
		`{controller: {service: {ports: {http: 443}}}}`:                                                                                     "controller.service.ports.http and controller.service.ports.https are both 443",
		`{controller: {service: {healthCheckNodePort: 30080, nodePorts: {http: 30080}}}}`:                                                   "controller.service.healthCheckNodePort and controller.service.nodePorts.http are both 30080",
		`{controller: {daemonset: {hostPorts: {https: 80}}}}`:                                                                               "controller.daemonset.hostPorts.http and controller.daemonset.hostPorts.https are both 80",
		`{controller: {extraArgs: [--configmap-errorfiles=b/pages]}}`:                                                                       "--configmap-errorfiles: ConfigMaps are read in namespace a only, not in b: move it there",
		`{controller: {extraArgs: [--configmap-patternfiles=b/patterns]}}`:                                                                  "--configmap-patternfiles: ConfigMaps are read in namespace a only, not in b: move it there",
		`{controller: {watchNamespaces: [a], config: {prometheus-endpoint-auth-secret: b/users}}}`:                                          "controller.config.prometheus-endpoint-auth-secret: namespace b " + unseen,
		`{controller: {extraArgs: [--configmap-tcp-services=b/tcp]}}`:                                                                       "--configmap-tcp-services: ConfigMaps are read in namespace a only, not in b: move it there",
		`{controller: {service: {tcpPorts: [{name: db, port: 5432, targetPort: 8080}]}}}`:                                                   "controller.containerPort.http and the target of controller.service.tcpPorts db are both 8080",
		`{controller: {service: {tcpPorts: [{name: db, port: 443, targetPort: 5432}]}}}`:                                                    "controller.service.ports.https and controller.service.tcpPorts db are both 443",
		`{controller: {service: {tcpPorts: [{name: db, port: 5432}, {name: db, port: 5433}]}}}`:                                             "controller.service.tcpPorts: two are called db",
		`{controller: {service: {tcpPorts: [{name: db, port: 5432, nodePort: 30001}, {name: pg, port: 5433, nodePort: 30001}]}}}`:           "controller.service.tcpPorts db, nodePort and controller.service.tcpPorts pg, nodePort are both 30001",
		`{controller: {service: {tcpPorts: [{name: db, port: 5432, protocol: UDP}]}}}`:                                                      "protocol",
		`{controller: {watchNamespaces: [b]}}`:                                                                                              "controller.publishService: namespace a " + unseen + ", or set controller.publishService.enabled to false",
		`{controller: {watchNamespaces: [a], publishService: {pathOverride: b/lb}}}`:                                                        "controller.publishService: namespace b " + unseen,
		`{controller: {watchNamespaces: [b], publishService: {enabled: false}, config: {client-ca: ca}}}`:                                   "controller.config.client-ca: namespace a " + unseen,
		`{controller: {watchNamespaces: [a], config: {default-backend-service: "b/errors:80"}}}`:                                            "controller.config.default-backend-service: namespace b " + unseen,
		`{controller: {watchNamespaces: [a], config: {auth-secret: b/users}}}`:                                                              "controller.config.auth-secret: namespace b " + unseen,
		`{controller: {watchNamespaces: [a], config: {server-ca: b/ca}}}`:                                                                   "controller.config.server-ca: namespace b " + unseen,
		`{controller: {watchNamespaces: [a], config: {server-crt: b/crt}}}`:                                                                 "controller.config.server-crt: namespace b " + unseen,
		`{controller: {watchNamespaces: [a], config: {auth-url: "https://auth.b.svc.cluster.local/x"}}}`:                                    "controller.config.auth-url: namespace b " + unseen,
		`{controller: {watchNamespaces: [a], extraArgs: [--default-backend=b/errors:80]}}`:                                                  "controller.extraArgs: --default-backend: namespace b " + unseen,
		`{rbac: {namespaced: true}, controller: {watchNamespaces: [a], config: {ssl-certificate: b/crt}}}`:                                  "controller.config.ssl-certificate: namespace b " + unseen,
		`{rbac: {namespaced: true}, controller: {watchNamespaces: [a], extraArgs: [--default-certificate=b/crt]}}`:                          "controller.extraArgs: --default-certificate: namespace b " + unseen,
		`{rbac: {namespaced: true}, controller: {watchNamespaces: [a], defaultTLSSecret: {secret: crt, secretNamespace: b}}}`:               "controller.defaultTLSSecret: namespace b " + unseen,
		`{rbac: {namespaced: true}, controller: {watchNamespaces: [b], publishService: {enabled: false}, defaultTLSSecret: {secret: crt}}}`: "controller.defaultTLSSecret: namespace a " + unseen,
		`{controller: {ingressClas: a}}`:                                                                                                    "ingressClas",
		`{controller: {kind: StatefulSet}}`:                                                                                                 "kind",
		`{controller: {containerPort: {http: 80}}}`:                                                                                         "http",
		`{controller: {extraArgs: ["-v"]}}`:                                                                                                 "extraArgs",
		`{controller: {pprof: {enabled: true}}}`:                                                                                            "pprof",
		`{rbac: {namespaced: true}}`:                                                                                                        "watchNamespaces",
		`{controller: {watchNamespaces: [a, a]}}`:                                                                                           "watchNamespaces",
		`{controller: {watchNamespaces: ["a,b"]}}`:                                                                                          "watchNamespaces",
		`{controller: {watchNamespaces: a}}`:                                                                                                "watchNamespaces",
		`{controller: {terminationGracePeriodSeconds: 10}}`:                                                                                 "terminationGracePeriodSeconds",
	} {
		var parsed map[string]any
		if err := yaml.Unmarshal([]byte(values), &parsed); err != nil {
			t.Fatal(err)
		}
		if _, err := chart.Render(harness.Root(t), chart.Release{Name: "a", Namespace: "a"}, parsed); err == nil || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", values, err)
		}
	}
}

// TestPublishedService: no Service is named that the chart does not make, or that
// nobody asked for.
func TestPublishedService(t *testing.T) {
	for values, want := range map[string]string{
		`{}`: "--publish-service=headgate/edge-headgate",
		`{controller: {service: {enabled: false}}}`:                                           "",
		`{controller: {service: {enabled: false}, publishService: {pathOverride: infra/lb}}}`: "--publish-service=infra/lb",
		`{controller: {publishService: {pathOverride: infra/lb}}}`:                            "--publish-service=infra/lb",
		`{controller: {publishService: {enabled: false, pathOverride: infra/lb}}}`:            "",
		`{controller: {service: {enabled: false}, extraArgs: [--publish-address=192.0.2.1]}}`: "--publish-address=192.0.2.1",
	} {
		_, template := workload(t, render(t, chart.Release{Name: "edge", Namespace: "headgate"}, values))
		have := slices.DeleteFunc(template.Spec.Containers[0].Args, func(arg string) bool { return !strings.HasPrefix(arg, "--publish-") })
		if strings.Join(have, " ") != want {
			t.Errorf("%s: %q, want %q", values, have, want)
		}
	}
}

// TestValuesDocumented: every value of the schema is in values.yaml, and the other
// way round.
func TestValuesDocumented(t *testing.T) {
	read := func(name string) map[string]any {
		var parsed map[string]any
		text, err := os.ReadFile(filepath.Join(harness.Root(t), chart.Folder, name))
		if err == nil {
			err = yaml.UnmarshalStrict(text, &parsed)
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return parsed
	}
	compareValues(t, "", read("values.schema.json"), read("values.yaml"))
}

func compareValues(t *testing.T, at string, schema, values map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	for name := range properties {
		if _, ok := values[name]; !ok && at+name != "global" && at != "controller.service.nodePorts." {
			t.Errorf("%s%s is in values.schema.json only", at, name)
		}
	}
	for name, value := range values {
		property, ok := properties[name].(map[string]any)
		inner, isMap := value.(map[string]any)
		switch {
		case !ok:
			t.Errorf("%s%s is in values.yaml only", at, name)
		case isMap && property["properties"] != nil:
			compareValues(t, fmt.Sprintf("%s%s.", at, name), property, inner)
		}
	}
}
