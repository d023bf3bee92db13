package arkitekt

import (
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
)

// pair returns the key and value of a mapping for the first of names that it
// has, whatever the spelling, or nil.
func pair(node *yaml.Node, names ...string) (key, value *yaml.Node) {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil, nil
	}
	for _, name := range names {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if schema.SameKey(node.Content[i].Value, name) {
				return node.Content[i], node.Content[i+1]
			}
		}
	}
	return nil, nil
}

// has tells whether a mapping has one of the keys, be it with null.
func has(node *yaml.Node, names ...string) bool {
	key, _ := pair(node, names...)
	return key != nil
}

// field returns the value of the first of names that a mapping has and that is
// not null, or nil.
func field(node *yaml.Node, names ...string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for _, name := range names {
		for i := 0; i+1 < len(node.Content); i += 2 {
			if value := node.Content[i+1]; schema.SameKey(node.Content[i].Value, name) && !isNull(value) {
				return value
			}
		}
	}
	return nil
}

func isNull(node *yaml.Node) bool {
	return node == nil || node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

func isMapping(node *yaml.Node) bool { return node != nil && node.Kind == yaml.MappingNode }

func isScalar(node *yaml.Node) bool {
	return node != nil && node.Kind == yaml.ScalarNode && !isNull(node)
}

// alone returns what stands alone in a list, and any other node itself.
func alone(node *yaml.Node) *yaml.Node {
	if node != nil && node.Kind == yaml.SequenceNode && len(node.Content) == 1 {
		return node.Content[0]
	}
	return node
}

// text returns the text of a scalar, also of one that stands alone in a list,
// and nothing for any other node.
func text(node *yaml.Node) string {
	if node = alone(node); !isScalar(node) {
		return ""
	}
	return strings.TrimSpace(node.Value)
}

// name returns the text of a scalar, or the name in a mapping.
func name(node *yaml.Node) string {
	if isMapping(node) {
		return text(field(node, "name", "identifier", "key"))
	}
	return text(node)
}

// truth returns whether a scalar says yes.
func truth(node *yaml.Node) bool {
	switch strings.ToLower(text(node)) {
	case "true", "yes", "on", "1":
		return true
	default:
		return false
	}
}

// falsehood returns whether a scalar says no.
func falsehood(node *yaml.Node) bool {
	switch strings.ToLower(text(node)) {
	case "false", "no", "off":
		return true
	default:
		return false
	}
}

// An item is a member of a list.
type item struct {
	node *yaml.Node
	key  *yaml.Node // where a mapping stands in place of the list, else nil
}

// name returns the key of the item, where a mapping stands in place of the list.
func (i item) name() string { return text(i.key) }

// path renders where the item stands: index i of list.
func (i item) path(list string, index int) string {
	if i.key != nil {
		return list + "." + i.name()
	}
	return list + "[" + strconv.Itoa(index) + "]"
}

// items returns the members of a list. In place of a list may stand a mapping
// of names to members, or a single member: a scalar, or a mapping of which
// single says so.
func items(node *yaml.Node, single func(*yaml.Node) bool) []item {
	switch {
	case isNull(node):
		return nil
	case node.Kind == yaml.SequenceNode:
		list := make([]item, len(node.Content))
		for i, member := range node.Content {
			list[i].node = member
		}
		return list
	case node.Kind == yaml.MappingNode && !single(node):
		list := make([]item, 0, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			list = append(list, item{key: node.Content[i], node: node.Content[i+1]})
		}
		return list
	default:
		return []item{{node: node}}
	}
}

// members returns the members of a list, as items does. A member that is a
// mapping with one key, and no single one, is named by that key, as
// [{cuda: {memory: 8GB}}, {ram: 8GB}] is by people who think of mappings.
func members(node *yaml.Node, single func(*yaml.Node) bool) []item {
	list := items(node, single)
	for i, member := range list {
		if n := member.node; member.key == nil && isMapping(n) && len(n.Content) == 2 && !single(n) {
			list[i] = item{key: n.Content[0], node: n.Content[1]}
		}
	}
	return list
}

// words returns the members of a list as members does, and those of a text that
// has blanks or commas between them.
func words(node *yaml.Node, single func(*yaml.Node) bool) []item {
	if !isScalar(node) {
		return members(node, single)
	}
	var list []item
	for _, word := range strings.FieldsFunc(node.Value, func(c rune) bool { return c == ',' || unicode.IsSpace(c) }) {
		one := *node
		one.Value = word
		list = append(list, item{node: &one})
	}
	return list
}

// scalarField returns a condition for items: the mapping has one of the keys
// with a scalar.
func scalarField(names ...string) func(*yaml.Node) bool {
	return func(node *yaml.Node) bool { return isScalar(alone(field(node, names...))) }
}
