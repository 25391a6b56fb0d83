package harness

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ProcFields reads a file of lines "Name:  123 kB", as there are below /proc/PID.
func ProcFields(pid int, name string) (map[string]int, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	found := map[string]int{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if words := strings.Fields(value); len(words) == 2 && words[1] == "kB" {
			found[name], _ = strconv.Atoi(words[0])
		}
	}
	return found, lines.Err()
}

// PrivateMemory is what a process has that no other one has, in KiB. Libraries count
// unless somebody else uses the same file.
func PrivateMemory(pid int) (int, error) {
	rollup, err := ProcFields(pid, "smaps_rollup")
	return rollup["Private_Dirty"] + rollup["Private_Clean"], err
}
