package main

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

// topPause is how long "top -w" shows one look.
const topPause = 2 * time.Second

type topOptions struct {
	sortBy  string
	watch   bool
	backend string
	output  string
}

// usageReport is what "berth top -o json" prints.
type usageReport struct {
	Time     time.Time      `json:"time"`
	Pods     []podUsage     `json:"pods"`
	Problems []usageProblem `json:"problems"`
}

type podUsage struct {
	PodName        string   `json:"podName"`
	BackendName    string   `json:"backendName"`
	DeploymentName string   `json:"deploymentName"`
	CPU            float64  `json:"cpu"`
	CPULimit       *float64 `json:"cpuLimit"`
	Memory         int64    `json:"memory"`
	MemoryLimit    *int64   `json:"memoryLimit"`
}

type usageProblem struct {
	Backend string `json:"backend"`
	Message string `json:"message"`
}

const usageQuery = `query($deployment: String, $backend: String) {
	usage(deployment: $deployment, backend: $backend) {
		time
		pods { podName backendName deploymentName cpu cpuLimit memory memoryLimit }
		problems { backend message }
	} }`

// topOrders are what pods may be sorted by; those that use the most come first.
var topOrders = map[string]func(a, b podUsage) int{
	"cpu":    func(a, b podUsage) int { return cmp.Compare(b.CPU, a.CPU) },
	"memory": func(a, b podUsage) int { return cmp.Compare(b.Memory, a.Memory) },
	"name":   func(podUsage, podUsage) int { return 0 },
}

func newTop(c console) *cobra.Command {
	var o topOptions
	cmd := &cobra.Command{
		Use:   "top [DEPLOYMENT]",
		Short: "Print the CPU and memory that pods use now",
		Long: `Ask the backends what their pods use at this moment, and print it beside what
each pod may use. CPUs are told in thousandths: 250m is a quarter of one. A
backend that does not tell is named on standard error, and makes the command
fail.`,
		Example: `  berth top
  berth top stardist-john --watch
  berth top --sort-by memory`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNames(firstOnly, "deployments"),
	}
	server := addServerFlags(cmd)
	outputFlag(cmd, &o.output, "table", "json")
	orders := []string{"cpu", "memory", "name"}
	cmd.Flags().StringVar(&o.sortBy, "sort-by", "cpu", "the order: "+strings.Join(orders, ", "))
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "look again every two seconds, until interrupted")
	cmd.Flags().StringVar(&o.backend, "backend", "", "only pods on this backend")
	completeFlag(cmd, "backend", "backends")
	completeFixed(cmd, "sort-by", orders)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if topOrders[o.sortBy] == nil {
			return usageErrorf("--sort-by: %q is none of %s", o.sortBy, strings.Join(orders, ", "))
		}
		ask, err := server.open()
		if err != nil {
			return err
		}
		variables := map[string]any{}
		if len(args) > 0 {
			variables["deployment"] = deploymentName(args[0])
		}
		if o.backend != "" {
			variables["backend"] = o.backend
		}
		if o.watch {
			return watchTop(cmd.Context(), c, ask, o, variables)
		}
		return topOnce(cmd.Context(), c, ask, o, variables)
	}
	return cmd
}

func topOnce(ctx context.Context, c console, ask *client.Client, o topOptions, variables map[string]any) error {
	report, err := askUsage(ctx, ask, o, variables)
	if err != nil {
		return err
	}
	if o.output == "json" {
		err = writeJSON(c.out, report)
	} else {
		err = tellUsage(c, report)
	}
	if err == nil && len(report.Problems) > 0 {
		err = exitError(exitFailed)
	}
	return err
}

// watchTop looks again and again until ctx ends, which is no error. On a terminal
// one look takes the place of the other.
func watchTop(ctx context.Context, c console, ask *client.Client, o topOptions, variables map[string]any) error {
	p := &persistence{ask: ask, err: c.err, planned: true}
	for begun := false; ; begun = true {
		report, err := askUsage(ctx, ask, o, variables)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !begun:
			return err
		case err != nil:
			err = p.again(ctx, err)
		default:
			p.progress()
			err = tellAgain(c, o, report, begun)
		}
		if err == nil {
			err = sleep(ctx, topPause)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// tellAgain prints one look of several.
func tellAgain(c console, o topOptions, report usageReport, begun bool) error {
	switch {
	case o.output == "json":
		return writeLine(c.out, report)
	case interactive(c.out):
		fmt.Fprint(c.out, "\x1b[H\x1b[2J") // to the corner, and clear (ECMA-48)
	case begun:
		fmt.Fprintln(c.out)
	}
	return tellUsage(c, report)
}

func askUsage(ctx context.Context, ask *client.Client, o topOptions, variables map[string]any) (usageReport, error) {
	var answer struct{ Usage usageReport }
	if err := ask.Query(ctx, usageQuery, variables, &answer); err != nil {
		return usageReport{}, err
	}
	pods := answer.Usage.Pods
	slices.SortStableFunc(pods, func(a, b podUsage) int {
		return cmp.Or(topOrders[o.sortBy](a, b), cmp.Compare(a.PodName, b.PodName), cmp.Compare(a.BackendName, b.BackendName))
	})
	return answer.Usage, nil
}

func tellUsage(c console, report usageReport) error {
	for _, p := range report.Problems {
		fmt.Fprintf(c.err, "backend %s does not tell: %s\n", oneLine(p.Backend), oneLine(p.Message))
	}
	if len(report.Pods) == 0 {
		fmt.Fprintln(c.err, "no pod runs that tells what it uses")
		return nil
	}
	t := newTable(c.out, "POD", "DEPLOYMENT", "BACKEND", "CPU", "CPU LIMIT", "CPU%", "MEMORY", "MEMORY LIMIT", "MEMORY%")
	for _, p := range report.Pods {
		t.row(p.PodName, p.DeploymentName, p.BackendName, millis(p.CPU), limitOf(p.CPULimit), percent(p.CPU, p.CPULimit),
			formatBytes(p.Memory), bytesOf(p.MemoryLimit), percent(float64(p.Memory), asFloat(p.MemoryLimit)))
	}
	return t.flush()
}

// millis writes CPUs as thousandths, so that rows compare.
func millis(cpus float64) string { return fmt.Sprintf("%dm", int64(math.Round(cpus*1000))) }

// limitOf writes a limit as a document does.
func limitOf(cpus *float64) string {
	if cpus == nil {
		return ""
	}
	return schema.CPU(math.Round(*cpus * 1000)).String()
}

func asFloat(n *int64) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}

func percent(used float64, limit *float64) string {
	if limit == nil || *limit <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f%%", 100*used/(*limit))
}
