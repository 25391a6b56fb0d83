package install

import (
	"regexp"
	"testing"

	"headgate.dev/e2e/harness"
)

// TestPagesAccepted: the objects that the quick start shows are taken as strictly as
// those that we install.
func TestPagesAccepted(t *testing.T) {
	c := harness.StartCluster(t)
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(repositoryFile(t, "docs/quickstart.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("no objects")
	}
	for _, block := range blocks {
		for _, object := range parse(t, block[1]) {
			if err := c.TryStrict(object); err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
}
