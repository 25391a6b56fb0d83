package reloads

import (
	"fmt"
	"strings"
)

const intro = `# What reloads HAProxy

This page is written by a test, [e2e/reloads](../e2e/reloads), which makes each change on each version of HAProxy and fails when this is not what
it costs. Workers are counted among the kernel's processes; what the controller counts and what HAProxy says its PID is have to agree.

A cell is the number of operations on the Runtime API that HAProxy confirmed (` + "`headgate_runtime_operations_total`" + `), and the reasons of reloads
(` + "`headgate_reloads_total`" + `) where there was one. Where there was none, the worker is the same process before and after.
An option's cell has three of that, as it is set on an Ingress, gets another value, and is removed; or one, where they are the same.

| reason | what it means |
|---|---|
| ` + "`backend-set`" + ` | a Service is new, and this HAProxy can't add backends at run time (3.4 can). Reloads are seamless, wait for further changes up to a second, and are at least a second apart |
| ` + "`cold-start`" + ` | HAProxy has no Service yet, and thousands are wanted: the first state of a controller whose state directory is empty. Nobody is served until then, and reading them is faster than adding them one by one |
| ` + "`settings`" + ` | the controller's ConfigMap says something else about the whole of HAProxy: what HAProxy reads only when it starts |
| ` + "`error-pages`" + ` | the ConfigMap of error pages (` + "`--configmap-errorfiles`" + `) says something else |
| ` + "`tcp-services`" + ` | the ConfigMap of TCP services (` + "`--configmap-tcp-services`" + `) has other ports, or another log format |
| ` + "`configuration`" + ` | HAProxy was started with the constant configuration of another version of Headgate. It reads this version's, and everything else with it |

A removed Service reloads nothing: its backend stays behind, empty, until the next reload.
`

const outro = `
The remaining options, %s, say where objects come from and who writes their status. HAProxy hears of the objects only.

No option gives a server a weight.
`

// cell is what stands in the table.
func cell(c cost) string {
	text := c.cell
	if text == "" {
		text = fmt.Sprint(c.operations)
	}
	if len(c.reasons) > 0 {
		text += ", **reload** `" + strings.Join(c.reasons, "`, `") + "`"
	}
	return text
}

// render is the whole page.
func render(p *table) string {
	var b strings.Builder
	b.WriteString(intro)
	last := ""
	for _, k := range p.order {
		section, row, _ := strings.Cut(k, "\x00")
		if section != last {
			fmt.Fprintf(&b, "\n## %s\n\n|  | %s |\n|---|%s\n", section, strings.Join(branches, " | "), strings.Repeat("---|", len(branches)))
			last = section
		}
		cells := []string{}
		for _, branch := range branches {
			cells = append(cells, p.cells[k][branch])
		}
		fmt.Fprintf(&b, "| %s | %s |\n", row, strings.Join(cells, " | "))
	}
	fmt.Fprintf(&b, outro, "`"+strings.Join(sourceFlags, "`, `")+"`")
	return b.String()
}
