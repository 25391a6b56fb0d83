package options

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
	"k8s.io/apimachinery/pkg/runtime"
)

// monitorsState is who may read the metrics, and what those meet who ask: nobody in
// particular, joe with the password "password", and joe with "a:b".
type monitorsState struct {
	name, key string
	users     map[string]string // nil: there is no Secret
	want      [3]int
	says      string // the log
}

var monitorsStates = []monitorsState{
	{"everybody", "", nil, [3]int{200, 200, 200}, ""},
	{"no Secret", namespace + "/readers", nil, [3]int{401, 401, 401}, "there is no Secret shop/readers with users"},
	{"users", namespace + "/readers", is("joe", "$5$abcdefgh$ZLdkj8mkc2XVSrPVjskDAgZPGjtj1VGVaa1aUkrMTU/"), [3]int{401, 200, 401}, "nothing is wrong any more"},
	{"another password", namespace + "/readers", is("joe", "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="), [3]int{401, 401, 200}, ""},
	{"what is no hash", namespace + "/readers", is("joe", "a:b"), [3]int{401, 401, 401}, "until then nobody may read the metrics"},
	{"without a namespace", "readers", is("joe", "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="), [3]int{401, 401, 200}, "nothing is wrong any more"},
	{"what is no Secret", "a/b/c", is("joe", "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="), [3]int{401, 401, 401}, "names no Secret"},
	{"everybody again", "", is("joe", "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="), [3]int{200, 200, 200}, "nothing is wrong any more"},
}

func (s *scene) writeMonitors(state monitorsState) {
	s.t.Helper()
	s.states++
	objects := []runtime.Object{
		harness.IngressClass("headgate", controller),
		harness.Service(namespace, web, "80:8080"), harness.EndpointSlice(namespace, web, "8080", s.ip),
		harness.Ingress(namespace, "state", harness.Class("headgate"), harness.Rule(s.state(), "/", web+":80")),
	}
	if state.key != "" {
		objects = append(objects, configMap("settings", "prometheus-endpoint-auth-secret", state.key))
	}
	if state.users != nil {
		objects = append(objects, harness.Secret(namespace, "readers", state.users))
	}
	harness.WriteManifestFile(s.t, filepath.Join(s.dir, "all.yaml"), objects...)
}

// askAdmin asks the controller itself, with a user and a password or without.
func (s *scene) askAdmin(path, user string) (harness.Answer, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+s.g.Admin+path, nil)
	if err != nil {
		return harness.Answer{}, err
	}
	if name, password, is := strings.Cut(user, ":"); is {
		request.SetBasicAuth(name, password)
	}
	return harness.Do(s.g.Admin, request)
}

// TestMetricsUsers has the users come, change, be spoilt and go who may read the
// controller's metrics, without a reload: nothing that is wrong lets anybody read
// them, and nobody else's path asks for a password.
func TestMetricsUsers(t *testing.T) {
	const branch = "3.4"
	s := &scene{t: t, dir: t.TempDir(), ip: harness.StartPods(t).IP(), g: harness.NewHeadgate(t)}
	s.writeMonitors(monitorsStates[0])
	s.start(branch, "--configmap="+namespace+"/settings")
	s.settle()
	worker := s.info("Pid")
	for _, state := range monitorsStates {
		from := len(s.g.Log())
		s.writeMonitors(state)
		s.settle()
		for i, user := range []string{"", "joe:password", "joe:a:b"} {
			answer, err := s.askAdmin("/metrics", user)
			if err != nil || answer.Status != state.want[i] {
				t.Errorf("%s: %q: status %d instead of %d, %v", state.name, user, answer.Status, state.want[i], err)
			}
			if shows := strings.Contains(answer.Body, "headgate_backends "); shows != (answer.Status == http.StatusOK) {
				t.Errorf("%s: %q: status %d, and the metrics are shown: %v", state.name, user, answer.Status, shows)
			}
			if asks := answer.Header.Get("WWW-Authenticate") != ""; asks != (answer.Status == http.StatusUnauthorized) {
				t.Errorf("%s: %q: status %d, and it asks for a password: %v", state.name, user, answer.Status, asks)
			}
		}
		for _, path := range []string{"/healthz", "/readyz", "/status", "/audit"} {
			if answer, err := s.askAdmin(path, ""); err != nil || answer.Status != http.StatusOK {
				t.Errorf("%s: %s: status %d, %v", state.name, path, answer.Status, err)
			}
		}
		harness.Eventually(t, state.name+": the log", func() error {
			for _, line := range s.g.Log()[from:] {
				if strings.Contains(line.Raw, state.says) {
					return nil
				}
			}
			if state.says == "" {
				return nil
			}
			return errors.New("it does not say so")
		})
	}
	s.wantSameWorker("all of it", worker)
	for _, line := range s.g.Log() {
		for _, secret := range []string{"$5$abcdefgh", "3OptnM09ILoVSfbZtd3mB0IViII", "am9lOmE6Yg", "am9lOnBhc3N3b3Jk"} {
			if strings.Contains(line.Raw, secret) {
				t.Errorf("the log has %s", fmt.Sprintf("%.200s", line.Raw))
			}
		}
	}
}
