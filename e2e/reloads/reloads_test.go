package reloads

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"headgate.dev/e2e/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// branches of HAProxy, the columns of the table.
var branches = []string{"2.6", "3.0", "3.2", "3.4"}

// liveBranch adds backends while it runs: what a tenant does must not reload it.
const liveBranch = "3.4"

// table is the page: sections of rows, with a cell for each branch.
type table struct {
	mu    sync.Mutex
	order []string                     // section and row, as in key
	cells map[string]map[string]string // by key and branch
}

func key(section, row string) string { return section + "\x00" + row }

func (p *table) add(t *testing.T, section, row, branch, cell string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	k := key(section, row)
	if _, ok := p.cells[k][branch]; ok {
		t.Errorf("two rows are called %s: %s", section, row)
	}
	if p.cells[k] == nil {
		p.cells[k] = map[string]string{}
		p.order = append(p.order, k)
	}
	p.cells[k][branch] = cell
}

// TestReloads makes every change on every branch, each in a scene of its own, and
// compares what it cost with docs/reloads.md. HEADGATE_UPDATE=1 writes the page.
func TestReloads(t *testing.T) {
	page := &table{cells: map[string]map[string]string{}}
	secrets := newSecrets(t)
	t.Run("branch", func(t *testing.T) {
		for _, branch := range branches {
			t.Run(branch, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, branch, baseObjects(secrets))
				for _, part := range tenantSections(secrets) {
					s.runSection(page, part, branch == liveBranch)
				}
				s.runOptions(page, branch == liveBranch)
				for _, part := range operatorSections(secrets) {
					s.runSection(page, part, false)
				}
				s.runFlags(page)
			})
		}
	})
	if t.Failed() {
		return
	}
	compare(t, render(page))
}

func (s *scene) runSection(page *table, part section, isLive bool) {
	s.t.Helper()
	for _, c := range part.rows {
		s.write(c.from)
		cost := s.measure(false, func() { s.write(c.to) })
		s.want(c.want)
		s.record(page, part.name, c.name, cost)
		if isLive && (cost.workers != 0 || len(cost.reasons) != 0) {
			s.t.Errorf("%s: %s: %s: a tenant's change reloads", s.branch, part.name, c.name)
		}
		s.write(nil)
	}
}

// runFlags restarts the controller: killed, so that HAProxy runs on, or in order,
// which ends HAProxy, too.
func (s *scene) runFlags(page *table) {
	s.t.Helper()
	for _, f := range liveFlags {
		cost := s.measure(true, func() {
			s.g.Kill()
			s.start(f.text)
		})
		s.want(f.want)
		cost.cell = f.cell
		s.record(page, "Options of a controller that starts anew beside its HAProxy", "`"+f.text+"`", cost)
		s.g.Kill()
		s.start()
	}
	s.runUpgrade(page)
	for _, f := range processFlags {
		from := s.worker()
		s.g.Stop(s.t)
		if strings.HasSuffix(f.text, "=") {
			s.start()
		} else {
			s.start(f.text)
		}
		s.want(f.want)
		to := s.worker()
		s.t.Logf("%s: %s: worker %d, then %d", s.branch, f.text, from, to)
		cell := "new process"
		if from == to {
			cell = "same process"
		}
		page.add(s.t, "Options that HAProxy is started with", "`"+flagName(f.text)+"`", s.branch, cell)
	}
}

// runUpgrade has a controller find a HAProxy that another version has started, whose
// files are this version's by now.
func (s *scene) runUpgrade(page *table) {
	s.t.Helper()
	config := "--config-dir=" + filepath.Join(s.t.TempDir(), "haproxy-cfg")
	install := func(digest string) {
		harness.InstallConfig(s.t, strings.TrimPrefix(config, "--config-dir="), digest)
	}
	install("0123456789abcdef")
	s.g.Stop(s.t)
	s.start(config) // and finds that a reload changes nothing
	cost := s.measure(true, func() {
		s.g.Kill()
		install("")
		s.start(config)
	})
	s.want(webIsThere)
	s.record(page, "A controller that starts anew beside another version's HAProxy", "the constant configuration has changed", cost)
	s.g.Stop(s.t)
	s.start()
}

// record writes a cell.
func (s *scene) record(page *table, section, row string, c cost) {
	s.t.Helper()
	s.t.Logf("%s: %s: %s: %d operations, reloads %v, worker %d, then %d", s.branch, section, row, c.operations, c.reasons, c.from, c.to)
	s.agrees(section+": "+row, c)
	page.add(s.t, section, row, s.branch, cell(c))
}

// agrees demands that the kernel's processes, HAProxy and the controller say the
// same about reloads.
func (s *scene) agrees(what string, c cost) {
	s.t.Helper()
	if c.workers != len(c.reasons) || (c.from != c.to) != (c.workers > 0) {
		s.t.Errorf("%s: %s: %d new workers, reloads %v, worker %d, then %d", s.branch, what, c.workers, c.reasons, c.from, c.to)
	}
}

func compare(t *testing.T, page string) {
	t.Helper()
	old := readPage(t)
	if page == old {
		return
	}
	if os.Getenv("HEADGATE_UPDATE") != "" {
		if err := os.WriteFile(docsFile(t), []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, was := strings.Split(page, "\n"), strings.Split(old, "\n")
	for i := range max(len(is), len(was)) {
		if i >= len(is) || i >= len(was) || is[i] != was[i] {
			t.Fatalf("docs/reloads.md is not what was measured, from line %d on; see the costs above, and if they are right: HEADGATE_UPDATE=1 make e2e RUN=TestReloads\n%s",
				i+1, strings.Join(is[min(i, len(is)):min(i+3, len(is))], "\n"))
		}
	}
}
