package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
)

// An uninstaller has a pod, a network and a volume.
type uninstaller struct {
	backends.Backend
	removed bool
}

func (*uninstaller) Name() string { return "lab" }

func (*uninstaller) Owned(context.Context) ([]backends.Object, error) {
	return []backends.Object{{Kind: "container", Name: "web-0"}, {Kind: "network", Name: "berth"}, {Kind: "volume", Name: "data"}}, nil
}

func (u *uninstaller) Uninstall(_ context.Context, volumes bool, report func(backends.Step)) error {
	u.removed = true
	for _, done := range []bool{false, true} {
		report(backends.Step{Pod: "web-0", Verb: "remove", Detail: "Berth is uninstalled", Done: done})
		report(backends.Step{Verb: "remove", Detail: "network berth", Done: done})
	}
	return nil
}

// What is removed is told before and after; without a yes nothing is.
func TestUninstall(t *testing.T) {
	const listed = "container web-0 on lab\nnetwork berth on lab\n"
	for answer, want := range map[string]string{"": listed, "n\n": listed, "y\n": listed + "removed web-0\nremoved network berth\n"} {
		var out, told strings.Builder
		u := &uninstaller{}
		err := uninstall(t.Context(), console{in: strings.NewReader(answer), out: &out, err: &told}, "lab", []engine.Backend{{Backend: u}}, false, false)
		if yes := answer == "y\n"; u.removed != yes || (err == nil) != yes {
			t.Errorf("%q: removed %t, %v", answer, u.removed, err)
		}
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q: %s", answer, diff)
		}
		if !strings.HasPrefix(told.String(), "1 named volume is kept; --volumes removes them too\n") {
			t.Errorf("told %q", told.String())
		}
	}
}
