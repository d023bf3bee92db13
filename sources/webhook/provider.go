package webhook

import "net/http"

// A provider is a kind of sender: how it signs, and how it says what moved.
// A further one is one more file and one more line in [providers].
type provider struct {
	name string // in the path: /webhooks/{name}; those for one repo take /webhooks/{name}/{repo}
	// signature takes the signature from the header, before the body is read;
	// false: there is none that could be right.
	signature func(http.Header) ([]byte, bool)
	// verify compares in constant time.
	verify func(signature, secret, body []byte) bool
	// parse reads a body whose signature is right. The text of its error goes
	// to the sender.
	parse func(header http.Header, body []byte) ([]hint, error)
}

// A hint says that a repository moved.
type hint struct {
	url string // any spelling of its clone URL
	ref string // a branch, a tag or a full ref name; empty: any
}

func providers() []provider {
	return []provider{generic()}
}
