package schema

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// pairs decodes a mapping of names to text. The text of any scalar is taken as
// it is written.
func (d *decoder) pairs(node *yaml.Node, v reflect.Value, f *field) {
	if node.Kind == yaml.SequenceNode && f.accept == acceptPairs {
		d.pairList(node, v)
		return
	}
	if node.Kind != yaml.MappingNode {
		d.wrongKind(node, "a mapping", "write it as "+f.key+": {NAME: value}")
		return
	}
	if len(node.Content) > 2*MaxItems {
		d.problem(node, fmt.Sprintf("has more than %d entries", MaxItems), "")
		return
	}
	pairs := make(map[string]string, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		d.push(step{key: key.Value})
		if d.usable(value) {
			if value.Kind == yaml.ScalarNode {
				pairs[key.Value] = value.Value
			} else {
				d.wrongKind(value, "text", "")
			}
		}
		d.pop()
	}
	v.Set(reflect.ValueOf(pairs))
}

// pairList decodes a list of NAME=value. What is wrong is told without the
// value, which may be a secret.
func (d *decoder) pairList(node *yaml.Node, v reflect.Value) {
	if len(node.Content) > MaxItems {
		d.problem(node, fmt.Sprintf("has more than %d items", MaxItems), "")
		return
	}
	pairs := make(map[string]string, len(node.Content))
	for i, item := range node.Content {
		d.push(step{index: i})
		name, value, found := strings.Cut(item.Value, "=")
		_, twice := pairs[name]
		switch {
		case !d.usable(item):
		case item.Kind != yaml.ScalarNode || !found || name == "":
			d.problem(item, "is not of the form NAME=value", "or write all as a mapping, NAME: value")
		case twice:
			d.problem(item, clip(name)+" stands twice", "remove one of the two")
		default:
			pairs[name] = value
		}
		d.pop()
	}
	v.Set(reflect.ValueOf(pairs))
}

// volume decodes a volume that is written as text.
func (d *decoder) volume(node *yaml.Node, v reflect.Value) {
	volume, err := ParseVolume(node.Value)
	if err != nil {
		d.problem(node, fmt.Sprintf("%q is no volume", clip(node.Value)), err.Error())
		return
	}
	v.Set(reflect.ValueOf(volume))
}

var errVolume = errors.New("write it as NAME:/PATH, /HOST/PATH:/PATH, with :ro where it is only read, or as a mapping")

// ParseVolume reads NAME:PATH[:ro|:rw] or /HOST/PATH:PATH[:ro|:rw].
func ParseVolume(s string) (Volume, error) {
	parts := strings.Split(s, ":")
	if len(parts) == 3 && (parts[2] == "ro" || parts[2] == "rw") {
		v, err := ParseVolume(parts[0] + ":" + parts[1])
		v.ReadOnly = parts[2] == "ro"
		return v, err
	}
	if len(parts) != 2 || parts[0] == "" || !path.IsAbs(parts[1]) {
		return Volume{}, errVolume
	}
	if path.IsAbs(parts[0]) {
		return Volume{Host: parts[0], Path: parts[1]}, nil
	}
	if strings.ContainsAny(parts[0], "/~") {
		return Volume{}, errors.New("the folder of a host must be absolute")
	}
	return Volume{Name: parts[0], Path: parts[1]}, nil
}
