package schema

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// plain writes a node as one line of flow YAML without tags, for comparing.
func plain(n *yaml.Node) string {
	var items []string
	switch n.Kind {
	case yaml.ScalarNode:
		return n.Value
	case yaml.SequenceNode:
		for _, c := range n.Content {
			items = append(items, plain(c))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			items = append(items, plain(n.Content[i])+": "+plain(n.Content[i+1]))
		}
		return "{" + strings.Join(items, ", ") + "}"
	default:
		return fmt.Sprintf("<kind %d>", n.Kind)
	}
}

func TestParseYAMLReadsPlainTrees(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"comments only", "# nothing\n\n# here\n", nil},
		{"empty documents", "---\n---\n# nothing\n---\n...\n", nil},
		{"mapping", "a: 1\nb: [x, {y: z}]\n", []string{"{a: 1, b: [x, {y: z}]}"}},
		{"text as written", "v: 0.40\nw: 1e3\nx: 0x10\ny: 2020-01-02\n", []string{"{v: 0.40, w: 1e3, x: 0x10, y: 2020-01-02}"}},
		{"several", "a: 1\n---\nb: 2\n--- c\n", []string{"{a: 1}", "{b: 2}", "c"}},
		{"end markers", "a: 1\n...\n# between\n---\nb: 2\n...\n", []string{"{a: 1}", "{b: 2}"}},
		{"directives", "%YAML 1.2\n---\na: 1\n...\n%YAML 1.2\n# and\n---\nb: 2\n", []string{"{a: 1}", "{b: 2}"}},
		{"bare after end marker", "a: 1\n...\nb: 2\n", []string{"{a: 1}", "{b: 2}"}},
		{"dashes inside a block", "a: |\n  ---\n  x\nb: 2\n", []string{"{a: ---\nx\n, b: 2}"}},
		{"longer dashes", "----: 1\n", []string{"{----: 1}"}},
		{"byte order mark", "\xef\xbb\xbfa: 1\n", []string{"{a: 1}"}},
		{"windows", "a: 1\r\n---\r\nb: 2\r\n", []string{"{a: 1}", "{b: 2}"}},
		{"old mac", "a: 1\r---\rb: 2\r", []string{"{a: 1}", "{b: 2}"}},
		{"alias", "a: &x [1, 2]\nb: *x\nc: {d: *x}\n", []string{"{a: [1, 2], b: [1, 2], c: {d: [1, 2]}}"}},
		{"alias of an alias", "a: &x {b: &y 1}\nc: *y\nd: *x\n", []string{"{a: {b: 1}, c: 1, d: {b: 1}}"}},
		{"alias as key", "a: &x k\n*x : 1\n", []string{"{a: k, k: 1}"}},
		{"merge", "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", []string{"{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"}},
		{"merge several", "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y], f: 4}\n",
			[]string{"{a: {b: 1}, c: {b: 2, d: 3}, e: {f: 4, b: 1, d: 3}}"}},
		{"quoted merge key", "\"<<\": 1\n", []string{"{<<: 1}"}},
		{"escapes of JSON", `{"a": "\ud83d\uDE00\/\ud83dx\\ud83d"}`, []string{`{a: 😀/�x\ud83d}`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			roots, problems := ParseYAML("f.yaml", []byte(tt.in))
			if len(problems) > 0 {
				t.Fatalf("problems: %v", problems)
			}
			var got []string
			for _, r := range roots {
				got = append(got, plain(r))
			}
			if strings.Join(got, "\n---\n") != strings.Join(tt.want, "\n---\n") {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestParseYAMLTellsWhatIsWrong(t *testing.T) {
	deep := strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1)
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'i'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+", ", 10), ", "))
	}
	merges := "a: &a {" // a large mapping, merged often
	for i := range 1000 {
		merges += fmt.Sprintf("k%d: 1, ", i)
	}
	merges += "}\nb:\n" + strings.Repeat("- <<: *a\n", 1000)
	for _, tt := range []struct {
		name, in string
		docs     int
		want     []string // each a part of a problem, in order
	}{
		{"one broken of three", "a: 1\n---\nb: [1\n---\nc: 3\n", 2, []string{"f.yaml:3:"}},
		{"two broken of three", "a: {\n---\nb: 1\n---\n\tc: 3\n", 1, []string{"f.yaml:2:1: ", "f.yaml:5:1: the YAML is not well-formed: found a tab character where an indentation space is expected (indent with spaces, not tabs)"}},
		{"colon in text", "a: b: c\n", 0, []string{"f.yaml:1:5: ", "put text that holds ': ' in quotes"}},
		{"unknown anchor", "a: 1\n---\napps: *\n---\nb: *x\n", 1, []string{"f.yaml:3:", "f.yaml:5:4: ", "begins with * in quotes"}},
		{"key twice", "---\n---\na: 1\nb: 2\na: 3\n", 1, []string{"f.yaml:5:1: the key a stands twice (it stands on line 3 already)"}},
		{"key thrice", "a: 1\na: 2\na: 3\n", 1, []string{"f.yaml:2:1: ", "f.yaml:3:1: "}},
		{"key is a list", "[a]: 1\nb: 2\n", 1, []string{"f.yaml:1:1: a key must be text"}},
		{"merge of text", "<<: x\nb: 2\n", 1, []string{"f.yaml:1:5: << merges a mapping or a list of mappings, not text"}},
		{"control character", "a: 1\n---\nb: \x00\n---\nc: é\x01\n", 3, []string{"f.yaml:3:4: the control character 0x00 is not allowed", "f.yaml:5:5: "}},
		{"no UTF-8", "a: \"\xff\"\n", 1, []string{"f.yaml:1:5: the text is not UTF-8"}},
		{"UTF-16", "\xff\xfea\x00:\x00", 0, []string{"f.yaml:1:1: the file is written in UTF-16 (save it as UTF-8)"}},
		{"cycle", "a: &x [1, {b: *x}]\n---\nb: 1\n", 2, []string{"f.yaml:1:4: the anchor x stands for something that holds itself"}},
		{"merge cycle", "a: &x {<<: *x}\n", 1, []string{"holds itself"}},
		{"too deep", deep, 1, []string{"f.yaml:1:65: the document is nested deeper than 64 levels"}},
		{"far too deep", strings.Repeat("[", maxNesting+1) + strings.Repeat("]", maxNesting+1), 0, []string{"depth of 1024"}},
		{"too deep in both styles", strings.Repeat("- ", 40) + strings.Repeat("[", 40) + strings.Repeat("]", 40), 1, []string{"deeper than 64 levels"}},
		{"too deep by aliases", "- &a " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\n- " + strings.Repeat("[", 40) + "*a" + strings.Repeat("]", 40) + "\n", 1, []string{"deeper than 64 levels"}},
		{"bomb", bomb, 0, []string{"more than 524288 values"}},
		{"many merges", merges, 0, []string{"more than 524288 values"}},
		{"too many values", "[" + strings.Repeat("a,", MaxNodes+1) + "]", 0, []string{"f.yaml:1:1: the document has more than 524288 values"}},
		{"long text", "a: 1\nb: " + strings.Repeat("x", MaxScalar+1), 1, []string{"f.yaml:2:4: the text is longer than 256Ki"}},
		{"long key", "a: 1\n? " + strings.Repeat("x", MaxKey+1) + "\n: 1\n", 1, []string{"f.yaml:2:3: a key is longer than 1Ki"}},
		{"large file", strings.Repeat("#", MaxFileSize+1), 0, []string{"f.yaml: the file is larger than 4Mi"}},
		{"many documents", strings.Repeat("--- a\n", MaxDocuments+1), MaxDocuments, []string{"f.yaml:1001:1: the file has more than 1000 documents"}},
		{"many empty documents", strings.Repeat("---\n", MaxDocuments+1), 0, []string{"f.yaml:1001:1: the file has more than 1000 documents"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			roots, problems := ParseYAML("f.yaml", []byte(tt.in))
			if len(roots) != tt.docs {
				t.Errorf("%d documents, want %d", len(roots), tt.docs)
			}
			text, rest := problems.Error(), problems.Error()
			for _, part := range tt.want {
				_, after, found := strings.Cut(rest, part)
				if !found {
					t.Errorf("no %q in\n%s", part, text)
				}
				rest = after
			}
		})
	}
}

// What is wrong in one place costs that place alone.
func TestParseYAMLKeepsTheRest(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"no UTF-8", "a: caf\xe9\nb: \x01\n", "{a: caf�, b: �}"},
		{"long text", "a: " + strings.Repeat("x", MaxScalar+1) + "\nb: 1\n", "{a: , b: 1}"},
		{"cycle", "a: &x {b: *x, c: 1}\nd: *x\n", "{a: {b: , c: 1}, d: {b: , c: 1}}"},
		{"too deep", "a: " + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth) + "\nb: 1\n",
			"{a: " + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + ", b: 1}"},
		{"too deep by an alias", "a: &x " + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + "\nb: [*x, 1]\n",
			"{a: " + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1) + ", b: [, 1]}"},
		{"list twice", "a: [1]\nb: 2\na: [3]\n", "{a: [1, 3], b: 2}"},
		{"list twice inside", "x: {a: [1], a: [3]}\n", "{x: {a: [3]}}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			roots, problems := ParseYAML("f.yaml", []byte(tt.in))
			if len(roots) != 1 || len(problems) == 0 {
				t.Fatalf("%d documents, problems: %v", len(roots), problems)
			}
			if got := plain(roots[0]); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestParseYAMLGivesPositionsInTheFile(t *testing.T) {
	roots, problems := ParseYAML("f.yaml", []byte("# top\na: 1\n---\n\nb:\n  - x\n  -  {c: d}\n"))
	if len(problems) > 0 || len(roots) != 2 {
		t.Fatalf("%d documents, problems: %v", len(roots), problems)
	}
	b := roots[1]
	d := b.Content[1].Content[1].Content[1]
	if b.Line != 5 || b.Column != 1 || d.Value != "d" || d.Line != 7 || d.Column != 10 {
		t.Errorf("b at %d:%d, %s at %d:%d", b.Line, b.Column, d.Value, d.Line, d.Column)
	}
}
