package schema

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A SelectorField is a key of one kind of selector, as documents write it. The
// fields of every kind stand in one table, which decoding, hints and the JSON
// Schema share.
type SelectorField struct {
	Name     string            // the spelling to write
	Aliases  []string          // other spellings that are read
	Loose    []string          // what others write in its place; only lenient reads it
	Type     SelectorFieldType // what its text means
	Required bool              // whether the selector means nothing without it
	Doc      string
	Example  string
	target   func(*Selector) any // the field that it sets: *string, *int, *Bytes or *bool
}

// SelectorFieldType says how the text of a [SelectorField] is read.
type SelectorFieldType string

// The types of selector fields. Each may be written bare or in quotes.
const (
	SelectorText    SelectorFieldType = "text"
	SelectorVersion SelectorFieldType = "version" // numbers with dots
	SelectorCount   SelectorFieldType = "count"   // a whole number, 0 or more
	SelectorMemory  SelectorFieldType = "memory"  // with a unit, or bare MB (10^6)
	SelectorFlag    SelectorFieldType = "flag"    // true or false
)

// maxSelectorCount is the most that a count may say, a weight included.
const maxSelectorCount = 1_000_000_000

func selectorCount(s *Selector) any    { return &s.Count }
func selectorMemory(s *Selector) any   { return &s.Memory }
func selectorVersion(s *Selector) any  { return &s.Version }
func selectorFreq(s *Selector) any     { return &s.Frequency }
func selectorName(s *Selector) any     { return &s.Name }
func selectorValue(s *Selector) any    { return &s.Value }
func selectorKey(s *Selector) any      { return &s.Key }
func selectorThing(s *Selector) any    { return &s.Thing }
func selectorCores(s *Selector) any    { return &s.Cores }
func selectorArch(s *Selector) any     { return &s.Architecture }
func selectorCap(s *Selector) any      { return &s.Capability }
func selectorRequired(s *Selector) any { return &s.Required }
func selectorWeight(s *Selector) any   { return &s.Weight }

var selectorTable = map[SelectorKind][]SelectorField{
	SelectCUDA: {
		{Name: "cudaVersion", Aliases: []string{"cuda_version"}, Loose: []string{"version"}, Type: SelectorVersion, target: selectorVersion,
			Doc: "At least this CUDA version.", Example: "11.2"},
		{Name: "cudaCores", Aliases: []string{"cuda_cores"}, Type: SelectorCount, target: selectorCores,
			Doc: "At least so many CUDA cores.", Example: "4000"},
		{Name: "computeCapability", Aliases: []string{"compute_capability"}, Type: SelectorVersion, target: selectorCap,
			Doc: "At least this compute capability.", Example: "3.5"},
		{Name: "memory", Type: SelectorMemory, target: selectorMemory,
			Doc: "At least so much memory of the GPU; a bare number is MB.", Example: "8GB"},
		{Name: "frequency", Type: SelectorCount, target: selectorFreq,
			Doc: "At least this clock in MHz.", Example: "1400"},
		{Name: "architecture", Type: SelectorText, target: selectorArch,
			Doc: "The GPU's architecture.", Example: "ampere"},
	},
	SelectROCm: {
		{Name: "apiVersion", Aliases: []string{"api_version"}, Loose: []string{"version", "rocm_version"}, Type: SelectorVersion, target: selectorVersion,
			Doc: "At least this ROCm version.", Example: "6.0"},
		{Name: "apiThing", Aliases: []string{"api_thing"}, Type: SelectorText, target: selectorThing,
			Doc: "A mark of the API, kept as it is written."},
		{Name: "min", Type: SelectorCount, target: selectorCount,
			Doc: "At least so many GPUs.", Example: "1"},
	},
	SelectOneAPI: {
		{Name: "oneapiVersion", Aliases: []string{"oneapi_version"}, Loose: []string{"version", "api_version"}, Type: SelectorVersion, target: selectorVersion,
			Doc: "At least this oneAPI version.", Example: "2024.1"},
	},
	SelectGPU: {
		{Name: "count", Aliases: []string{"min"}, Loose: []string{"min_count"}, Type: SelectorCount, target: selectorCount,
			Doc: "At least so many GPUs.", Example: "1"},
	},
	SelectCPU: {
		{Name: "min", Aliases: []string{"minCount", "min_count"}, Loose: []string{"count", "cores"}, Type: SelectorCount, target: selectorCount,
			Doc: "At least so many CPUs.", Example: "4"},
		{Name: "frequency", Type: SelectorCount, target: selectorFreq,
			Doc: "At least this clock in MHz.", Example: "2400"},
		{Name: "memory", Type: SelectorMemory, target: selectorMemory,
			Doc: "At least so much memory; a bare number is MB.", Example: "8GB"},
	},
	SelectRAM: {
		{Name: "min", Loose: []string{"memory"}, Type: SelectorMemory, target: selectorMemory,
			Doc: "At least so much memory; a bare number is MB.", Example: "8GB"},
	},
	SelectLabel: {
		{Name: "key", Loose: []string{"name", "label"}, Type: SelectorText, Required: true, target: selectorKey,
			Doc: "The label's key.", Example: "zone"},
		{Name: "value", Type: SelectorText, target: selectorValue,
			Doc: "The label's value.", Example: "lab-2"},
	},
	SelectService: {
		{Name: "name", Loose: []string{"service", "key", "identifier"}, Type: SelectorText, Required: true, target: selectorName,
			Doc: "The service that the backend offers.", Example: "live.arkitekt.mikro"},
	},
	SelectResource: {
		{Name: "name", Loose: []string{"resource", "key"}, Type: SelectorText, Required: true, target: selectorName,
			Doc: "The resource's name.", Example: "gpu"},
		{Name: "value", Type: SelectorText, target: selectorValue,
			Doc: "The resource's value.", Example: "cuda-11"},
	},
}

var selectorCommon = []SelectorField{
	{Name: "required", Type: SelectorFlag, target: selectorRequired,
		Doc: "Whether a backend that does not match is out.", Example: "true"},
	{Name: "weight", Type: SelectorCount, target: selectorWeight,
		Doc: "How much a match counts where it is not required.", Example: "1"},
}

// SelectorFields lists the keys that a selector of this kind may have besides
// kind (or type, as older documents write it).
func SelectorFields(kind SelectorKind) []SelectorField {
	return slices.Concat(selectorTable[kind], selectorCommon)
}

// spelled tells whether key names the field; lenient passes over letter case,
// underscores and hyphens.
func (f SelectorField) spelled(key string, strict bool) bool {
	same := func(name string) bool { return name == key || !strict && SameKey(name, key) }
	return same(f.Name) || slices.ContainsFunc(f.Aliases, same)
}

// loosely tells whether key is what others write in place of the field's name.
func (f SelectorField) loosely(key string) bool {
	return slices.ContainsFunc(f.Loose, func(name string) bool { return SameKey(name, key) })
}

// SameKey tells whether two keys are one in the documents of others: they
// differ at most in the case of ASCII letters, underscores and hyphens.
func SameKey(a, b string) bool {
	i, j := 0, 0
	for {
		for i < len(a) && (a[i] == '_' || a[i] == '-') {
			i++
		}
		for j < len(b) && (b[j] == '_' || b[j] == '-') {
			j++
		}
		if i == len(a) || j == len(b) {
			return i == len(a) && j == len(b)
		}
		if lower(a[i]) != lower(b[j]) {
			return false
		}
		i, j = i+1, j+1
	}
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// hint shows how the field is written.
func (f SelectorField) hint() string {
	if f.Example == "" {
		return ""
	}
	return "for example " + f.Name + ": " + f.Example
}

// set reads text into the selector. It changes nothing when it fails.
func (f SelectorField) set(s *Selector, text string, strict bool) error {
	var err error
	switch to := f.target(s).(type) {
	case *string:
		if f.Type == SelectorVersion {
			text, err = selectorVersionText(text, strict)
		} else if strings.ContainsFunc(text, unicode.IsControl) {
			err = fmt.Errorf("%q holds a control character: remove it", clip(text))
		}
		if err == nil {
			*to = text
		}
	case *int:
		var n int
		if !strict && f.Name == "frequency" {
			text = megahertz(text)
		}
		if n, err = selectorNumber(text, strict); err == nil {
			*to = n
		}
	case *Bytes:
		var b Bytes
		if b, err = selectorBytes(text, strict); err == nil {
			*to = b
		}
	case *bool:
		var b bool
		if b, err = selectorBool(text, strict); err == nil {
			*to = b
		}
	}
	return err
}

// selectorVersionText reads a version: numbers with dots. It stays text, so
// that 11.20 is not 11.2. Strangers also write v11.2, >=11.2, 11.2+ and 11.x.
func selectorVersionText(text string, strict bool) (string, error) {
	v := text
	if !strict {
		v = strings.TrimSpace(strings.TrimPrefix(v, ">="))
		v = strings.TrimPrefix(strings.ToLower(v), "v")
		for _, end := range []string{"+", ".x", ".*"} {
			v = strings.TrimSuffix(v, end)
		}
	}
	for part := range strings.SplitSeq(v, ".") {
		if part == "" || len(part) > 9 || strings.Trim(part, "0123456789") != "" {
			return "", fmt.Errorf("%q is no version: write it as 11.2", clip(text))
		}
	}
	return v, nil
}

// selectorNumber reads a whole number; lenient rounds.
func selectorNumber(text string, strict bool) (int, error) {
	if !strict {
		text = strings.ReplaceAll(text, "_", "")
	}
	n, err := strconv.ParseFloat(text, 64)
	if err == nil && !strict {
		n = math.Round(n)
	}
	if err != nil || !(n >= 0 && n <= maxSelectorCount) || n != math.Trunc(n) {
		return 0, fmt.Errorf("%q is no whole number from 0 to %d: write digits alone", clip(text), maxSelectorCount)
	}
	return int(n), nil
}

// megahertz turns 2.4 GHz and 2400MHz into a bare number of MHz.
func megahertz(text string) string {
	unit := strings.ToLower(text)
	if n, found := strings.CutSuffix(unit, "ghz"); found {
		if f, err := strconv.ParseFloat(strings.TrimSpace(n), 64); err == nil {
			return strconv.FormatFloat(1000*f, 'f', -1, 64)
		}
	}
	return strings.TrimSpace(strings.TrimSuffix(unit, "mhz"))
}

// selectorBytes reads an amount of memory, whose bare numbers are MB. Lenient
// also takes the numbers 8_000 and 8e3.
func selectorBytes(text string, strict bool) (Bytes, error) {
	if n, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); !strict && err == nil && n >= 0 && n < 1e12 {
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if strings.Trim(text, "0123456789.") == "" {
		text += "MB"
	}
	return ParseBytes(text)
}

// selectorBool reads true or false; lenient takes what YAML 1.1 took.
func selectorBool(text string, strict bool) (bool, error) {
	switch t := strings.ToLower(text); {
	case t == "true", !strict && slices.Contains([]string{"yes", "on", "1"}, t):
		return true, nil
	case t == "false", !strict && slices.Contains([]string{"no", "off", "0"}, t):
		return false, nil
	}
	return false, fmt.Errorf("%q is no truth value: write true or false", clip(text))
}
