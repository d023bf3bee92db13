package schema

import (
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, tt := range []struct {
		rule rule
		good []string
		bad  []string
	}{
		{labelRule, []string{"a", "a-b", "1", strings.Repeat("a", 63)}, []string{"A", "-a", "a-", "a.b", "a_b", strings.Repeat("a", 64), "a\n"}},
		{identifierRule,
			[]string{"my-fff", "com.example.app", "org.stardist", "a", "A_b", "github.com/user/app", "x1"},
			[]string{".a", "a.", "-a", "a b", "a//b", "../a", "a..b", "a:b", "é", "a\n", strings.Repeat("a", 201)}},
		{versionTextRule,
			[]string{"1.2.3", "v1", "3", "0.4", "dev2", "latest", "stable", "^0.4", "~1.2", ">=1.2, <2", "1.x", "*", "1.0.0 - 2.0.0", "^1 || ^3", "1.0.0-beta.1+b5"},
			[]string{"-x", "a b", "a;b", "$(id)", "^", ">=a", "1.0\n", strings.Repeat("1", 129)}},
		{channelRule, []string{"stable", "beta", "rc_1", "nightly-2024"}, []string{"1", "x", "v1", "a b", "-a", "^1"}},
		{refRule,
			[]string{"main", "feature/x", "v1.2.3", "0123456789abcdef0123456789abcdef01234567", "^1.2", ">=1, <2", "1.x", "release-1.0", "refs/heads/main"},
			[]string{"-x", "--upload-pack=id", "a..b", "a b", "a~1", "a^", "a:b", "a\\b", "a?b", "a[b", "/a", "a/", "a//b", "a.lock", ".a", "a/.b", "@", "a@{1}", "a\x00", "a\nb", "a\u202eb"}},
		{runAsRule, []string{"0", "1000:1000", "nobody", "www-data:www-data"}, []string{"-1", "a b", "a:b:c", ":1", "a:", "root;id"}},
		{envRule, []string{"A", "_a", "a.b", "a-b1"}, []string{"1a", "a b", "a=b", "é"}},
		{pathRule, []string{"/", "/a/b", "/a b"}, []string{"a", "./a", "/a/../b", "/..", "/a:b", "/a\nb"}},
		{scopeRule, []string{"read", "write:images", "a/b"}, []string{"a b", "a\n", "é"}},
		{proseRule, []string{"two\nlines", "tab\t", "ünïcödé"}, []string{"\x1b[31m", "a\u202eb", "a\x7f", "\xff"}},
	} {
		for _, s := range tt.good {
			var r report
			if !r.check(tt.rule, "x", s) {
				t.Errorf("refused: %s", r.problems)
			}
		}
		for _, s := range tt.bad {
			var r report
			if r.check(tt.rule, "x", s) {
				t.Errorf("%q: taken though it %s", s, tt.rule.what)
			}
			if len(r.problems) != 1 || r.problems[0].Hint == "" {
				t.Errorf("%q: %v", s, r.problems)
			}
		}
	}
}

func TestRepoURLs(t *testing.T) {
	good := []string{
		"https://github.com/example/apps.git", "https://git.example.org:8443/a", "https://[::1]:3000/a", "http://127.0.0.1/a",
		"ssh://git@git.example.org/a.git", "ssh://git.example.org:22/a", "git@git.example.org:a/b.git", "git.example.org:a",
		"git@[::1]:a", "file:///srv/a.git", "file://localhost/srv/a", "/srv/a.git", "./a", "../a", ".", "~/a",
	}
	bad := []string{
		"https://u:p@h/a", "https://token@h/a", "http://u@h/a", "ssh://u:p@h/a", "u:p@h:a", "git://h/a", "ftp://h/a", "ext::sh",
		"https://", "https:///a", "https://h", "https://h/", "https://h/a?b", "https://h/a#b", "https://h:0/a", "https://h:99999/a",
		"https://-h/a", "ssh://-oProxyCommand=x/a", "ssh://-u@h/a", "ssh://h/-a", "-h:a", "git@-h:a", "git@h:-a", "a", "a/b", "github.com/a/b",
		"file://a", "file:///", "file:///a?b", " https://h/a", "https://h/a b\n", "https://h/%zz", "https://h..x/a", strings.Repeat("a", 3000),
	}
	for _, s := range good {
		var r report
		if r.repoURL("url", s); len(r.problems) > 0 {
			t.Errorf("refused %s: %v", s, r.problems)
		}
	}
	for _, s := range bad {
		var r report
		if r.repoURL("url", s); len(r.problems.Errors()) != 1 {
			t.Errorf("%q: %v", s, r.problems)
		}
	}
}

func TestNearest(t *testing.T) {
	keys := []string{"identifier", "version", "env", "cpu", "gpus", "minReady", "command"}
	for s, want := range map[string]string{
		"identifer": "identifier", "Version": "version", "min_ready": "minReady", "vresion": "version", "comand": "command",
		"envs": "env", "xyz": "", "": "", "gpu": "gpus", "cpus": "cpu", strings.Repeat("version", 1000): "",
	} {
		if got := Nearest(s, keys); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
