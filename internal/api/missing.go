package api

import (
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// missing is the error that there is no thing of this name: it names the nearest,
// or a few that there are.
func missing(noun, name string, known []string) *Error {
	const few = 5
	e := &Error{Code: NotFound, Message: fmt.Sprintf("there is no %s %q", noun, shown(name))}
	near := schema.Nearest(name, known)
	switch {
	case len(known) == 0:
		e.Hint = fmt.Sprintf("there are no %ss", noun)
	case near != "":
		e.Hint = fmt.Sprintf("did you mean %s?", near)
	case len(known) <= few:
		e.Hint = "there are " + strings.Join(known, ", ")
	default:
		e.Hint = fmt.Sprintf("'berth get %ss' lists all %d", noun, len(known))
	}
	return e
}

// shown bounds a name that a client gave.
func shown(name string) string {
	const most = 100
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "…"
	}
	return name
}

func (w *world) sourceNames() []string {
	out := make([]string, len(w.sources))
	for i := range w.sources {
		out[i] = w.sources[i].Name
	}
	return out
}

func (w *world) deploymentNames() []string {
	out := make([]string, 0, w.view.Len())
	for s := range w.view.Statuses() {
		out = append(out, s.Deployment)
	}
	return out
}

func (w *world) backendNames() []string {
	out := make([]string, len(w.view.Backends))
	for i := range w.view.Backends {
		out[i] = w.view.Backends[i].Name
	}
	return out
}

// podNames returns the names of all pods, each once.
func (w *world) podNames() []string {
	var out []string
	for _, pods := range w.view.Pods() {
		for i := range pods {
			out = append(out, pods[i].Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
