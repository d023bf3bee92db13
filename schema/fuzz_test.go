package schema

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// seed adds every fixture to a corpus.
func seed(f *testing.F) {
	for _, pattern := range []string{"testdata/valid/*.yaml", "testdata/invalid/*/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			f.Fatalf("no fixtures in %s: %v", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
}

// checkProblems holds problems to what every one of them must be: short,
// without control characters, and at a place that the file has.
func checkProblems(t *testing.T, data []byte, problems Problems) {
	t.Helper()
	lines := lineBreaks.Replace(string(data))
	count := strings.Count(lines, "\n") + 1
	widest := 0
	for line := range strings.SplitSeq(lines, "\n") {
		widest = max(widest, utf8.RuneCountInString(line))
	}
	for _, p := range problems {
		if p.Line < 0 || p.Line > count || p.Column < 0 || p.Column > widest+1 {
			t.Errorf("%d:%d is outside of %d lines of at most %d characters: %s", p.Line, p.Column, count, widest, p.Message)
		}
		if p.Message == "" || p.File != "f.yaml" || len(p.Error()) > 4096 {
			t.Errorf("bad problem: %#v", p)
		}
	}
}

// lineBreaks makes one character of all that the YAML library takes for a line break.
var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")

// checkTree tells whether a tree is what ParseYAML promises.
func checkTree(t *testing.T, n *yaml.Node, depth int, budget *int) {
	if *budget--; *budget < 0 {
		return
	}
	if depth > MaxDepth {
		t.Fatal("the tree is too deep")
	}
	switch n.Kind {
	case yaml.ScalarNode, yaml.SequenceNode:
	case yaml.MappingNode:
		seen := map[string]bool{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode || seen[key.Value] {
				t.Fatalf("the key %q is no scalar or stands twice", key.Value)
			}
			seen[key.Value] = true
		}
	default:
		t.Fatalf("a node of kind %d", n.Kind)
	}
	for _, c := range n.Content {
		checkTree(t, c, depth+1, budget)
	}
}

func FuzzParseYAML(f *testing.F) {
	seed(f)
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("a: &a {b: 1}\nc: {<<: [*a, *a], b: 2}\n"))
	f.Add([]byte("%YAML 1.2\n%TAG ! x\n--- !a\n...\n--- |\n ---\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		roots, problems := ParseYAML("f.yaml", data)
		checkProblems(t, data, problems)
		for _, r := range roots {
			budget := 10_000
			checkTree(t, r, 1, &budget)
		}
	})
}

func FuzzDecodeDesired(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out := DecodeDesired("f.yaml", data)
		checkProblems(t, data, out.Problems)
		names := map[Ref]bool{}
		for _, d := range out.Deployments {
			names[Ref{KindDeployment, d.Name}] = true
			if again := DecodeDesired("f.yaml", data); len(again.Deployments) != len(out.Deployments) {
				t.Error("two readings differ")
			}
		}
		for _, r := range out.Repos {
			names[Ref{KindRepo, r.Name}] = true
		}
		if len(names) != len(out.Deployments)+len(out.Repos) {
			t.Error("two documents of one name are used")
		}
		for _, b := range out.Broken {
			if names[b] && len(out.Problems.Errors()) == 0 {
				t.Errorf("%v is broken without an error", b)
			}
		}
	})
}

func FuzzDecodeApp(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		releases, identities, problems := DecodeAppFile("f.yaml", data)
		checkProblems(t, data, problems)
		for _, r := range append(releases, identities...) {
			if r.Identifier == "" || r.Version == "" {
				t.Errorf("a release without identity: %+v", r)
			}
		}
		for _, r := range releases {
			for _, v := range r.Flavours {
				if v.Name == "" || v.Image == "" {
					t.Errorf("a flavour without image: %+v", v)
				}
			}
		}
	})
}

func FuzzDecodeConfig(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, problems := DecodeConfig("f.yaml", data)
		checkProblems(t, data, problems)
		if (c == nil) != (len(problems.Errors()) > 0) {
			t.Errorf("configuration %v, problems %v", c, problems)
		}
		if c != nil {
			c.Default("/data")
			if problems := c.Validate().Errors(); len(problems) > 0 {
				t.Errorf("the defaults make it invalid: %v", problems)
			}
		}
	})
}

// fuzzText holds a text type to reading back what it writes.
func fuzzText[T comparable](f *testing.F, parse func(string) (T, error), text func(T) string, seeds ...string) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parse(s)
		if err != nil {
			if len(err.Error()) > 512 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			return
		}
		if again, err := parse(text(v)); err != nil || again != v {
			t.Errorf("%q is read as %v, written as %q, read as %v: %v", s, v, text(v), again, err)
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	fuzzText(f, ParseBytes, Bytes.String, "8GB", "512Mi", "1.5 GiB", "0", "99999999999TB", ".", "1e9", "-1")
}

func FuzzParseCPU(f *testing.F) {
	fuzzText(f, ParseCPU, CPU.String, "2", "0.5", "500m", ".5", "1e3", "inf", "-1", "0x1p4")
}

func FuzzParseDuration(f *testing.F) {
	fuzzText(f, ParseDuration, Duration.String, "30s", "1h30m", "0", "1.5h", "-1s", "10", "9999999h")
}

func FuzzParsePort(f *testing.F) {
	fuzzText(f, ParsePort, Port.String, "80", "8080:80", "127.0.0.1:8080:80/udp", "[::1]:1:2", "1::2", "::1:1:2", "[]:1:2", "fe80::1%eth0:1:2")
}

func FuzzParseVolume(f *testing.F) {
	write := func(v Volume) string {
		s := v.Name + v.Host + ":" + v.Path
		if v.ReadOnly {
			s += ":ro"
		}
		return s
	}
	fuzzText(f, ParseVolume, write, "a:/b", "/a:/b:ro", "a:/b:rw", "a", ":/b", "a:b:c:d", "~/a:/b")
}

func FuzzRepoURL(f *testing.F) {
	for _, s := range []string{"https://u:p@h/a", "git@h:a", "ssh://git@h:22/a", "file:///a", "../a", "-x", "http://h/a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var r report
		if r.repoURL("url", s); len(r.problems) > 1 {
			t.Errorf("%q: %v", s, r.problems)
		}
		if len(r.problems.Errors()) == 0 && strings.HasPrefix(s, "-") {
			t.Errorf("%q would be an option", s)
		}
	})
}
