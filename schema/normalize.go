package schema

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

// The tags that the YAML library resolves scalars to.
const (
	nullTag  = "!!null"
	mergeTag = "!!merge"
)

var tooManyNodes = Problem{
	Message: fmt.Sprintf("the document has more than %d values", MaxNodes),
	Hint:    "split it, or use fewer aliases",
}

// A normalizer turns a document as it was parsed into a plain tree.
type normalizer struct {
	file     string
	line     int // how many lines stand before the document's text
	problems Problems
	damaged  bool                   // something was left out
	fatal    *Problem               // why the document cannot be read at all
	seen     map[*yaml.Node]*extent // nodes with an anchor
}

// An extent is how large a node is with aliases followed.
type extent struct {
	nodes, depth int
	open         bool // the node is being walked
}

// document returns the plain tree of root, or nil with what is wrong.
func (n *normalizer) document(root *yaml.Node) (*yaml.Node, Problems) {
	root = target(root)
	n.walk(root, 1)
	if n.fatal != nil {
		return nil, append(n.problems, *n.fatal)
	}
	return root, n.problems
}

// target returns the node that an alias stands for, and any other node itself.
func target(node *yaml.Node) *yaml.Node {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	return node
}

// walk makes node plain, once, and returns its extent. level is how deep it stands.
func (n *normalizer) walk(node *yaml.Node, level int) extent {
	if e := n.seen[node]; e != nil {
		return *e
	}
	node.Line += n.line
	e := extent{nodes: 1, depth: 1, open: true}
	if node.Anchor != "" {
		if n.seen == nil {
			n.seen = map[*yaml.Node]*extent{}
		}
		n.seen[node] = &e
	}
	if len(node.Value) > MaxScalar {
		n.problem(node, fmt.Sprintf("the text is longer than %s", Bytes(MaxScalar)), "")
		node.Value, n.damaged = "", true
	}
	switch node.Kind {
	case yaml.SequenceNode:
		for i, item := range node.Content {
			node.Content[i] = n.child(&e, item, level)
		}
	case yaml.MappingNode:
		n.mapping(&e, node, level)
	}
	e.open = false
	return e
}

var tooDeep = fmt.Sprintf("the document is nested deeper than %d levels", MaxDepth)

// child walks a node inside of another, or what an alias stands for, and adds
// its extent. It returns the plain node, or null for one that cannot stand there.
func (n *normalizer) child(e *extent, node *yaml.Node, level int) *yaml.Node {
	if node = target(node); n.fatal != nil {
		return node
	}
	known := n.seen[node]
	switch {
	case known != nil && known.open:
		return n.nothing(node, node.Line, "the anchor "+clip(node.Anchor)+" stands for something that holds itself", "")
	case known != nil && level+known.depth > MaxDepth:
		return n.nothing(node, node.Line, tooDeep, "nest less deep")
	case known == nil && level == MaxDepth:
		return n.nothing(node, node.Line+n.line, tooDeep, "nest less deep")
	}
	c := n.walk(node, level+1)
	e.nodes += c.nodes
	e.depth = max(e.depth, c.depth+1)
	if e.nodes > MaxNodes {
		p := tooManyNodes
		p.File, p.Line, p.Column = n.file, node.Line, node.Column
		n.fatal = &p
	}
	return node
}

// nothing tells why a node cannot stand where it does, and returns null for it.
func (n *normalizer) nothing(node *yaml.Node, line int, message, hint string) *yaml.Node {
	null := &yaml.Node{Kind: yaml.ScalarNode, Tag: nullTag, Line: line, Column: node.Column}
	n.problem(null, message, hint)
	n.damaged = true
	return null
}

// mapping makes the pairs of a mapping plain.
func (n *normalizer) mapping(e *extent, node *yaml.Node, level int) {
	pairs := pairSet{}
	var merges []*yaml.Node
	for i := 0; i+1 < len(node.Content) && n.fatal == nil; i += 2 {
		key := n.child(e, node.Content[i], level)
		value := n.child(e, node.Content[i+1], level)
		switch {
		case key.Kind != yaml.ScalarNode:
			n.problem(key, "a key must be text", "put quotes around text that begins with [ or {")
		case len(key.Value) > MaxKey:
			n.problem(key, fmt.Sprintf("a key is longer than %s", Bytes(MaxKey)), "")
		case key.Tag == mergeTag:
			merges = append(merges, value)
		default:
			if first, was := pairs.put(key, value); first != nil {
				if level == 1 {
					pairs.put(key, both(was, value))
				}
				n.problem(key, fmt.Sprintf("the key %s stands twice", clip(key.Value)),
					fmt.Sprintf("it stands on line %d already", first.Line))
			}
		}
	}
	for _, m := range merges {
		n.merge(&pairs, m)
	}
	node.Content = pairs.content
}

// both returns one list of two, and otherwise the second value.
func both(first, second *yaml.Node) *yaml.Node {
	if first.Kind != yaml.SequenceNode || second.Kind != yaml.SequenceNode {
		return second
	}
	list := *second
	list.Content = slices.Concat(first.Content, second.Content)
	return &list
}

// merge adds the pairs of a merge key's value whose keys are not there yet.
func (n *normalizer) merge(pairs *pairSet, value *yaml.Node) {
	sources := []*yaml.Node{value}
	if value.Kind == yaml.SequenceNode {
		sources = value.Content
	}
	for _, source := range sources {
		if source.Kind != yaml.MappingNode {
			n.problem(value, "<< merges a mapping or a list of mappings, not "+kindName(source), "write it as <<: *anchor")
			continue
		}
		for i := 0; i+1 < len(source.Content); i += 2 {
			pairs.add(source.Content[i], source.Content[i+1])
		}
	}
}

// problem notes something that is wrong at a node.
func (n *normalizer) problem(node *yaml.Node, message, hint string) {
	if len(n.problems) > MaxProblems {
		return
	}
	n.problems = append(n.problems, Problem{
		File: n.file, Line: node.Line, Column: node.Column, Message: message, Hint: hint,
	})
}

// A pairSet collects the pairs of a mapping, each key once.
type pairSet struct {
	content []*yaml.Node
	index   map[string]int // of a key in content; kept only when there are many
}

// few is up to how many nodes looking at each is faster than a map.
const few = 32

// find returns where a key stands in content, or -1.
func (s *pairSet) find(key string) int {
	if len(s.content) <= few {
		for i := 0; i < len(s.content); i += 2 {
			if s.content[i].Value == key {
				return i
			}
		}
		return -1
	}
	if s.index == nil {
		s.index = make(map[string]int, len(s.content))
		for i := 0; i < len(s.content); i += 2 {
			s.index[s.content[i].Value] = i
		}
	}
	if i, ok := s.index[key]; ok {
		return i
	}
	return -1
}

// put sets a pair. If the key is there already, it returns the key and the
// value that were.
func (s *pairSet) put(key, value *yaml.Node) (wasKey, was *yaml.Node) {
	if i := s.find(key.Value); i >= 0 {
		wasKey, was = s.content[i], s.content[i+1]
		s.content[i], s.content[i+1] = key, value
		return wasKey, was
	}
	s.add(key, value)
	return nil, nil
}

// add adds a pair whose key is not there yet.
func (s *pairSet) add(key, value *yaml.Node) {
	if s.find(key.Value) >= 0 {
		return
	}
	if s.index != nil {
		s.index[key.Value] = len(s.content)
	}
	s.content = append(s.content, key, value)
}

// kindName names what a node is, for messages.
func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		if node.Tag == nullTag {
			return "nothing"
		}
		return "text"
	}
}
