package install

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestImageConfig: the Dockerfile and deploy/image/config.json, of which
// deploy/image/build makes the same image, say the same.
func TestImageConfig(t *testing.T) {
	_, text, ok := strings.Cut(repositoryFile(t, "Dockerfile"), "\nFROM scratch\n")
	if !ok {
		t.Fatal("the image begins with more than nothing")
	}
	said := map[string]string{}
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", ""), "\n") {
		if instruction, rest, ok := strings.Cut(line, " "); ok {
			said[instruction] = rest
		}
	}
	list := func(text string) []string {
		var values []string
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		return values
	}
	config := harness.ReadImageConfig(t).Config
	var ports, labels []string
	for port := range config.ExposedPorts {
		ports = append(ports, strings.TrimSuffix(port, "/tcp"))
	}
	for name, value := range config.Labels {
		labels = append(labels, fmt.Sprintf("%s=%q", name, value))
	}
	compare := func(what string, dockerfile, json []string) {
		t.Helper()
		slices.Sort(dockerfile)
		slices.Sort(json)
		if !slices.Equal(dockerfile, json) {
			t.Errorf("%s: the Dockerfile has %q, config.json %q", what, dockerfile, json)
		}
	}
	compare("user", []string{said["USER"]}, []string{config.User})
	compare("environment", strings.Fields(said["ENV"]), config.Env)
	compare("entry point", list(said["ENTRYPOINT"]), config.Entrypoint)
	compare("command", list(said["CMD"]), config.Cmd)
	compare("signal", []string{said["STOPSIGNAL"]}, []string{config.StopSignal})
	compare("ports", strings.Fields(said["EXPOSE"]), ports)
	compare("labels", regexp.MustCompile(`[a-z.]+="[^"]*"`).FindAllString(said["LABEL"], -1), labels)
	_, health, _ := strings.Cut(said["HEALTHCHECK"], " CMD ")
	compare("health check", append(list(health), "CMD"), config.Healthcheck.Test)
}
