package arkitekt

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
)

// requirements collects the services that an app talks to from each of the
// places that may list them. The requirement gpu is no service: it becomes a
// selector. A service that an earlier place has under the same key is not
// taken again.
func requirements(places ...*yaml.Node) (services []schema.Requirement, gpu *schema.Selector) {
	taken := map[string]bool{}
	for _, place := range places {
		before := len(services)
		for _, i := range words(field(place, "requirements"), scalarField("key", "name", "service", "identifier")) {
			req := requirement(i)
			switch {
			case i.key != nil && falsehood(i.node):
			case strings.EqualFold(req.Key, "gpu") && req.Service == "":
				if gpu == nil || !gpu.Required {
					gpu = &schema.Selector{Kind: schema.SelectGPU, Required: !req.Optional, Weight: 1}
				}
			case req.Key != "" && !taken[req.Key]:
				services = append(services, req)
			}
		}
		for _, req := range services[before:] {
			taken[req.Key] = true
		}
	}
	return services, gpu
}

// requirement reads one requirement: its key alone, a mapping, or, where a
// mapping stands in place of the list, a key with its service or a mapping.
func requirement(i item) schema.Requirement {
	req := schema.Requirement{
		Key:         text(field(i.node, "key", "name")),
		Service:     text(field(i.node, "service", "identifier")),
		Optional:    truth(field(i.node, "optional")),
		Description: text(field(i.node, "description")),
	}
	switch {
	case i.key != nil && req.Key == "":
		req.Key = i.name()
		if isScalar(i.node) && i.node.ShortTag() != "!!bool" {
			req.Service = text(i.node)
		}
	case req.Key == "":
		req.Key = text(i.node)
	}
	if req.Key == "" {
		req.Key = req.Service
	}
	return req
}

// definitions collects the functions that an app offers from each of the places
// that may list them, under each of the names that they had over the years. A
// function that an earlier list has is not taken again.
func definitions(places ...*yaml.Node) []schema.Definition {
	type identity struct{ name, key string }
	var all []schema.Definition
	taken := map[identity]bool{}
	for _, place := range places {
		for _, list := range []string{"implementations", "templates", "definitions"} {
			before := len(all)
			for _, i := range members(field(place, list), isTemplate) {
				d, ok := definition(i)
				if ok && !taken[identity{d.Name, d.Key}] {
					all = append(all, d)
				}
			}
			for _, d := range all[before:] {
				taken[identity{d.Name, d.Key}] = true
			}
		}
	}
	return all
}

// isTemplate tells a definition, or what wraps one, from a mapping of names to them.
func isTemplate(node *yaml.Node) bool {
	args := field(node, "args", "returns")
	return isScalar(alone(field(node, "interface", "name", "kind", "description"))) ||
		args != nil && args.Kind == yaml.SequenceNode ||
		isMapping(alone(field(node, "definition"))) && !has(alone(field(node, "definition")), "definition")
}

// definitionOf returns the definition that a template or an implementation
// wraps, or the node itself where nothing is wrapped.
func definitionOf(node *yaml.Node) *yaml.Node {
	if wrapped := alone(field(node, "definition")); isMapping(wrapped) {
		return wrapped
	}
	return node
}

// definition reads one function. Its key falls back to the interface and to the
// name under which it stands, and its name to its key.
func definition(i item) (schema.Definition, bool) {
	node := definitionOf(i.node)
	d := schema.Definition{
		Name:        text(field(node, "name")),
		Key:         text(field(node, "key", "interface")),
		Description: text(field(node, "description")),
		Kind:        text(field(node, "kind")),
		Args:        parameters(field(node, "args")),
		Returns:     parameters(field(node, "returns")),
	}
	for _, fallback := range []string{text(field(i.node, "interface")), i.name(), text(i.node)} {
		if d.Key == "" {
			d.Key = fallback
		}
	}
	if d.Name == "" {
		d.Name = d.Key
	}
	return d, d.Name != ""
}

// parameters reads arguments or return values.
func parameters(node *yaml.Node) []schema.Parameter {
	var parameters []schema.Parameter
	for _, i := range members(node, scalarField("key", "name", "kind", "type")) {
		p := schema.Parameter{
			Key:      text(field(i.node, "key", "name")),
			Kind:     text(field(i.node, "kind", "type")),
			Nullable: truth(field(i.node, "nullable")),
		}
		switch {
		case i.key != nil && p.Key == "":
			p.Key = i.name()
			if p.Kind == "" {
				p.Kind = text(i.node)
			}
		case p.Key == "":
			p.Key = text(i.node)
		}
		if p != (schema.Parameter{}) {
			parameters = append(parameters, p)
		}
	}
	return parameters
}
