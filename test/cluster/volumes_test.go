package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Only what the cluster made of volumes is removed with it.
func TestRemoveVolumes(t *testing.T) {
	const old, mine, other = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "notes"
	for name, test := range map[string]struct {
		before, made, want []string // below the folder; nil: it is not there
		unknown            bool     // nothing was noted
	}{
		"it made the folder":       {nil, []string{mine}, nil, false},
		"it made no volume":        {nil, nil, nil, false},
		"the folder was there":     {[]string{}, []string{mine}, []string{}, false},
		"volumes were there":       {[]string{old}, []string{mine}, []string{old}, false},
		"somebody else uses it":    {nil, []string{mine, other}, []string{other}, false},
		"it is not known":          {[]string{old}, []string{mine}, []string{old, mine}, true},
		"what was there is gone":   {[]string{old}, nil, []string{old}, false},
		"others' files were there": {[]string{other}, []string{mine}, []string{other}, false},
	} {
		root := t.TempDir()
		dir, note := filepath.Join(root, "volumes"), filepath.Join(root, "note")
		add := func(names []string) {
			for _, n := range names {
				if err := os.MkdirAll(filepath.Join(dir, n, "data"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
		if test.before != nil {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		add(test.before)
		if !test.unknown {
			if err := noteVolumes(dir, note); err != nil {
				t.Fatal(err)
			}
		}
		add(test.made)
		if err := removeVolumes(dir, note); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, err := folderNames(dir)
		if err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (test.want == nil) || got != nil && !slices.Equal(got[1:], test.want) {
			t.Errorf("%s: left are %q, want %q", name, got, test.want)
		}
	}
}
