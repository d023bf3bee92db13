package planner

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Match says whether a backend has what a selector asks for.
type Match string

// The matches. What nothing tells about a backend matches, unverified.
const (
	Matched    Match = "matched"
	Unverified Match = "unverified"
	NotMatched Match = "not matched"
)

// match tells whether a backend of this capacity has what the selector asks for.
//
// A CPU architecture is told by a cpu selector's architecture, or by a label
// selector with one of Kubernetes' keys (or plain arch); likewise os.
func match(s schema.Selector, c *backends.Capacity) Match {
	switch {
	case s.GPU():
		return matchGPU(gpuAsked(s), c.GPUs)
	case s.Kind == schema.SelectCPU:
		return worst(
			atLeast(min(int64(s.Count), math.MaxInt64/1000)*1000, int64(c.CPU)),
			atLeast(int64(s.Memory), int64(c.Memory)),
			atLeast(int64(s.Frequency), 0), // no engine tells it
			same(goArch(s.Architecture), c.Arch),
		)
	case s.Kind == schema.SelectRAM:
		return atLeast(int64(s.Memory), int64(c.Memory))
	case s.Kind == schema.SelectLabel:
		return matchLabel(s, c)
	case s.Kind == schema.SelectService:
		if c.Services == nil {
			return Unverified
		}
		return matched(slices.Contains(c.Services, s.Name))
	case s.Kind == schema.SelectResource:
		return matchResource(s, c.Resources)
	default:
		return NotMatched
	}
}

// worst returns the worst of several matches, all of which must be.
func worst(of ...Match) Match {
	switch {
	case slices.Contains(of, NotMatched):
		return NotMatched
	case slices.Contains(of, Unverified):
		return Unverified
	default:
		return Matched
	}
}

func matched(ok bool) Match {
	if ok {
		return Matched
	}
	return NotMatched
}

// atLeast compares amounts, where 0 means that nothing is asked or told.
func atLeast(asked, told int64) Match {
	switch {
	case asked <= 0:
		return Matched
	case told <= 0:
		return Unverified
	default:
		return matched(told >= asked)
	}
}

// same compares words, where an empty one means that nothing is asked or told.
func same(asked, told string) Match {
	switch {
	case asked == "":
		return Matched
	case told == "":
		return Unverified
	default:
		return matched(strings.EqualFold(asked, told))
	}
}

// notBefore compares versions, where an empty one means that nothing is asked or told.
func notBefore(asked, told string) Match {
	if m := same(asked, told); m != NotMatched {
		return m
	}
	a, okA := numbers(asked)
	b, okB := numbers(told)
	if !okA || !okB {
		return NotMatched // words that differ
	}
	return matched(slices.Compare(b, a) >= 0)
}

// numbers splits a version as 11.2 into its numbers, without zeros at the end.
func numbers(version string) ([]int, bool) {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, false
		}
		out = append(out, n)
	}
	for len(out) > 0 && out[len(out)-1] == 0 {
		out = out[:len(out)-1]
	}
	return out, true
}

// goArch returns Go's name of a CPU architecture.
func goArch(name string) string {
	switch strings.ToLower(name) {
	case "x86_64", "x86-64", "x64":
		return "amd64"
	case "aarch64", "arm64/v8":
		return "arm64"
	case "i386", "i686", "x86":
		return "386"
	default:
		return name
	}
}

func matchLabel(s schema.Selector, c *backends.Capacity) Match {
	told, ok := c.Labels[s.Key]
	if values := c.HostLabels[s.Key]; !ok && len(values) > 0 {
		return matched(s.Value == "" || slices.Contains(values, s.Value))
	}
	if !ok {
		switch s.Key {
		case "arch", "kubernetes.io/arch", "beta.kubernetes.io/arch":
			return same(goArch(s.Value), c.Arch)
		case "os", "kubernetes.io/os", "beta.kubernetes.io/os":
			return same(s.Value, c.OS)
		}
	}
	return matched(ok && (s.Value == "" || s.Value == told))
}

// matchResource compares a named resource: by amount where both are numbers, by
// text otherwise; without a value its presence is enough.
func matchResource(s schema.Selector, told map[string]string) Match {
	if told == nil {
		return Unverified
	}
	value, ok := told[s.Name]
	if !ok || s.Value == "" || s.Value == value {
		return matched(ok)
	}
	a, errA := schema.ParseBytes(s.Value)
	b, errB := schema.ParseBytes(value)
	return matched(errA == nil && errB == nil && b >= a)
}

// gpuRequest is what a selector, or all of a flavour's, ask of each GPU.
type gpuRequest struct {
	schema.Selector                  // its version, capability and so on; Count is at least 1
	vendor          schema.GPUVendor // empty: any
}

// gpuAsked returns what a selector that asks for a GPU asks of it. The
// documented {kind: resource, name: gpu, value: cuda-11} means CUDA 11 or later.
func gpuAsked(s schema.Selector) gpuRequest {
	r := gpuRequest{Selector: s}
	r.Count = max(1, s.Count)
	kind := string(s.Kind)
	if s.Kind == schema.SelectResource {
		kind, r.Version, _ = strings.Cut(strings.ToLower(s.Value), "-")
	}
	switch kind {
	case "cuda", "nvidia":
		r.vendor = schema.NVIDIA
	case "rocm", "amd":
		r.vendor = schema.AMD
	case "oneapi", "intel":
		r.vendor = schema.Intel
	}
	return r
}

// matchGPU tells whether there are enough GPUs, each of which has all that is asked.
func matchGPU(r gpuRequest, gpus []backends.GPU) Match {
	verified, all := 0, 0
	for i := range gpus {
		switch r.match(&gpus[i]) {
		case Matched:
			verified++
			all++
		case Unverified:
			all++
		}
	}
	switch {
	case verified >= r.Count:
		return Matched
	case all >= r.Count:
		return Unverified
	default:
		return NotMatched
	}
}

func (r gpuRequest) match(g *backends.GPU) Match {
	return worst(
		same(string(r.vendor), string(g.Vendor)),
		notBefore(r.Version, g.Version),
		notBefore(r.Capability, g.Capability),
		same(r.Architecture, g.Architecture),
		atLeast(int64(r.Cores), int64(g.Cores)),
		atLeast(int64(r.Frequency), int64(g.Frequency)),
		atLeast(int64(r.Memory), int64(g.Memory)),
	)
}

// Describe says in words what a selector asks for.
func Describe(s schema.Selector) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if s.Version != "" {
		add("version %s", s.Version)
	}
	if s.Capability != "" {
		add("capability %s", s.Capability)
	}
	if s.Architecture != "" {
		add("%s", s.Architecture)
	}
	if s.Count > 0 {
		add("count %d", s.Count)
	}
	if s.Cores > 0 {
		add("cores %d", s.Cores)
	}
	if s.Frequency > 0 {
		add("%d MHz", s.Frequency)
	}
	if s.Memory > 0 {
		add("memory %s", s.Memory)
	}
	if name := cmp.Or(s.Key, s.Name); name != "" {
		if s.Value != "" {
			name += "=" + s.Value
		}
		add("%s", name)
	}
	return strings.Join(append([]string{string(s.Kind)}, parts...), " ")
}
