package statuses

import (
	"net/url"
	"strings"
)

// place returns the host of a clone URL, without port, for a forge has one for
// https and another for ssh; and the URL as it may be logged: without user name
// and password. The host of a local repository is empty.
func place(raw string) (host, name string) {
	if scheme, _, ok := strings.Cut(raw, "://"); ok {
		u, err := url.Parse(raw)
		if err != nil {
			return "", scheme + "://…" // what follows may hold a password
		}
		return strings.ToLower(u.Hostname()), (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	if strings.HasPrefix(raw, "/") || strings.HasPrefix(raw, ".") {
		return "", raw
	}
	raw = raw[strings.LastIndex(raw, "@")+1:] // user@host:path
	if host, _, ok := strings.Cut(raw, ":"); ok && !strings.Contains(host, "/") {
		return strings.ToLower(host), raw
	}
	return "", raw
}
