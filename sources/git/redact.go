package git

import (
	"strings"
	"unicode"

	"github.com/berthdev/berth/sources/web"
)

// Redact returns a URL fit for logs and errors, whatever is wrong with it:
// without passwords, without the user name of an http URL (tokens stand there),
// without the values of a query, without control characters, and bounded.
func Redact(raw string) string {
	const maxShown = 512
	raw = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(raw, "_"))
	head, _, cut := strings.Cut(raw, "#")
	head, _, cutQuery := strings.Cut(head, "?")
	if scheme, rest, ok := strings.Cut(head, "://"); ok {
		head = scheme + "://" + redactUser(scheme, rest)
	} else if !strings.HasPrefix(head, "/") && !strings.HasPrefix(head, ".") {
		head = redactUser("ssh", head)
	}
	if len(head) > maxShown {
		head = strings.ToValidUTF8(head[:maxShown], "") + "..."
	}
	if cut || cutQuery {
		head += "?" + web.Hidden
	}
	return head
}

// redactUser takes the secret out of user:password@host/path. A password may
// hold slashes and at signs that nobody escaped, so everything up to the last
// at sign counts as secret.
func redactUser(scheme, rest string) string {
	at := strings.LastIndex(rest, "@")
	if at < 0 {
		return rest
	}
	user, host := rest[:at], rest[at+1:]
	authority, _, hasPath := strings.Cut(user, "/")
	if hasPath && !strings.Contains(authority, "@") && isHostPort(authority) {
		return authority + "/" + web.Hidden + "@" + host
	}
	name, _, hasPassword := strings.Cut(user, ":")
	if !hasPassword && strings.Contains(strings.ToLower(scheme), "ssh") && userName.MatchString(name) {
		return rest
	}
	return web.Hidden + "@" + host
}

// isHostPort tells whether s is a host with or without a port, so that what
// follows is a path and no part of a password.
func isHostPort(s string) bool {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return hostName.MatchString(strings.ToLower(host))
	}
	return hostName.MatchString(strings.ToLower(host)) && port != "" && strings.Trim(port, "0123456789") == ""
}
