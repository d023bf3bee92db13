package main

import (
	"errors"
	"strings"
	"testing"
)

func TestNoEngine(t *testing.T) {
	for said, want := range map[string]string{
		"Cannot connect to the Docker daemon at unix:///x.sock":                                   "start Docker",
		`permission denied while trying to connect to the Docker daemon socket at unix:///x.sock`: "group docker",
	} {
		if err := noEngine("unix:///x.sock", errors.New(said)); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", said, err, want)
		}
	}
}
