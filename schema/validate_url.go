package schema

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

var (
	// user@host:path, as git and scp write it.
	scpPattern  = regexp.MustCompile(`^(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:.]+\]):([^-:/\s][^\s:]*|/[^\s:]+)$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	// host.name/path: a URL without its scheme.
	barePattern = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+/\S+$`)
)

// repoURL checks where a git repository is. Messages never hold a part of the
// URL: it may be a secret.
func (r *report) repoURL(path, text string) {
	scheme, rest, found := strings.Cut(text, "://")
	switch {
	case text == "":
	case len(text) > maxURL:
		r.error(path, "is too long", "")
	case !isLine(text) || strings.HasPrefix(text, "-") || strings.TrimSpace(text) != text:
		r.error(path, "is no URL of a repository", "write it without spaces and without - before it")
	case !found:
		r.localURL(path, text)
	case scheme == "file":
		if !isAbsFile(rest) {
			r.error(path, "is no URL of a local repository", "write it as file:///FOLDER/REPO.git")
		}
	default:
		r.remoteURL(path, text)
	}
}

// localURL checks what has no scheme: a path, or git@host:path.
func (r *report) localURL(path, text string) {
	switch {
	case strings.HasPrefix(text, "/"), strings.HasPrefix(text, "./"), strings.HasPrefix(text, "../"),
		text == ".", text == "..", strings.HasPrefix(text, "~/"):
	case scpPattern.MatchString(text):
	case strings.Contains(text, "@") && strings.Count(text, ":") > 1:
		r.secretInURL(path)
	case barePattern.MatchString(text):
		r.error(path, "says no scheme", "begin it with https://, or with ./ if it is a path")
	case !strings.ContainsAny(text, ":@?#"):
		r.error(path, "is no URL of a repository", "begin a path with / or ./")
	default:
		r.error(path, "is no URL of a repository", "write it as https://HOST/PATH.git, ssh://git@HOST/PATH.git or git@HOST:PATH.git")
	}
}

// remoteURL checks a URL with a scheme. What url.Parse says is not passed on,
// for it quotes the URL.
func (r *report) remoteURL(path, text string) {
	u, err := url.Parse(text)
	withPassword := hasPassword(u)
	switch {
	case err != nil:
		r.error(path, "is no URL", "write it as https://HOST/PATH.git")
	case u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh":
		r.error(path, "has a scheme that is not supported", "use https, ssh or file")
	case withPassword || u.User != nil && u.Scheme != "ssh":
		r.secretInURL(path)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		r.error(path, "has a query or a fragment", "leave out what stands after ? or #; write a branch as ref")
	case !isHost(u.Hostname()) || !isPort(u.Port()) || u.User != nil && !runAsPattern.MatchString(u.User.Username()):
		r.error(path, "names no host", "write it as https://HOST/PATH.git or ssh://git@HOST/PATH.git")
	case strings.Trim(u.Path, "/") == "" || strings.HasPrefix(u.Path, "/-"):
		r.error(path, "names no repository of the host", "write it as https://HOST/PATH.git")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		r.notice(path, "http is neither secret nor safe from change on its way", "use https")
	}
}

func (r *report) secretInURL(path string) {
	r.error(path, "holds a user name or password", "remove it from the URL; credentials stand in the server's configuration, by host: {host, username, tokenEnv}")
}

// hasPassword tells whether a password stands before the host of a URL.
func hasPassword(u *url.URL) bool {
	if u == nil || u.User == nil {
		return false
	}
	_, ok := u.User.Password()
	return ok
}

// isAbsFile tells whether what follows file:// is an absolute path of this machine.
func isAbsFile(rest string) bool {
	rest = strings.TrimPrefix(rest, "localhost")
	return strings.HasPrefix(rest, "/") && strings.Trim(rest, "/") != "" && !strings.ContainsAny(rest, "?#")
}

// isHost tells whether s is a host name or an IP address.
func isHost(s string) bool {
	return validIP(s) || len(s) <= maxName && hostPattern.MatchString(s) && !strings.Contains(s, "..")
}

// isPort tells whether s is a port number, or empty.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// isIdentifierPattern tells whether s is an identifier with * for any text.
func isIdentifierPattern(s string) bool {
	return s == "*" || isIdentifier(strings.ReplaceAll(s, "*", "x"))
}
