package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/berthdev/berth/sources"
)

// A provider is a kind of sender: how it signs, and how it says what moved.
// A further one is one more file and one more line in [providers].
type provider struct {
	name string // in the path: /webhooks/{name} and /webhooks/{name}/{repo}
	// forge tells that what it sends is application/json, or is not understood.
	// A forge can be told to send a form instead, and some do by default.
	forge bool
	// claim takes from the header, before the body is read, what proves the
	// sender; false: there is nothing that could be right.
	claim func(http.Header) (claim, bool)
	// parse reads a body whose sender is proved. The text of its error goes to
	// the sender.
	parse func(header http.Header, body []byte) (delivery, error)
}

func providers() []provider {
	return []provider{generic(), github(), gitea(), gitlab()}
}

// A claim is what a header says to prove who sends.
type claim struct {
	// fits tells whether it was made with a secret. It compares in constant time.
	fits func(secret, body []byte) bool
	// bodiless tells that it says nothing of the body, and can be checked without.
	bodiless bool
}

// A delivery is what a body says.
type delivery struct {
	hints []sources.Hint // none: nothing that matters here happened
	ping  bool           // it only asks whether anybody is there
}

// Bounds on what a hint says, in bytes.
const (
	maxURL = 4096
	maxRef = 1024
)

// hinted is the delivery that hints at refs of one repository.
func hinted(urls []string, refs ...string) (delivery, error) {
	urls = distinct(urls)
	if len(urls) == 0 {
		return delivery{}, errors.New("it names no clone URL of a repository")
	}
	for _, u := range urls {
		if err := checkText("url", u, maxURL); err != nil {
			return delivery{}, err
		}
	}
	var d delivery
	for _, ref := range refs {
		if err := checkText("ref", ref, maxRef); err != nil {
			return delivery{}, err
		}
		d.hints = append(d.hints, sources.Hint{URLs: urls, Ref: ref})
	}
	return d, nil
}

// distinct returns each URL once, without empty ones.
func distinct(urls []string) []string {
	var out []string
	for _, u := range urls {
		if u != "" && !slices.Contains(out, u) {
			out = append(out, u)
		}
	}
	return out
}

func checkText(key, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("%s is longer than %d bytes", key, most)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s holds a control character", key)
	default:
		return nil
	}
}

// Prefixes of full ref names.
const (
	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
)

// fullRef is the full name of a branch or a tag that may be one already: forges
// differ, and some change it from one version to the next.
func fullRef(prefix, name string) string {
	if name == "" || strings.HasPrefix(name, "refs/") {
		return name
	}
	return prefix + name
}
