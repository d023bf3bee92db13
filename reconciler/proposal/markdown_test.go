package proposal_test

import (
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/reconciler/proposal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// hostile is a report all of whose texts are what a stranger wrote.
func hostile(text string) *proposal.Report {
	at := &proposal.Placement{Release: text, Flavour: text, Backend: text, Replicas: 1}
	row := proposal.Row{
		Deployment: text, Action: planner.Replace, From: at, To: &proposal.Placement{Release: text + "2", Flavour: text, Backend: text, Replicas: 2},
		Changed: []string{"env " + text}, Reason: text, Why: text, Better: text, Loses: 1, Replaces: 1, Position: schema.Position{File: text, Line: 1, Column: 1},
		Choices: []proposal.Choice{{Flavour: text, Backend: text, Reason: text, Chosen: true}},
	}
	held := row
	held.Action, held.Fails, held.To = planner.Hold, true, at
	return &proposal.Report{
		Base: text, Head: text, MergeBase: text, Branch: text, Rows: []proposal.Row{row, held}, Unchanged: 1,
		Untouched: []string{text}, Conflicts: []string{text}, Notes: []string{"repo " + text},
		Errors: schema.Problems{{File: text, Line: 1, Column: 1, Path: text, Message: text, Hint: text}},
	}
}

// seeds are what strangers try.
var seeds = []string{
	"stardist", "a|b", "`a`|`b`", "</code></td></tr></table>", "</details>", "<img src=x onerror=alert(1)>", "<!-- x", "-->",
	"@ada", "@org/team", "x@y.example", "#12", "owner/repo#12", "!12", "~label", "$12", "%12", "&12", "^alert", "GH-12", "gl-3", ":tada:",
	"![x](https://evil.example/x.png)", "[x](https://evil.example)", "[x]: https://evil.example", "https://evil.example", "www.evil.example", "ftp://x",
	"**x**", "_x_", "~~x~~", "\\", "\\|", "&#64;ada", "&lt;b&gt;", "&commat;ada", "{{x}}", "$`x`$", "$$x$$", "\n\n# x", "\r\n/close\r\n", "\n::error::x", "%0A::error::x",
	"a\x00b\x1b[31m", "a\u202eb", "@\u200dada", "@\u2060ada", "\xff\xfe", strings.Repeat("|", 500), strings.Repeat("@a", 300), "", " ", "/close", "- x", "1. x",
	"file=x,line=1::y", ",title=x", "a\u2028b\u0085c", "@ｅveryone", "＠ada", "@@ada", "#@1", "https://www.@a", "wwwwww.www.x",
}

var (
	tag     = regexp.MustCompile(`</?(code|details|summary)>`)
	pointer = regexp.MustCompile(`(?i)[@#!~$%&^][\pL\pN_"']|[\pL\pN]://|www\.[^\s]|\bg[hl]-\d`)
	lineOf  = regexp.MustCompile(`^(### |\*\*(Loses|Holds|No backend)|Declared otherwise|- |\| |\|---|<details><summary>|</details>$|Note:|Nothing becomes different|Planned on |$)`)
)

func checkMarkdown(t *testing.T, text string) {
	t.Helper()
	if len(text) > forge.MaxComment || !utf8.ValidString(text) {
		t.Errorf("%d bytes, valid %v", len(text), utf8.ValidString(text))
	}
	open := map[string]int{}
	for _, x := range tag.FindAllString(text, -1) {
		name := strings.Trim(x, "</>")
		if open[name]++; x[1] == '/' {
			open[name] -= 2
		}
		if open[name] < 0 || open[name] > 1 {
			t.Errorf("%s stands alone in\n%s", x, text)
		}
	}
	columns := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if !lineOf.MatchString(line) {
			t.Errorf("no line of ours: %q", line)
		}
		if n := strings.Count(line, "|"); n > 0 {
			if columns > 0 && n != columns && !strings.HasPrefix(line, "| and ") {
				t.Errorf("%d columns, want %d: %q", n, columns, line)
			}
			columns = n
		} else {
			columns = 0
		}
		bare := tag.ReplaceAllString(line, " ")
		bare = strings.TrimLeft(bare, "#")
		if i := strings.IndexAny(strings.ReplaceAll(bare, "**", ""), "<>`*_[]{}~!$^@\\"); i >= 0 {
			t.Errorf("what Markdown takes for more than a letter: %q", line)
		}
		shown := html.UnescapeString(bare)
		if r := pointer.FindString(shown); r != "" {
			t.Errorf("%q refers to something in %q", r, shown)
		}
		if strings.ContainsFunc(shown, func(r rune) bool { return unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) && r != '\u2060' }) {
			t.Errorf("control characters in %q", shown)
		}
	}
}

func checkAnnotations(t *testing.T, text string, want int) {
	t.Helper()
	command := regexp.MustCompile(`^::(error|warning|notice) (file=[^,:]*,)?(line=\d+,)?(col=\d+,)?title=berth%3A [a-z]+::`)
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) != want {
		t.Errorf("%d commands, want %d:\n%s", len(lines), want, text)
	}
	for _, l := range lines {
		if !command.MatchString(l) || strings.ContainsAny(l, "\r\x00\x1b\u0085\u2028") {
			t.Errorf("no command of ours: %q", l)
		}
		if i := strings.Index(l, "%"); i >= 0 && !regexp.MustCompile(`^%(25|0D|0A|3A|2C)`).MatchString(l[i:]) {
			t.Errorf("an escape of theirs: %q", l)
		}
	}
}

func checkHostile(t *testing.T, text string) {
	t.Helper()
	r := hostile(text)
	checkMarkdown(t, r.Markdown())
	checkAnnotations(t, r.Annotations(text), 6)
	for _, change := range []func(){func() {}, func() { r.Errors = nil }, func() { r.Conflicts = nil }, func() { r.Rows[1].Fails = false }, func() { r.Rows = r.Rows[1:] }} {
		change()
		if s := r.Summary(); len([]rune(s)) > proposal.MaxSummary || strings.ContainsFunc(s, unicode.IsControl) {
			t.Errorf("summary %q", s)
		}
	}
}

func TestHostile(t *testing.T) {
	for _, text := range seeds {
		checkHostile(t, text)
	}
	checkHostile(t, strings.Join(seeds, " "))
}

func FuzzHostile(f *testing.F) {
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkHostile(t, text) })
}

// What stories render passes the same checks.
func TestMarkdownIsOurs(t *testing.T) {
	for _, s := range stories() {
		base, head := s.worlds(t)
		checkMarkdown(t, base.propose(head, s.conflicts...).Markdown())
	}
}
