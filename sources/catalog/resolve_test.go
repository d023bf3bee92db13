package catalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
	"github.com/berthdev/berth/sources/catalog"
)

func resolvable(t *testing.T) *catalog.Catalog {
	t.Helper()
	var releases []schema.Release
	for version, channels := range map[string][]string{
		"0.4.9": nil, "0.4.10": {"lts"}, "v0.5.0": {"stable"}, "1.0.0": nil, "1.0.0+build.2": nil, "2.0.0-rc.1": {"beta"}, "2.0.0-rc.2": {"beta", "edge"},
		"latest": {"edge", "^1"}, "3": nil, "dev": {"nightly"}, "one": nil,
	} {
		r := release("org.stardist", version, "a:x")
		r.Channels = channels
		releases = append(releases, r)
	}
	return with(t, read("r", 0,
		publishes("m.yaml", releases...),
		publishes("dev.yaml", release("org.dev", "dev", "a:x"), release("org.dev", "1.0.0-alpha", "a:x"))))
}

func TestResolve(t *testing.T) {
	c := resolvable(t)
	for _, tt := range []struct{ version, want, why string }{
		{"", "1.0.0+build.2", "newest of 5 stable releases"},
		{"0.4.9", "0.4.9", "exact version"},
		{"v0.5.0", "v0.5.0", "exact version"},
		{"0.5.0", "v0.5.0", "newest of 1 in 0.5.0"},
		{"1.0.0", "1.0.0", "exact version"},
		{"latest", "latest", "exact version"},
		{"3", "3", "exact version"},
		{"stable", "v0.5.0", "newest of 1 in channel stable"},
		{"beta", "2.0.0-rc.2", "newest of 2 in channel beta"},
		{"edge", "2.0.0-rc.2", "newest of 2 in channel edge"},
		{"nightly", "dev", "newest of 1 in channel nightly"},
		{"^1", "latest", "newest of 1 in channel ^1"}, // channels come before ranges
		{"^0.4", "0.4.10", "newest of 2 in ^0.4"},
		{"~0.4.0", "0.4.10", "newest of 2 in ~0.4.0"},
		{"0.4", "0.4.10", "newest of 2 in 0.4"},
		{">=0.4 <1", "v0.5.0", "newest of 3 in >=0.4 <1"},
		{"*", "1.0.0+build.2", "newest of 5 in *"},
		{">=2.0.0-0", "2.0.0-rc.2", "newest of 2 in >=2.0.0-0"},
	} {
		t.Run(tt.version, func(t *testing.T) {
			r, why, err := c.Resolve("org.stardist", tt.version)
			if err != nil {
				t.Fatal(err)
			}
			if r.Version != tt.want || why.String() != tt.why {
				t.Errorf("%s, %s; want %s, %s", r.Version, why, tt.want, tt.why)
			}
		})
	}
}

func TestResolveErrors(t *testing.T) {
	c := resolvable(t)
	const there = "there is 2.0.0-rc.2, 2.0.0-rc.1, 1.0.0+build.2, 1.0.0, v0.5.0 and 6 older; channels beta, edge, stable, lts, ^1"
	for _, tt := range []struct {
		identifier, version string
		kind                schema.ErrorKind
		want                string
	}{
		{"org.stardist", "^7", schema.Waiting, "resolve org.stardist ^7: no release matches this version (" + there + ")"},
		{"org.stardist", "2", schema.Waiting, "resolve org.stardist 2: no release matches this version (" + there + ")"},
		{"org.stardist", "canary", schema.Waiting, "resolve org.stardist canary: no release matches this version (" + there + ")"},
		{"org.stardist", "^^1", schema.Invalid, "resolve org.stardist ^^1: the version is no SemVer range (write it as ^0.4, ~1.2.0 or >=1.0 <2; " + there + ")"},
		{"org.stardist", ">= 1 <", schema.Invalid, "resolve org.stardist >= 1 <: the version is no SemVer range (write it as ^0.4, ~1.2.0 or >=1.0 <2; " + there + ")"},
		{"org.dev", "", schema.Waiting, "resolve org.dev: there is no stable release (name a version; there is 1.0.0-alpha, dev)"},
		{"org.stardust", "1.0.0", schema.Waiting, "resolve org.stardust 1.0.0: no repo publishes this app (did you mean org.stardist?)"},
		{"com.example.StarDist", "", schema.Waiting, "resolve com.example.StarDist: no repo publishes this app (did you mean org.stardist?)"},
		{"or.gdev", "", schema.Waiting, "resolve or.gdev: no repo publishes this app (did you mean org.dev?)"},
		{"org.other", "", schema.Waiting, "resolve org.other: no repo publishes this app (follow a repo that publishes it)"},
	} {
		t.Run(tt.identifier+" "+tt.version, func(t *testing.T) {
			r, _, err := c.Resolve(tt.identifier, tt.version)
			var typed *schema.Error
			if r != nil || !errors.As(err, &typed) {
				t.Fatalf("%v, %v", r, err)
			}
			if typed.Kind != tt.kind || err.Error() != tt.want {
				t.Errorf("%s: %v\nwant %s: %s", typed.Kind, err, tt.kind, tt.want)
			}
		})
	}
}

// Where a file that names an app has errors, that is why it is not there.
func TestResolveTellsOfFilesWithErrors(t *testing.T) {
	text := "identifier: org.broken\nversion: 1.2.0\nflavors: []\n"
	c := with(t, read("apps", 0,
		publishes("good.yaml", release("org.broken", "1.0.0", "a:x")),
		catalog.File{Path: "m.yaml", Raw: []byte(text), Publication: publication.Read("m.yaml", []byte(text))},
		catalog.File{Path: "n.yaml", Raw: []byte("org.lost: ["), Publication: publication.Read("n.yaml", []byte("org.lost: ["))}))
	const why = `m.yaml:3:1: unknown key "flavors" (did you mean flavours?), of repo apps`
	for _, tt := range []struct{ identifier, version, want string }{
		{"org.broken", "1.2.0", "resolve org.broken 1.2.0: no release matches this version (a file that names the app has errors: " + why + "; there is 1.0.0)"},
		{"org.broken", "1.3.0", "resolve org.broken 1.3.0: no release matches this version (there is 1.0.0)"},
		{"org.broken", "^2", "resolve org.broken ^2: no release matches this version (a file that names the app has errors: " + why + "; there is 1.0.0)"},
		{"org.lost", "", "resolve org.lost: a file that names this app has errors (n.yaml:1:12: the YAML is not well-formed: did not find expected node content (give a value, or close what is open), of repo apps)"},
		{"org.other", "", "resolve org.other: no repo publishes this app (follow a repo that publishes it)"},
	} {
		if _, _, err := c.Resolve(tt.identifier, tt.version); err == nil || err.Error() != tt.want {
			t.Errorf("%s %s: %v\nwant %s", tt.identifier, tt.version, err, tt.want)
		}
	}
}

// A hostile desired state with many ranges neither fills the memory nor spoils answers.
func TestManyRanges(t *testing.T) {
	c := resolvable(t)
	for i := range 10_000 {
		if _, _, err := c.Resolve("org.stardist", fmt.Sprintf("^7.%d", i)); err == nil {
			t.Fatal("found")
		}
	}
	if r, _, err := c.Resolve("org.stardist", "^0.4"); err != nil || r.Version != "0.4.10" {
		t.Errorf("%v, %v", r, err)
	}
	if _, _, err := c.Resolve("org.stardist", strings.Repeat(">1 ", 10_000)); schema.KindOf(err) != schema.Invalid {
		t.Errorf("%v", err)
	}
}
