package schema

import "strings"

// SelectorKind says what a selector asks of a backend.
type SelectorKind string

// The kinds of selectors.
const (
	SelectCUDA     SelectorKind = "cuda"     // an NVIDIA GPU
	SelectROCm     SelectorKind = "rocm"     // an AMD GPU
	SelectOneAPI   SelectorKind = "oneapi"   // an Intel GPU
	SelectGPU      SelectorKind = "gpu"      // any GPU
	SelectCPU      SelectorKind = "cpu"      // CPUs: a count, a frequency, memory
	SelectRAM      SelectorKind = "ram"      // memory
	SelectLabel    SelectorKind = "label"    // a label of the backend
	SelectService  SelectorKind = "service"  // a service that the backend offers
	SelectResource SelectorKind = "resource" // a resource by name and value
)

// Values lists the kinds.
func (SelectorKind) Values() []string {
	return []string{
		string(SelectCUDA), string(SelectROCm), string(SelectOneAPI), string(SelectGPU), string(SelectCPU),
		string(SelectRAM), string(SelectLabel), string(SelectService), string(SelectResource),
	}
}

// A Selector is one thing that a flavour needs, or prefers, of a backend. It is
// the same value whatever spelling the document used.
type Selector struct {
	Kind         SelectorKind `json:"kind"`
	Required     bool         `json:"required"`               // whether a backend without it is out
	Weight       int          `json:"weight"`                 // how much a match counts where it is not required
	Version      string       `json:"version,omitempty"`      // at least this CUDA, ROCm or oneAPI version, as "11.2"
	Capability   string       `json:"capability,omitempty"`   // at least this CUDA compute capability, as "3.5"
	Architecture string       `json:"architecture,omitempty"` // of the GPU, as "ampere"
	Cores        int          `json:"cores,omitempty"`        // at least so many CUDA cores
	Count        int          `json:"count,omitempty"`        // at least so many CPUs or GPUs
	Frequency    int          `json:"frequency,omitempty"`    // at least so many MHz
	Memory       Bytes        `json:"memory,omitempty"`       // at least so much memory, of the GPU or of the backend
	Thing        string       `json:"thing,omitempty"`        // ROCm's apiThing, as written
	Key          string       `json:"key,omitempty"`          // of a label
	Name         string       `json:"name,omitempty"`         // of a service or resource
	Value        string       `json:"value,omitempty"`        // of a label or resource
}

// GPU tells whether the selector asks for a GPU, which a pod then gets exclusively.
// The documentation's own {type: resource, name: gpu} does so too.
func (s Selector) GPU() bool {
	switch s.Kind {
	case SelectCUDA, SelectROCm, SelectOneAPI, SelectGPU:
		return true
	case SelectResource:
		return strings.EqualFold(s.Name, "gpu")
	default:
		return false
	}
}
