package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

// lacks says in words by what a live object first falls short of what is wanted,
// as "spec.replicas: it is 3, not 2"; empty: it has all that is wanted. What is
// not wanted is not looked at: it is a default, or somebody else's. Objects may be
// typed or unstructured.
//
// It compares as the server merges: the entries of a list with keys are found by
// these, whatever their order; other lists are compared as a whole, entry by
// entry. Quantities are compared by amount. A zero that is wanted covers a field
// that is not there.
//
// Values of variables and arguments are not told: they may be secrets.
func lacks(wanted, live runtime.Object) (string, error) {
	want, err := patch(wanted)
	if err != nil {
		return "", err
	}
	have, err := fieldsOf(live)
	if err != nil {
		return "", err
	}
	for _, key := range []string{"apiVersion", "kind"} { // a typed live object does not tell them
		delete(want.Object, key)
	}
	return coverMap("", want.Object, have), nil
}

// listKeys are the fields by which the entries of a list are told apart, by the
// name of the list. A port without a protocol is TCP's.
var listKeys = map[string][]string{
	"containers":       {"name"},
	"env":              {"name"},
	"volumes":          {"name"},
	"volumeMounts":     {"mountPath"},
	"imagePullSecrets": {"name"},
	"ports":            {"containerPort", "port", "protocol"}, // of a container, of a Service
}

// quantities are the maps whose values are amounts, and the fields that are.
var quantities = map[string]bool{"requests": true, "limits": true, "sizeLimit": true}

// hidden are the fields whose values are not told.
var hidden = map[string]bool{"value": true, "command": true, "args": true}

func coverMap(path string, want, have map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		at := join(path, key)
		if why := cover(at, key, want[key], have[key]); why != "" {
			return why
		}
	}
	return ""
}

func cover(path, name string, want, have any) string {
	if have == nil && isZero(want) {
		return ""
	}
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		switch {
		case !ok:
			return missing(path)
		case quantities[name]:
			return coverAmounts(path, w, h)
		default:
			return coverUnion(path, name, w, h)
		}
	case []any:
		h, ok := have.([]any)
		if !ok {
			return missing(path)
		}
		if keys, keyed := listKeys[name]; keyed {
			return coverKeyed(path, name, keys, w, h)
		}
		return coverList(path, name, w, h)
	}
	if quantities[name] && sameAmount(want, have) || sameValue(want, have) {
		return ""
	}
	if have == nil {
		return missing(path)
	}
	if hidden[name] {
		return path + ": it is another value"
	}
	return fmt.Sprintf("%s: it is %s, not %s", path, show(have), show(want))
}

// coverUnion is coverMap where some fields cannot be together.
func coverUnion(path, name string, want, have map[string]any) string {
	if why := coverMap(path, want, have); why != "" {
		return why
	}
	if key := beside(name, want, have); key != "" {
		return join(path, key) + ": it must not be there"
	}
	return ""
}

// coverKeyed finds each wanted entry by its keys.
func coverKeyed(path, name string, keys []string, want, have []any) string {
	for _, item := range want {
		w, _ := item.(map[string]any)
		at := fmt.Sprintf("%s[%s]", path, keyOf(keys, w))
		i := find(keys, w, have)
		if i < 0 {
			return missing(at)
		}
		if why := coverUnion(at, name, w, have[i].(map[string]any)); why != "" { //nolint:forcetypeassert // it was found as one
			return why
		}
	}
	return ""
}

// find returns where in a list the entry is that has the keys of another one; -1:
// nowhere.
func find(keys []string, entry map[string]any, list []any) int {
	key := keyOf(keys, entry)
	return slices.IndexFunc(list, func(other any) bool {
		h, ok := other.(map[string]any)
		return ok && keyOf(keys, h) == key
	})
}

// keyOf renders the keys that an entry of a list has.
func keyOf(keys []string, entry map[string]any) string {
	var parts []string
	for _, k := range keys {
		value, ok := entry[k]
		if !ok && k == "protocol" {
			value, ok = "TCP", true
		}
		if ok {
			parts = append(parts, show(value))
		}
	}
	return strings.Join(parts, "/")
}

func coverList(path, name string, want, have []any) string {
	if len(want) != len(have) {
		return fmt.Sprintf("%s: it has %d entries, not %d", path, len(have), len(want))
	}
	for i := range want {
		if why := cover(fmt.Sprintf("%s[%d]", path, i), name, want[i], have[i]); why != "" {
			return why
		}
	}
	return ""
}

func coverAmounts(path string, want, have map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch h, ok := have[key]; {
		case !ok:
			return missing(join(path, key))
		case !sameAmount(want[key], h):
			return fmt.Sprintf("%s: it is %s, not %s", join(path, key), show(h), show(want[key]))
		}
	}
	return ""
}

func sameAmount(a, b any) bool {
	x, errX := resource.ParseQuantity(fmt.Sprint(a))
	y, errY := resource.ParseQuantity(fmt.Sprint(b))
	if errX != nil || errY != nil {
		return sameValue(a, b)
	}
	return x.Cmp(y) == 0
}

// sameValue compares plain values. Numbers have one of several types, depending on
// who decoded them.
func sameValue(a, b any) bool {
	if a == b {
		return true
	}
	x, isX := number(a)
	y, isY := number(b)
	return isX && isY && x == y
}

func number(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case int32:
		return float64(n), true
	case int:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// isZero tells whether a value says no more than one that is not there.
func isZero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	case string:
		return v == ""
	case bool:
		return !v
	case nil:
		return true
	}
	n, ok := number(v)
	return ok && n == 0
}

func missing(path string) string { return path + ": it is missing" }

func join(path, key string) string {
	if strings.ContainsAny(key, "./") {
		key = "[" + key + "]"
		return path + key
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// show renders a value of an object, bounded.
func show(v any) string {
	const most = 100
	if s, ok := v.(string); ok {
		return clip(s, most)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%T", v)
	}
	return clip(string(data), most)
}

// clip shortens text to so many bytes, and marks that it did.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}
