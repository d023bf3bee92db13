package api

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"org.stardist", "org.stardist", true},
		{"org.stardist", "org.stardist2", false},
		{"*", "", true},
		{"*", "anything", true},
		{"org.*", "org.stardist", true},
		{"org.*", "com.org.x", false},
		{"*dist", "org.stardist", true},
		{"o*s*t", "org.stardist", true},
		{"a*a", "a", false},
		{"a*a", "aa", true},
		{"*a*b*", "xxbxxa", false},
		{"ab*bc", "abc", false},
		{"", "x", false},
	}
	for _, tt := range tests {
		if got := anyOf([]string{"other", tt.pattern})(tt.text); got != tt.want {
			t.Errorf("%q matches %q: %v", tt.pattern, tt.text, got)
		}
	}
}

// TestSearch finds words whatever their case, all of them, and in any text.
func TestSearch(t *testing.T) {
	texts := func(s string) []string { return strings.Split(s, "|") }
	tests := []struct {
		words, text string
		want        bool
	}{
		{"", "x", true},
		{"  ", "x", true},
		{"STAR dist", "org.stardist|Object detection", true},
		{"star fiji", "org.stardist|Object detection", false},
		{"detection star", "org.stardist|Object Detection", true},
		{"dist object", "dist|object", true},
		{"distobject", "dist|object", false},
	}
	for _, tt := range tests {
		f, err := search(filter[string]{}, &tt.words, texts)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.admits == nil || f.admits(tt.text); got != tt.want {
			t.Errorf("%q in %q: %v", tt.words, tt.text, got)
		}
	}
}
