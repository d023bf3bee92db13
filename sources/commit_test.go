package sources

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":         {"", ""},
		"a title":         {"fix the pod\n\nIt was broken.\n", "fix the pod"},
		"blank lines":     {"\n\n  late \r\nbody", "late"},
		"a tab":           {"a\tb", "a b"},
		"an escape":       {"\x1b[31mred\x1b[0m\x07", "[31mred[0m"},
		"bidi, invisible": {"a\u202egnp\u200b.exe", "agnp.exe"},
		"no UTF-8":        {"caf\xe9", "caf\uFFFD"},
		"just short":      {strings.Repeat("é", 120), strings.Repeat("é", 120)},
		"long":            {strings.Repeat("é", 121), strings.Repeat("é", 120) + "…"},
	} {
		if got := Line(test.text); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("fix\n\nbody")
	f.Add("\x1b[2J\xff")
	f.Fuzz(func(t *testing.T, text string) {
		got := Line(text)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > maxLine+1 || strings.ContainsAny(got, "\n\r\x1b") {
			t.Errorf("%q became %q", text, got)
		}
		if again := Line(got); again != got && !strings.HasSuffix(got, "…") && strings.TrimSpace(got) == got {
			t.Errorf("%q became %q, then %q", text, got, again)
		}
	})
}
