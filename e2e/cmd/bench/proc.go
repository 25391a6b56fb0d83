package main

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"

	"headgate.dev/e2e/harness"
)

// memory is what a process has to itself, the part of it that no file has, what it
// has in memory, the program's files and libraries included, and the most that this
// ever was.
type memory struct{ private, anonymous, resident, peak int } // KiB

func readMemory(t harness.TB, pid int) memory {
	private, err := harness.PrivateMemory(pid)
	if err != nil {
		t.Fatalf("%v", err)
	}
	rollup, status := fields(t, pid, "smaps_rollup"), fields(t, pid, "status")
	return memory{private, rollup["Anonymous"], status["VmRSS"], status["VmHWM"]}
}

func fields(t harness.TB, pid int, name string) map[string]int {
	found, err := harness.ProcFields(pid, name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return found
}

// ticks is Linux' unit in /proc/PID/stat, whatever the kernel's own is.
const ticks = 100

// processorSeconds is user and system time of a process, and of its children that
// have ended.
type processorSeconds struct{ own, children float64 }

func cpuTime(t harness.TB, pid int) processorSeconds {
	spent, err := tryCPUTime(pid)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return spent
}

func tryCPUTime(pid int) (processorSeconds, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processorSeconds{}, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	words := strings.Fields(after)
	var times [4]float64 // user and system, then the same of the children
	for i := range times {
		times[i], _ = strconv.ParseFloat(words[11+i], 64)
	}
	return processorSeconds{(times[0] + times[1]) / ticks, (times[2] + times[3]) / ticks}, nil
}

// machine is what the figures depend on, in a few lines without any path.
func machine() []string {
	return []string{
		fmt.Sprintf("processor  %s, %d cores", valueOf("/proc/cpuinfo", "model name"), runtime.NumCPU()),
		"memory     " + valueOf("/proc/meminfo", "MemTotal"),
		"kernel     " + output("uname", "-sr"),
	}
}

// load says what else the machine was doing before the run began.
func load() string { return loadNow() + " over 1, 5 and 15 minutes before the run" }

func loadNow() string {
	text, _ := os.ReadFile("/proc/loadavg")
	words := strings.Fields(string(text))
	if len(words) < 3 {
		return "unknown"
	}
	return strings.Join(words[:3], " ")
}

func valueOf(path, name string) string {
	text, _ := os.ReadFile(path)
	for _, line := range strings.Split(string(text), "\n") {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return "unknown"
}

func output(program string, args ...string) string {
	text, err := exec.Command(program, args...).Output()
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return first
}

// compiler is what the controller's file says that it was made with.
func compiler(pid int) string {
	file, err := elf.Open(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return "unknown"
	}
	defer file.Close()
	section := file.Section(".comment")
	if section == nil {
		return "unknown"
	}
	text, _ := section.Data()
	first, _, _ := strings.Cut(strings.Trim(string(text), "\x00"), "\x00")
	return first
}
