package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
)

const secret = "c4nary-s3cret"

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		" a\r\n\tb ":                   "a   b",
		"\x1b[31mred\x00\xff":          "[31mred",
		"a\u202eb\u200bc":              "abc",
		strings.Repeat("é", 200):       strings.Repeat("é", 150) + "...",
		strings.Repeat("x", 300):       strings.Repeat("x", 300),
		"x" + strings.Repeat("é", 200): "x" + strings.Repeat("é", 149) + "...",
	} {
		if got := Clean(text); got != want || !utf8.ValidString(got) {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestScrub(t *testing.T) {
	plain := errors.New("it is refused")
	if got := Scrub(plain, []string{secret, ""}); !errors.Is(got, plain) {
		t.Errorf("got %v", got)
	}
	if got := Scrub(errors.New("no "+secret+", abc"), []string{secret, "abc"}); got.Error() != "no ***, abc" { // too short to be one
		t.Errorf("got %v", got)
	}
}

// Connections change with the authorities, and only with them.
func TestConnections(t *testing.T) {
	broken := &url.Error{Op: "parse", URL: "http://john:" + secret + "@[proxy", Err: errors.New("missing ']'")}
	c := Connections{Idle: 4, Proxy: func(*http.Request) (*url.URL, error) { return nil, broken }}
	one, err := c.Trusting(nil)
	if err != nil || one.MaxIdleConnsPerHost != 4 {
		t.Fatalf("%v", err)
	}
	if same, _ := c.Trusting([]byte{}); same != one {
		t.Error("the same authorities make new connections")
	}
	if _, err := c.Trusting([]byte("nonsense")); err == nil {
		t.Error("nonsense is trusted")
	}
	if same, _ := c.Trusting(nil); same != one {
		t.Error("what is no authority makes new connections")
	}
	req, err := http.NewRequest(http.MethodGet, "http://git.example.org", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Proxy(req); err == nil || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
	c.Close()
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		kind schema.ErrorKind
		text string
	}{
		{&url.Error{Op: "Get", URL: "https://x/" + secret, Err: errors.New("connection refused")}, schema.Transient, "connection refused"},
		{&url.Error{Op: "Get", URL: "https://x/" + secret, Err: ErrRedirect}, schema.Terminal, ErrRedirect.Error()},
	} {
		kind, hint, cause := Explain(test.err)
		if kind != test.kind || cause.Error() != test.text || (hint == "") != (kind == schema.Transient) {
			t.Errorf("%v: %s, %s, %v", test.err, kind, hint, cause)
		}
	}
}
