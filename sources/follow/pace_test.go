package follow

import (
	"fmt"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

func TestInterval(t *testing.T) {
	tests := []struct {
		configured time.Duration // 0: none
		local      bool
		want       time.Duration
	}{
		{0, false, time.Minute},
		{0, true, time.Minute},
		{10 * time.Second, false, 10 * time.Second},
		{time.Millisecond, false, minRemoteInterval},
		{time.Millisecond, true, minLocalInterval},
		{1000 * time.Hour, false, maxInterval},
	}
	for _, test := range tests {
		var configured *schema.Duration
		if test.configured != 0 {
			configured = new(schema.Duration(test.configured))
		}
		if got := interval(configured, time.Minute, test.local); got != test.want {
			t.Errorf("interval(%s, local %v) = %s, want %s", test.configured, test.local, got, test.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	tests := []struct {
		kind     schema.ErrorKind
		failures int
		interval time.Duration
		want     time.Duration
	}{
		{schema.Transient, 1, time.Minute, time.Second},
		{schema.Transient, 4, time.Minute, 8 * time.Second},
		{schema.Transient, 9, time.Minute, 256 * time.Second},
		{schema.Transient, 10, time.Minute, 5 * time.Minute},
		{schema.Transient, 1 << 30, time.Minute, 5 * time.Minute},
		{schema.Waiting, 2, time.Minute, 2 * time.Second},
		{schema.Invalid, 9, time.Minute, time.Minute},
		{schema.Terminal, 1, time.Minute, time.Minute},
		{schema.Terminal, 3, time.Minute, 4 * time.Minute},
		{schema.Terminal, 30, time.Minute, 5 * time.Minute},
		{schema.Terminal, 3, time.Hour, time.Hour},
	}
	for _, test := range tests {
		if got := backoff(test.kind, test.failures, test.interval); got != test.want {
			t.Errorf("backoff(%s, %d, %s) = %s, want %s", test.kind, test.failures, test.interval, got, test.want)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache[int]()
	key := func(i int) fileKey { return fileKey{path: fmt.Sprint(i), blob: sources.Hash{1}} }
	for i := range 1000 {
		c.put(key(i), reading[int]{value: i}, cacheSize/100)
		c.get(key(0)) // in use
	}
	if n := len(c.entries); n > 100 || n < 90 || c.recent.Len() != n || c.size > cacheSize {
		t.Errorf("%d entries, %d in the list, %d bytes", n, c.recent.Len(), c.size)
	}
	for i, want := range map[int]bool{0: true, 1: false, 999: true} {
		if got, ok := c.get(key(i)); ok != want || ok && got.value != i {
			t.Errorf("entry %d: %v %v", i, got, ok)
		}
	}
	if _, ok := c.get(fileKey{path: "999", blob: sources.Hash{2}}); ok {
		t.Error("another content was found")
	}
}

func TestSelections(t *testing.T) {
	tests := []struct {
		name      string
		selection selection
		want, not []string
	}{
		{
			"all documents", documents("."),
			[]string{"a.yaml", "a.yml", "deep/er/a.yaml", ".a.yaml"},
			[]string{"README.md", ".github/a.yaml", "deep/.er/a.yaml", "deep/.er/more/a.yaml", "yaml"},
		},
		{
			"documents of a folder", documents("lab/.berth"),
			[]string{"lab/.berth/a.yaml", "lab/.berth/x/a.yml"},
			[]string{"a.yaml", "lab/a.yaml", "lab/.berthold/a.yaml", "lab/.berth/.x/a.yaml", "other/lab/.berth/a.yaml"},
		},
		{
			"known manifests", manifests(nil),
			[]string{
				"manifest.yaml", "manifest.yml", "a/manifest.yaml", "a/b/fiji.manifest.yaml", ".arkitekt/deployments.yaml",
				"a/.arkitekt_next/deployments.yaml", ".arkitekt/manifest.yaml",
			},
			[]string{"deployments.yaml", "manifest.json", "a/manifest.yaml/x", "my-manifest.yaml"},
		},
		{
			"named manifests", manifests([]string{"apps/*/berth.yaml", "one.yaml", "{x,y}/berth.yaml"}),
			[]string{"apps/a/berth.yaml", "one.yaml", "x/berth.yaml", "y/berth.yaml"},
			[]string{"apps/berth.yaml", "apps/a/b/berth.yaml", "two.yaml", "z/berth.yaml"},
		},
	}
	selected := func(s selection, name string) bool { return entered(name, s.enter) && s.match(name) }
	for _, test := range tests {
		for _, name := range test.want {
			if !selected(test.selection, name) {
				t.Errorf("%s: %s is not selected", test.name, name)
			}
		}
		for _, name := range test.not {
			if selected(test.selection, name) {
				t.Errorf("%s: %s is selected", test.name, name)
			}
		}
	}
	if manifests([]string{"apps/*/berth.yaml"}).enter("vendor") {
		t.Error("a folder is entered in which nothing can match")
	}
}
