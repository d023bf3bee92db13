package arkitekt

import (
	"slices"

	"github.com/berthdev/berth/schema"
)

// forms are the forms of published files, from the oldest to the newest. The
// documented one was never written by a tool; a file that mixes it with
// another is of the other.
var forms = []schema.Form{
	schema.FormDocumented, schema.FormA, schema.FormB, schema.FormC, schema.FormD,
	schema.FormE, schema.FormE2, schema.FormF1, schema.FormF2, schema.FormF3,
}

// newer returns the newer of two forms.
func newer(a, b schema.Form) schema.Form {
	if slices.Index(forms, a) > slices.Index(forms, b) {
		return a
	}
	return b
}

// form returns the newest form whose marks the document shows.
func (d document) form() schema.Form {
	newest := schema.FormUnknown // older than any
	for _, e := range d.entries {
		newest = newer(newest, e.form())
	}
	switch {
	case has(d.root, "app_images"):
		return newer(newest, schema.FormF1)
	case has(d.root, "hash"):
		return newer(newest, schema.FormE)
	case has(d.root, "latest_deployment_run"):
		return newer(newest, schema.FormD)
	case len(d.entries) > 0:
		return newest
	case has(d.root, "latest_deployment"):
		return schema.FormB
	default:
		return schema.FormA
	}
}

// marks tell the form of an entry: it is of the first whose marks it shows.
var marks = []struct {
	form  schema.Form
	shown func(entry) bool
}{
	{schema.FormF3, func(e entry) bool { return has(e.inspection, "locks", "states", "bloks") || keyedDefinition(e) }},
	{schema.FormF2, func(e entry) bool {
		return has(e.inspection, "implementations") || has(e.node, "implementations")
	}},
	{schema.FormF1, func(e entry) bool {
		return has(e.node, "app_image_id", "flavour_name", "image_string") || isMapping(alone(field(e.node, "image")))
	}},
	{schema.FormE2, func(e entry) bool { return has(e.inspection, "templates", "requirements") }},
	{schema.FormE, func(e entry) bool {
		return has(e.node, "templates") || isMapping(field(e.manifest, "requirements")) || selectsByKind(e)
	}},
	{schema.FormDocumented, func(e entry) bool { return field(e.node, "flavours") != nil }},
	{schema.FormD, func(e entry) bool {
		return e.inspection != nil || has(e.node, "flavour", "selectors", "deployment_run")
	}},
	{schema.FormC, func(e entry) bool {
		return e.manifest != nil || has(e.node, "build_id", "builder", "deployment_id", "deployed_at")
	}},
	{schema.FormA, func(e entry) bool { return has(e.node, "deployed", "deployer") }},
}

func (e entry) form() schema.Form {
	for _, m := range marks {
		if m.shown(e) {
			return m.form
		}
	}
	return schema.FormB
}

// keyedDefinition tells whether a definition has a key of its own.
func keyedDefinition(e entry) bool {
	for _, list := range []string{"implementations", "templates"} {
		for _, i := range members(field(e.inspection, list), isTemplate) {
			if has(definitionOf(i.node), "key") {
				return true
			}
		}
	}
	return false
}

// selectsByKind tells whether a selector says kind, where older ones said type.
func selectsByKind(e entry) bool {
	for _, s := range items(field(e.node, "selectors"), isSelector) {
		if has(s.node, "kind") {
			return true
		}
	}
	return false
}
