package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// provisioned matches the names that Kubernetes gives the folders of volumes: UUIDs.
var provisioned = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// noteVolumes notes what is in the folder of volumes before the cluster starts: that
// is somebody else's. The folder's path is Kubernetes' own, and may be in use.
func noteVolumes(dir, note string) error {
	there, err := folderNames(dir)
	if err != nil {
		return err
	}
	return os.WriteFile(note, []byte(strings.Join(there, "\n")), 0o600)
}

// removeVolumes removes the folders of the cluster's volumes: those that were made
// since the note. Without one nothing is known, and nothing removed. What is no
// volume stays, and so does the folder of all, unless it is empty then.
func removeVolumes(dir, note string) error {
	text, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	before := strings.Split(string(text), "\n")
	there, err := folderNames(dir)
	if err != nil {
		return err
	}
	for _, name := range there {
		if provisioned.MatchString(name) && !slices.Contains(before, name) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	if slices.Contains(before, ".") {
		return nil // it was there
	}
	_ = os.Remove(dir) // it is not empty as long as somebody else uses it
	return nil
}

// folderNames lists a folder, with "." for itself; nothing: it is not there.
func folderNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	names := []string{"."}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
