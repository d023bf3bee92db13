package schema

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decodeDocument decodes a document into the struct that v points to, validates
// it, and returns all that is wrong. ignore is a key that the document has
// besides the struct's, or empty.
func decodeDocument(file string, doc Document, ignore string, v any, validate func(*report)) Problems {
	d := decoder{file: file, ignore: ignore, problems: doc.Problems}
	d.decode(doc.Root, v)
	r := report{file: file, root: doc.Root, problems: d.problems}
	validate(&r)
	return r.problems
}

// A report collects what is wrong with values that could be decoded. Given the
// document that they were decoded from, it knows where they stand.
type report struct {
	file     string
	root     *yaml.Node // nil: the positions are not known
	problems Problems
}

// error notes an error at a path, as flavours[0].image.
func (r *report) error(path, message, hint string) {
	if len(r.problems) > MaxProblems {
		return
	}
	p := Problem{File: r.file, Path: path, Message: message, Hint: hint}
	if r.root != nil {
		node := lookup(r.root, path)
		p.Line, p.Column = node.Line, node.Column
	}
	r.problems = append(r.problems, p)
}

// notice notes something that a person should know but that is no error.
func (r *report) notice(path, message, hint string) {
	before := len(r.problems)
	r.error(path, message, hint)
	for i := before; i < len(r.problems); i++ {
		r.problems[i].Notice = true
	}
}

// lookup returns the node at a path, or the last one on the way that is there.
func lookup(node *yaml.Node, path string) *yaml.Node {
	for path != "" {
		name, rest := path, ""
		if i := strings.IndexAny(path[1:], ".["); i >= 0 {
			name, rest = path[:i+1], path[i+1:]
		}
		next := childOf(node, name)
		if next == nil {
			return node
		}
		node, path = next, strings.TrimPrefix(rest, ".")
	}
	return node
}

// childOf returns the node of a key or of an index such as "[2]", or nil.
func childOf(node *yaml.Node, name string) *yaml.Node {
	if index, ok := strings.CutPrefix(name, "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(index, "]"))
		if err != nil || node.Kind != yaml.SequenceNode || i >= len(node.Content) {
			return nil
		}
		return node.Content[i]
	}
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == name {
			return node.Content[i+1]
		}
	}
	return nil
}

// tidy sorts the problems of a file and cuts them off where they are too many
// to read.
func tidy(problems Problems) Problems {
	problems.Sort()
	if len(problems) <= MaxProblems {
		return problems
	}
	last := problems[MaxProblems-1]
	more := Problem{
		File: last.File, Line: last.Line, Column: last.Column,
		Message: "there are more problems than are shown", Hint: "correct those above first",
	}
	return append(problems[:MaxProblems:MaxProblems], more)
}
