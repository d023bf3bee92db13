package git

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]Location{
		"https://Git.Example.org/a/b.git":     {Kind: KindHTTPS, Host: "git.example.org", Path: "/a/b.git"},
		"https://git.example.org:443/a/b":     {Kind: KindHTTPS, Host: "git.example.org", Path: "/a/b"},
		"https://git.example.org.:8443/a%20b": {Kind: KindHTTPS, Host: "git.example.org", Port: "8443", Path: "/a b"},
		"http://127.0.0.1:3000/a":             {Kind: KindHTTP, Host: "127.0.0.1", Port: "3000", Path: "/a"},
		"https://[::1]:3000/a":                {Kind: KindHTTPS, Host: "::1", Port: "3000", Path: "/a"},
		"https://me:pass@host/a":              {Kind: KindHTTPS, User: "me", Host: "host", Path: "/a", password: "pass"},
		"ssh://git@host/~me/a":                {Kind: KindSSH, User: "git", Host: "host", Path: "/~me/a"},
		"ssh://host:22/a":                     {Kind: KindSSH, Host: "host", Path: "/a"},
		"git+ssh://host:2222/a":               {Kind: KindSSH, Host: "host", Port: "2222", Path: "/a"},
		"git@host:a/b.git":                    {Kind: KindSCP, User: "git", Host: "host", Path: "a/b.git"},
		"host:/a":                             {Kind: KindSCP, Host: "host", Path: "/a"},
		"git@[::1]:a":                         {Kind: KindSCP, User: "git", Host: "::1", Path: "a"},
		"file:///srv/a.git/":                  {Kind: KindFile, Path: "/srv/a.git"},
		"file://localhost/srv/a":              {Kind: KindFile, Path: "/srv/a"},
		"/srv/a":                              {Kind: KindPath, Path: "/srv/a"},
		"./a:b":                               {Kind: KindPath, Path: "a:b"},
		"..":                                  {Kind: KindPath, Path: ".."},
		"a/b":                                 {Kind: KindPath, Path: "a/b"},
	} {
		got, err := ParseURL(raw)
		if err != nil || got != want {
			t.Errorf("%s is %#v %+v, %v", raw, got, got.Kind, err)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for _, raw := range []string{
		"", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c x", "ftp://host/a", "git://host/a", "javascript://x/y", "https://", "https://host", "https://host/",
		"https:///a", "https://ho st/a", "https://host/a?x=y", "https://host/a#x", "https://host/a?", "ssh://-oProxyCommand=x/a", "ssh://-x@host/a",
		"ssh://me:pass@host/a", "ssh://git@host", "-x@host:a", "git@-host:a", "host:-a", "git@host:", "file://host/a", "file://", "a\nb", "https://host/a%0ab",
		"https://host:port/a", "https://" + strings.Repeat("a", maxURL) + "/x", "/a\x00b",
	} {
		loc, err := ParseURL(raw)
		if err == nil {
			t.Errorf("%q is accepted as %+v", raw, loc)
			continue
		}
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Invalid || e.Hint == "" {
			t.Errorf("%q: error is %#v", raw, err)
		}
	}
}

func TestSameRepo(t *testing.T) {
	same := []string{
		"https://git.example.org/a/b", "https://git.example.org/a/b.git", "https://Git.Example.ORG/a/b/", "https://user:pass@git.example.org:443/a/b.git",
		"ssh://git@git.example.org/a/b.git", "ssh://git@git.example.org:22/a/b", "git@git.example.org:a/b.git", "git.example.org:/a/b", "http://git.example.org/a/b",
	}
	for _, a := range same {
		for _, b := range same {
			if !SameRepo(a, b) || RepoKey(a) != RepoKey(b) {
				t.Errorf("%s and %s are the same", a, b)
			}
		}
	}
	for _, other := range []string{
		"https://git.example.org/a/c", "https://git.example.org/a/B", "https://example.org/a/b", "https://git.example.org:8443/a/b", "/a/b", "file:///a/b", "", "https://git.example.org/a/b?x", "https://git.example.org/x/a/b",
	} {
		if SameRepo(same[0], other) || SameRepo(other, same[0]) {
			t.Errorf("%s is another repository", other)
		}
	}
	for _, pair := range [][2]string{
		{"https://host:3000/a/b", "ssh://git@host:2222/a/b.git"}, // one forge, two ports
		{"file:///srv/a", "/srv/a/"}, {"/srv/a.git", "file:///srv/a.git"}, {"/srv/a/.git", "/srv/a"},
	} {
		if !SameRepo(pair[0], pair[1]) || RepoKey(pair[0]) != RepoKey(pair[1]) {
			t.Errorf("%s and %s are the same", pair[0], pair[1])
		}
	}
	if SameRepo("https://host:3000/a/b", "https://host:4000/a/b") || SameRepo("", "") || SameRepo("ssh://host:22/a", "ssh://host:23/a") {
		t.Error("different repositories are the same")
	}
	if key := RepoKey("https://host/a?x"); key != "" {
		t.Errorf("what is no clone URL has the key %q", key)
	}
}

func TestLocationString(t *testing.T) {
	for _, raw := range []string{
		"https://host/a/b.git", "https://host:8443/a%20b", "ssh://git@host/a", "ssh://host:2222/~me/a", "git@host:a/b", "host:/a", "file:///srv/a%20b", "/srv/a b", "https://[::1]/a", "git@[::1]:a",
	} {
		loc, err := ParseURL(raw)
		if err != nil || loc.String() != raw {
			t.Errorf("%s becomes %s, %v", raw, loc, err)
		}
	}
}

func TestRedact(t *testing.T) {
	for raw, want := range map[string]string{
		"https://host/a":              "https://host/a",
		"https://me:s3cret@host/a":    "https://***@host/a",
		"https://s3cret@host/a":       "https://***@host/a",
		"ssh://git@host/a":            "ssh://git@host/a",
		"ssh://git:s3cret@host/a":     "ssh://***@host/a",
		"git@host:a":                  "git@host:a",
		"me:s3cret@host:a":            "***@host:a",
		"https://host/a?token=s3cret": "https://host/a?***",
		"https://host/a#s3cret":       "https://host/a?***",
		"https://me:s3/c@ret@host/a":  "https://***@host/a",
		"/srv/a@b":                    "/srv/a@b",
		"https://host/\x1b[31m":       "https://host/_[31m",
		"":                            "",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("%q becomes %q, want %q", raw, got, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://a:b@c/d", "git@h:p", "ssh://h:22/~x", "file:///x", "https://u:p/w@h/x?t=y#z", "a::b", "/p", "[::1]:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		shown := Redact(raw)
		if strings.ContainsAny(shown, "\n\r\x1b\x00") {
			t.Errorf("%q is shown as %q", raw, shown)
		}
		loc, err := ParseURL(raw)
		if err != nil {
			return
		}
		if strings.HasPrefix(loc.Host, "-") || strings.HasPrefix(loc.User, "-") && loc.IsSSH() {
			t.Errorf("%q may be taken for an option", raw)
		}
		again, err := ParseURL(loc.String())
		if err != nil {
			t.Fatalf("%q becomes %q, which is no URL: %v", raw, loc, err)
		}
		if again.String() != loc.String() || !SameRepo(raw, loc.String()) || RepoKey(raw) == "" || RepoKey(raw) != RepoKey(again.String()) {
			t.Errorf("%q becomes %q, then %q", raw, loc, again)
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add("https", "user", "pass/word", "host", "/a@b")
	f.Add("ssh", "git", "p@ss:w0rd", "host:22", "/a")
	f.Add("https", "", "x", "", "")
	f.Fuzz(func(t *testing.T, scheme, user, password, host, path string) {
		const mark = "Zq9Zq9"
		for _, raw := range []string{
			fmt.Sprintf("%s://%s:%s%s%s@%s%s", scheme, user, password, mark, password, host, path),
			fmt.Sprintf("%s://%s/a?%s=%s%s", scheme, host, user, password, mark),
			(&url.URL{Scheme: "https", User: url.UserPassword(user, password+mark), Host: host, Path: path}).String(),
		} {
			if strings.Contains(scheme+user+host+path, "Zq9") || strings.ContainsAny(scheme+user, "@/?#:") || strings.ContainsAny(host, "@/?#") {
				return // the parts mix, and nobody can tell which is which
			}
			if got := Redact(raw); strings.Contains(got, mark) {
				t.Errorf("%q is shown as %q", raw, got)
			}
		}
	})
}
