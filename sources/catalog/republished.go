package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// republish notes which releases of the old app have another content under the
// same version now.
func (a *app) republish(old *app) {
	a.republished = map[string]Notice{}
	if old == nil {
		return
	}
	for _, r := range a.Releases {
		before := old.byVersion[r.Version]
		if before == nil {
			continue
		}
		if changes := changes(before, r); len(changes) > 0 {
			a.republished[r.Version] = Notice{
				Kind: NoticeRepublished, Repo: r.Repo, Identifier: a.Identifier, Version: r.Version,
				Message: fmt.Sprintf("%s %s was published again with other content: %s", a.Identifier, r.Version, strings.Join(changes, "; ")),
			}
		} else if n, known := old.republished[r.Version]; known {
			a.republished[r.Version] = n
		}
	}
	for _, n := range a.republished {
		a.notices = append(a.notices, n)
	}
}

// changes says what differs between two contents of one version, as far as it
// bears on what runs. A flavour that is added is no change: publishing one after
// the other is how releases grow.
func changes(before, after *Release) []string {
	var out []string
	if before.Repo != after.Repo {
		out = append(out, fmt.Sprintf("it is of repo %s, not %s", after.Repo, before.Repo))
	}
	if !slices.Equal(slices.Sorted(slices.Values(before.Scopes)), slices.Sorted(slices.Values(after.Scopes))) {
		out = append(out, "the scopes differ")
	}
	for _, f := range before.Flavours {
		i := slices.IndexFunc(after.Flavours, func(g schema.Flavour) bool { return g.Name == f.Name })
		if i < 0 {
			out = append(out, fmt.Sprintf("flavour %s is gone", f.Name))
			continue
		}
		if d := flavourChanges(f, after.Flavours[i]); len(d) > 0 {
			out = append(out, fmt.Sprintf("flavour %s: %s", f.Name, strings.Join(d, ", ")))
		}
	}
	return out
}

func flavourChanges(before, after schema.Flavour) []string {
	var out []string
	if before.Image != after.Image {
		out = append(out, fmt.Sprintf("image %s instead of %s", clip(after.Image, 200), clip(before.Image, 200)))
	}
	if before.Priority != after.Priority {
		out = append(out, "another priority")
	}
	if !reflect.DeepEqual(before.Selectors, after.Selectors) {
		out = append(out, "other selectors")
	}
	if !reflect.DeepEqual(byKey(before.Requirements), byKey(after.Requirements)) {
		out = append(out, "other requirements")
	}
	if before.User != after.User || !reflect.DeepEqual(&before.Container, &after.Container) {
		out = append(out, "other settings of the container")
	}
	return out
}

// byKey returns requirements in an order of their own: a file in which they are a
// mapping may be written anew in any.
func byKey(requirements []schema.Requirement) []schema.Requirement {
	return slices.SortedStableFunc(slices.Values(requirements), func(a, b schema.Requirement) int { return strings.Compare(a.Key, b.Key) })
}
