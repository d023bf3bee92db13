package forge_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/sources/forge"
)

func TestLine(t *testing.T) {
	for _, test := range []struct {
		text    string
		letters int
		want    string
	}{
		{"", 5, ""},
		{"ready", 5, "ready"},
		{"readily", 5, "read…"},
		{"ééééé", 5, "ééééé"},
		{"éééééé", 5, "éééé…"},
		{"one\r\n\ttwo  three", 20, "one two three"},
		{"a\x00b\x1b[31m\xff c", 20, "ab[31m c"},
		{"one two", 5, "one…"},
	} {
		if got := forge.Line(test.text, test.letters); got != test.want {
			t.Errorf("Line(%q, %d) = %q, want %q", test.text, test.letters, got, test.want)
		}
	}
}

func TestBody(t *testing.T) {
	long := strings.Repeat("ä", forge.MaxComment)
	for text, want := range map[string]string{
		"":                     "",
		"one\r\n\r\n  two\n\n": "one\n\n  two",
		"a\x00b\xff\tc":        "ab\tc",
		long:                   long[:forge.MaxComment-4] + "…",
	} {
		if got := forge.Body(text); got != want {
			t.Errorf("Body(%.40q) = %.40q, want %.40q", text, got, want)
		}
	}
}

func TestTextProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "text"))
		letters := rapid.IntRange(1, 200).Draw(t, "letters")
		line := forge.Line(text, letters)
		if !utf8.ValidString(line) || utf8.RuneCountInString(line) > letters || strings.ContainsAny(line, "\n\r\x00") {
			t.Fatalf("line %q", line)
		}
		if again := forge.Line(line, letters); again != line {
			t.Fatalf("%q becomes %q", line, again)
		}
		long := strings.Repeat(text, rapid.SampledFrom([]int{1, 1000}).Draw(t, "times"))
		body := forge.Body(long)
		if !utf8.ValidString(body) || len(body) > forge.MaxComment {
			t.Fatalf("body of %d bytes", len(body))
		}
		if again := forge.Body(body); again != body {
			t.Fatalf("%q becomes %q", body, again)
		}
	})
}
