package command

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	commandLine = regexp.MustCompile(`(?m)^  ([a-z]+)  `)
	helpFlag    = regexp.MustCompile(`(?m)^  --([a-z-]+)(=?)`)
	pageFlag    = regexp.MustCompile("(?m)^\\| `--([a-z-]+)(=?)")
	manualFlag  = regexp.MustCompile(`(?m)^\\fB--([a-z-]+)(=?)`)
)

// values that are looked into while the command line is read; others are "x".
var values = map[string]string{
	"plan haproxy": "3.4", "check output": "json", "explain header": "A: b",
	"check configmap": "a/b", "check configmap-errorfiles": "a/b", "check configmap-patternfiles": "a/b", "check configmap-tcp-services": "a/b",
	"explain configmap": "a/b", "explain configmap-errorfiles": "a/b", "explain configmap-patternfiles": "a/b",
}

// TestFlags: what each command's --help says, the manual page, and docs/flags.md list
// the same flags, and these are the ones that it takes.
func TestFlags(t *testing.T) {
	summary, _, _ := headgate(t, "", "--help")
	page, err := os.ReadFile("../../docs/flags.md")
	if err != nil {
		t.Fatal(err)
	}
	manual, err := exec.Command("../../deploy/dev/man", binary()).Output()
	if err != nil {
		t.Fatal(err)
	}
	commands := commandLine.FindAllStringSubmatch(summary, -1)
	if documented := strings.Count(string(page), "\n## headgate "); len(commands) == 0 || len(commands) != documented {
		t.Errorf("%d commands, and %d in docs/flags.md", len(commands), documented)
	}
	for _, match := range commands {
		command := match[1]
		help, _, status := headgate(t, "", command, "--help")
		if status != 0 {
			t.Errorf("%s --help: exit status %d", command, status)
		}
		flags := helpFlag.FindAllStringSubmatch(help, -1)
		for what, have := range map[string]string{
			"docs/flags.md":   listed(pageFlag, section(string(page), "\n## headgate "+command+"\n", "\n## ")) + " help",
			"the manual page": listed(manualFlag, strings.ReplaceAll(section(string(manual), `.SH "HEADGATE `+strings.ToUpper(command)+"\"\n", ".SH "), `\-`, "-")),
		} {
			if want := listed(helpFlag, help); strings.TrimSpace(have) != want {
				t.Errorf("%s: --help has\n%s\nand %s\n%s", command, want, what, have)
			}
		}
		for _, flag := range flags {
			argument := "--" + flag[1]
			if flag[2] != "" {
				value := values[command+" "+flag[1]]
				if value == "" {
					value = "x"
				}
				argument += "=" + value
			}
			// --help is the last word of whoever takes what is before it.
			if out, said, status := headgate(t, "", command, argument, "--help"); status != 0 || out != help {
				t.Errorf("%s doesn't take %s: %s", command, argument, said)
			}
		}
		if _, _, status := headgate(t, "", command, "--no-such-flag"); status != 2 {
			t.Errorf("%s --no-such-flag: exit status %d", command, status)
		}
	}
}

// section is what is between a heading and the next one.
func section(text, heading, next string) string {
	_, rest, _ := strings.Cut(text, heading)
	part, _, _ := strings.Cut(rest, next)
	return part
}

// listed are the flags of a text, with = behind those that take something.
func listed(pattern *regexp.Regexp, text string) string {
	var found []string
	for _, match := range pattern.FindAllStringSubmatch(text, -1) {
		found = append(found, match[1]+match[2])
	}
	return strings.Join(slices.Compact(found), " ")
}
