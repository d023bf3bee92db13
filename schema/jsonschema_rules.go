package schema

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/invopop/jsonschema"
)

// A schemaRule is what a JSON Schema can say of a [rule].
type schemaRule struct {
	most    int // letters
	pattern *regexp.Regexp
}

// schemaRules are the rules that the rule tag of a field names. Validation applies
// the same ones, and further ones that no pattern holds.
var schemaRules = map[string]schemaRule{
	"label":      {maxLabel, labelPattern},
	"identifier": {maxIdentifier, identifierPattern},
	"pattern":    {maxIdentifier, regexp.MustCompile(`^[A-Za-z0-9*]([A-Za-z0-9._/*-]*[A-Za-z0-9*])?$`)},
	"semver":     {maxVersion, regexp.MustCompile(`^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)},
	"flavour":    {maxLabel, flavourPattern},
	"channel":    {maxLabel, channelPattern},
	"scope":      {maxLine, scopePattern},
	"env":        {maxName, envPattern},
	"runAs":      {maxName, runAsPattern},
	"hash":       {len("sha256:") + 64, hashPattern},
	"volume":     {maxName, volumePattern},
	"object":     {maxName, subdomainPattern},
	"path":       {maxLine, regexp.MustCompile(`^/[^:]*$`)},
}

// ruleCapability is the rule of lists of Linux capabilities.
const ruleCapability = "capability"

// addRule adds what the rule and range tags of a field say to its schema.
func addRule(s *jsonschema.Schema, f *field) {
	if least, most, found := strings.Cut(f.span, ","); found {
		s.Minimum, s.Maximum = json.Number(least), json.Number(most)
	}
	if f.rule == ruleCapability {
		s.Items = &jsonschema.Schema{Type: "string", Enum: anyList(capabilityNames)}
	}
	r, found := schemaRules[f.rule]
	if !found {
		return
	}
	most := uint64(r.most)
	rule := &jsonschema.Schema{Pattern: r.pattern.String(), MaxLength: &most}
	switch s.Type {
	case "object": // the rule is for its keys
		s.PropertyNames = rule
		return
	case "array":
		s.UniqueItems = true
		s = s.Items
	default:
		if !f.required {
			rule.Pattern = "^$|" + rule.Pattern // empty text is as if it were not set
		}
	}
	s.Pattern, s.MaxLength = rule.Pattern, rule.MaxLength
	s.Extras = map[string]any{"type": typesOf(r.pattern)}
	if !r.pattern.MatchString("-1") {
		s.Minimum = "0" // of a bare number, whose text is taken
	}
}

// typesOf returns the types of the bare scalars whose text may match a pattern.
func typesOf(pattern *regexp.Regexp) []string {
	types := []string{"string"}
	switch {
	case pattern.MatchString("1.5"):
		types = append(types, "number")
	case pattern.MatchString("1"):
		types = append(types, "integer")
	}
	if pattern.MatchString("true") {
		types = append(types, "boolean")
	}
	return types
}
