package arkitekt

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
)

// A variant is what one flavour is read from: an entry itself, or, in the
// documented form, one of its flavours.
type variant struct {
	entry
	own      *yaml.Node // the flavour in the documented form, else nil
	ownName  string
	ownImage string
	path     string
}

// flavourKeys name the flavour of an entry.
var flavourKeys = []string{"flavour", "flavour_name", "flavor", "flavor_name"}

// flavours returns the members of the documented form's list, or the flavour of
// an entry where it is a mapping.
func (e entry) flavours() []item {
	single := scalarField("image", "name")
	if list := members(e.field("flavours", "flavors"), single); len(list) > 0 {
		return list
	}
	if own := alone(field(e.node, flavourKeys...)); isMapping(own) {
		return items(own, single)
	}
	return nil
}

// variants returns what the flavours of an entry are read from. A member of
// the documented form's list is a mapping, or the name alone, or the image
// alone where a mapping of names stands in place of the list.
func (e entry) variants() []variant {
	list := e.flavours()
	if len(list) == 0 {
		v := variant{entry: e, path: e.path, ownImage: imageOf(e.node)}
		v.ownName = name(field(e.node, flavourKeys...))
		return []variant{v}
	}
	variants := make([]variant, len(list))
	for i, member := range list {
		v := variant{entry: e, own: member.node, path: member.path(join(e.path, "flavours"), i)}
		v.ownName = text(field(member.node, "name"))
		v.ownImage = imageOf(member.node)
		switch {
		case member.key != nil && isScalar(member.node):
			v.ownImage = text(member.node)
		case isScalar(member.node):
			v.ownName = text(member.node)
		}
		if v.ownName == "" {
			v.ownName = member.name()
		}
		if v.ownImage == "" {
			v.ownImage = imageOf(e.node)
		}
		variants[i] = v
	}
	return variants
}

// at returns the node that stands for the variant in problems.
func (v variant) at() *yaml.Node {
	if v.own != nil {
		return v.own
	}
	return v.node
}

// lookup returns what the flavour itself, the entry, the manifest or the
// inspection says, in this order.
func (v variant) lookup(names ...string) *yaml.Node {
	for _, node := range []*yaml.Node{v.own, v.node, v.manifest, v.inspection} {
		if value := field(node, names...); value != nil {
			return value
		}
	}
	return nil
}

// flavour reads how one flavour runs, or makes an error.
func (r *reader) flavour(v variant) (schema.Flavour, bool) {
	flavour := schema.Flavour{Name: v.ownName, Image: v.ownImage}
	if flavour.Name == "" {
		if named := field(v.node, flavourKeys...); v.own == nil && named != nil && len(named.Content) > 0 {
			r.problem(named, v.path, "the flavour is no single name", "write each flavour as an entry of its own, as flavour: cuda")
			return flavour, false
		}
		flavour.Name = schema.VanillaFlavour
	}
	if flavour.Image == "" {
		r.problem(v.at(), v.path, fmt.Sprintf("the flavour %q has no image", flavour.Name), "add image: example/app:0.1.0")
		return flavour, false
	}
	if !r.usable(v.at(), v.path, "flavour", flavour.Name, maxName) || !r.usable(v.at(), v.path, "image", flavour.Image, maxImage) {
		return flavour, false
	}
	if message, hint := schema.CheckImage(flavour.Image); message != "" {
		if strings.ContainsFunc(flavour.Image, unicode.IsSpace) {
			r.problem(v.at(), v.path, message, hint)
			return flavour, false
		}
		r.notice(v.at(), v.path, message, hint) // an engine tells in the end; the release is there
	}
	flavour.Description = text(field(v.own, "description"))
	flavour.Priority = r.priority(v)
	flavour.Selectors = r.selectors(v)
	var gpu *schema.Selector
	flavour.Requirements, gpu = requirements(v.inspection, v.manifest, v.node, v.own)
	if gpu != nil && !needsGPU(flavour.Selectors) {
		flavour.Selectors = append(flavour.Selectors, *gpu)
	}
	flavour.Definitions = definitions(v.inspection, v.manifest, v.node, v.own)
	flavour.Size = r.size(v)
	flavour.PublishedAt = r.publishedAt(v)
	return flavour, true
}

// imageOf returns the image of an entry or a flavour: text, or a mapping with
// it; the first form called it deployed.
func imageOf(node *yaml.Node) string {
	for _, value := range []*yaml.Node{field(node, "image"), field(node, "image_string"), field(node, "deployed")} {
		if value = alone(value); isMapping(value) {
			value = field(value, "image_string", "image", "docker")
		}
		if image := text(value); image != "" {
			return image
		}
	}
	return ""
}

// selectors reads what the flavour needs of a backend.
func (r *reader) selectors(v variant) []schema.Selector {
	var selectors []schema.Selector
	for i, member := range words(v.lookup("selectors", "selector"), isLone) {
		if member.key == nil && isNull(member.node) || member.key != nil && falsehood(member.node) {
			continue
		}
		path := member.path(join(v.path, "selectors"), i)
		s, problems := schema.DecodeSelector(keyedSelector(member), path, false)
		for _, p := range problems {
			p.File = r.file
			p.Notice = s.Kind != "" // a need that is forgotten is no trifle
			r.pub.Problems = append(r.pub.Problems, p)
		}
		if s.Kind != "" {
			selectors = append(selectors, s)
		}
	}
	return selectors
}

func isSelector(node *yaml.Node) bool { return isScalar(alone(field(node, "kind", "type"))) }

// isLone tells one selector, with a kind or not, from a mapping of kinds.
func isLone(node *yaml.Node) bool {
	return isSelector(node) || has(node, "required", "weight", "min", "memory", "name", "key", "value")
}

// keyedSelector returns the node of a selector. Where it is named by its kind,
// it puts the kind into the selector; {ram: 8GB} means what {kind: ram, min: 8GB}
// does.
func keyedSelector(i item) *yaml.Node {
	with := &yaml.Node{Kind: yaml.MappingNode}
	if i.key != nil {
		with.Line, with.Column = i.key.Line, i.key.Column
		with.Content = []*yaml.Node{keyNode("kind", i.key), i.key}
	}
	switch {
	case i.key == nil, isSelector(i.node):
		return i.node
	case isMapping(i.node):
		with.Content = append(with.Content, i.node.Content...)
	case isScalar(i.node) && !truth(i.node):
		for _, kind := range schema.SelectorKind("").Values() {
			if schema.SameKey(kind, i.name()) {
				first := schema.SelectorFields(schema.SelectorKind(kind))[0].Name
				with.Content = append(with.Content, keyNode(first, i.node), i.node)
			}
		}
	}
	return with
}

// keyNode returns a node for a key that does not stand in the file, but is meant
// where another node is.
func keyNode(key string, at *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Value: key, Line: at.Line, Column: at.Column}
}

// needsGPU tells whether a selector requires a GPU already.
func needsGPU(selectors []schema.Selector) bool {
	for _, s := range selectors {
		if s.Required && s.GPU() {
			return true
		}
	}
	return false
}

// priority reads the rank of a flavour of the documented form.
func (r *reader) priority(v variant) int {
	node := field(v.own, "priority")
	if node == nil {
		return 0
	}
	n, err := strconv.ParseFloat(text(node), 64)
	if err != nil || !(math.Abs(n) <= math.MaxInt32) {
		r.notice(node, join(v.path, "priority"), "the priority is no number; it is passed over", "write it as priority: 1")
		return 0
	}
	return int(math.Round(n))
}

// size reads the size of the image.
func (r *reader) size(v variant) schema.Bytes {
	node := v.lookup("size")
	if node == nil {
		return 0
	}
	size, err := schema.ParseBytes(text(node))
	if err == nil {
		return size
	}
	size, ok := plainBytes(text(node))
	if !ok {
		r.notice(node, join(v.path, "size"), "the size is no amount of bytes; it is passed over", "write it as size: 495823090")
	}
	return size
}

// plainBytes reads the other ways in which YAML writes a number: 1_000, 0x10, 1e9.
func plainBytes(text string) (schema.Bytes, bool) {
	n, err := strconv.ParseInt(text, 0, 64)
	if f, ferr := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); err != nil && ferr == nil && math.Abs(f) < math.MaxInt64/2 {
		n, err = int64(math.Round(f)), nil
	}
	if err != nil || n < 0 {
		return 0, false
	}
	return schema.Bytes(n), true
}

// publishedAt reads when the image was built or published.
func (r *reader) publishedAt(v variant) time.Time {
	node := v.lookup("deployed_at", "build_at", "built_at")
	if node == nil {
		node = field(alone(field(v.node, "image")), "build_at", "built_at")
	}
	return r.timestamp(join(v.path, "deployed_at"), node)
}

// timestamp reads a time; one that it cannot read is passed over.
func (r *reader) timestamp(path string, node *yaml.Node) time.Time {
	if node == nil {
		return time.Time{}
	}
	t, ok := parseTimestamp(text(node))
	if !ok {
		r.notice(node, path, "the time cannot be read; it is passed over", "write it by ISO 8601, as 2024-10-29T09:44:19Z")
	}
	return t
}

// join joins two parts of a path.
func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }
