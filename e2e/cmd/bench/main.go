// Command bench measures Headgate from outside: how long a change takes to reach
// traffic, what it costs, and what the controller weighs. bench/README.md says
// what each figure means; bench/run builds and starts it.
package main

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"headgate.dev/e2e/harness"
)

const haproxyBranch = "3.4"

// maxSize is what the names of the sites and the addresses of the pods are enough for.
const maxSize = 100000

type options struct {
	results  string
	sizes    []int
	samples  int
	churn    int
	bursts   []int
	hosts    []int // of the comparison of the data plane
	requests int
	lines    bool
	routes   []int // among which policies are measured
	peers    string
	subjects string
	rate     int
	scores   *scores
}

func main() {
	var o options
	sizes := flag.String("sizes", "1000,10000", "numbers of Ingresses to measure with")
	flag.StringVar(&o.results, "results", "", "folder to record the results in; without it they are only printed")
	flag.IntVar(&o.samples, "samples", 250, "changes of each class whose time is taken")
	flag.IntVar(&o.churn, "churn", 1000, "changes of each class whose processor time is taken")
	bursts := flag.String("bursts", "1000", "numbers of Ingresses that are made at once")
	hosts := flag.String("hosts", "10", "numbers of hosts to compare the data plane with")
	routes := flag.String("policies", "", "numbers of routes among which to measure what policies cost a request (10000)")
	flag.IntVar(&o.requests, "requests", 2000, "requests of each of the turns that are compared")
	flag.BoolVar(&o.lines, "lines", false, "count what each line of the configuration costs (takes minutes)")
	flag.StringVar(&o.peers, "peers", "", "compare with other controllers, in these folders, and measure nothing else: see bench/peers/run")
	flag.StringVar(&o.subjects, "subjects", "Headgate,haproxytech,haproxy-ingress", "with -peers: who takes part; with :defaults after its name a peer does as installed")
	flag.IntVar(&o.rate, "rate", 100, "with -peers: requests a second during the changes")
	flag.Parse()
	o.bursts = numbers("bursts", *bursts)
	o.routes = numbers("policies", *routes)
	o.sizes, o.hosts = numbers("sizes", *sizes), numbers("hosts", *hosts)
	measured := run
	if o.peers != "" {
		measured = comparePeers
	}
	os.Exit(harness.Isolated(func() int { return measured(o) }))
}

// numbers reads a list of sizes, which may be empty.
func numbers(name, list string) (all []int) {
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxSize {
			fmt.Fprintf(os.Stderr, "bench: -%s: %q is not a number from 1 to %d\n", name, text, maxSize)
			os.Exit(2)
		}
		all = append(all, n)
	}
	return all
}

func run(o options) (code int) {
	t := harness.NewProgram("bench")
	defer func() { code = t.End(recover()) }()
	pods := startPods(t)
	report := newReport(o)

	empty := start(t, pods, 0)
	report.haproxy = empty.haproxyVersion(t)
	report.headgate = empty.headgateVersion(t)
	report.idle = empty.rest(t)
	report.add(0, "memory", "controller, private, idle", kib(report.idle.private))
	report.add(0, "memory", "of it, not of files", kib(report.idle.anonymous))
	report.add(0, "memory", "controller, in all, with libraries that others use, too (VmRSS)", kib(report.idle.resident))
	report.add(0, "memory", "controller, peak (VmHWM)", kib(report.idle.peak))
	empty.stop()

	for _, size := range o.sizes {
		fmt.Fprintf(os.Stderr, "bench: %d Ingresses\n", size)
		measure(t, report, pods, size, o)
	}
	report.addGrowth()
	for _, hosts := range o.hosts {
		fmt.Fprintf(os.Stderr, "bench: %d hosts through the data plane\n", hosts)
		dataPlane(t, report, pods, hosts, o)
	}
	for _, routes := range o.routes {
		fmt.Fprintf(os.Stderr, "bench: policies among %d routes\n", routes)
		policyCosts(t, report, pods, routes, o)
	}
	report.print(os.Stdout)
	if o.results != "" {
		report.record(t, o.results)
	}
	return 0
}
