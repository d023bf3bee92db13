package git

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"github.com/berthdev/berth/schema"
)

// Kind is how a repository is reached.
type Kind string

// The kinds of locations.
const (
	KindHTTPS Kind = "https" // https://host/path
	KindHTTP  Kind = "http"  // http://host/path
	KindSSH   Kind = "ssh"   // ssh://user@host/path
	KindSCP   Kind = "scp"   // user@host:path, which is ssh too
	KindFile  Kind = "file"  // file:///path
	KindPath  Kind = "path"  // a path of this machine
)

// A Location is a parsed clone URL.
type Location struct {
	Kind Kind
	User string // the user name in the URL; may be empty
	Host string // in lower case, without port; empty for a local repository
	Port string // empty: the default port of the kind
	Path string // as the server or the file system sees it

	password string
}

// maxURL bounds the length of a clone URL in bytes.
const maxURL = 4096

var (
	hostName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?$`)
	userName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.@+~-]*$`)
	scpForm  = regexp.MustCompile(`^(?:([^/:]+)@)?(\[[0-9A-Fa-f:.]+\]|[^/:@\[\]]+):([^:].*)$`)
)

// ParseURL reads a clone URL: https, http, ssh, user@host:path, file or a plain
// path. An error is a [*schema.Error] of kind invalid and holds no password.
func ParseURL(raw string) (Location, error) {
	loc, err := parseURL(raw)
	if err != nil {
		return Location{}, &schema.Error{
			Op: "read repository URL", Resource: Redact(raw), Kind: schema.Invalid, Err: err,
			Hint: "use https://HOST/PATH, ssh://USER@HOST/PATH, USER@HOST:PATH, file:///PATH or a path",
		}
	}
	return loc, nil
}

func parseURL(raw string) (Location, error) {
	switch {
	case raw == "":
		return Location{}, errors.New("it is empty")
	case len(raw) > maxURL:
		return Location{}, fmt.Errorf("it is longer than %d bytes", maxURL)
	case strings.ContainsFunc(raw, unicode.IsControl):
		return Location{}, errors.New("it holds a control character")
	case strings.HasPrefix(raw, "-"):
		return Location{}, errors.New("it begins with a dash")
	case strings.Contains(raw, "://"):
		return parseSchemeURL(raw)
	case strings.HasPrefix(raw, "/"), strings.HasPrefix(raw, "."):
		return Location{Kind: KindPath, Path: path.Clean(raw)}, nil
	}
	if m := scpForm.FindStringSubmatch(raw); m != nil {
		return parseSCP(m[1], m[2], m[3])
	}
	if before, _, colon := strings.Cut(raw, ":"); colon && !strings.Contains(before, "/") {
		return Location{}, errors.New("it is neither a URL nor a path; write ./ before a path with a colon")
	}
	return Location{Kind: KindPath, Path: path.Clean(raw)}, nil
}

func parseSchemeURL(raw string) (Location, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return Location{}, errors.New("it is no URL") // the cause quotes the URL, password and all
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Location{}, errors.New("a clone URL has neither query nor fragment")
	}
	loc := Location{Port: u.Port(), Host: strings.ToLower(u.Hostname()), Path: u.Path, User: u.User.Username()}
	loc.password, _ = u.User.Password()
	if strings.ContainsFunc(loc.Path, unicode.IsControl) {
		return Location{}, errors.New("its path holds a control character")
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
		loc.Kind = KindHTTPS
	case "http":
		loc.Kind = KindHTTP
	case "ssh", "git+ssh", "ssh+git":
		loc.Kind = KindSSH
	case "file":
		return parseFile(loc)
	default:
		return Location{}, fmt.Errorf("%q is no scheme for repositories", u.Scheme)
	}
	return checkRemote(loc)
}

func parseFile(loc Location) (Location, error) {
	if loc.Host != "" && loc.Host != "localhost" || loc.Port != "" || loc.User != "" {
		return Location{}, errors.New("a file URL names no host")
	}
	if !strings.HasPrefix(loc.Path, "/") {
		return Location{}, errors.New("a file URL needs an absolute path")
	}
	return Location{Kind: KindFile, Path: path.Clean(loc.Path)}, nil
}

func parseSCP(user, host, p string) (Location, error) {
	return checkRemote(Location{Kind: KindSCP, User: user, Host: strings.ToLower(strings.Trim(host, "[]")), Path: p})
}

func checkRemote(loc Location) (Location, error) {
	loc.Host = strings.TrimSuffix(loc.Host, ".")
	if net.ParseIP(loc.Host) == nil && !hostName.MatchString(loc.Host) {
		return Location{}, errors.New("it names no host")
	}
	if loc.Port == loc.defaultPort() {
		loc.Port = ""
	}
	if strings.Trim(loc.Path, "/") == "" {
		return Location{}, errors.New("it names no repository on the host")
	}
	if loc.IsSSH() {
		if loc.password != "" {
			return Location{}, errors.New("ssh takes a key, no password")
		}
		if loc.User != "" && !userName.MatchString(loc.User) {
			return Location{}, errors.New("its user name is not one")
		}
		if strings.HasPrefix(loc.sshPath(), "-") {
			return Location{}, errors.New("its path begins with a dash")
		}
	}
	return loc, nil
}

// IsLocal tells whether the repository is on this machine's file system.
func (l Location) IsLocal() bool { return l.Kind == KindFile || l.Kind == KindPath }

// IsSSH tells whether the repository is reached by ssh.
func (l Location) IsSSH() bool { return l.Kind == KindSSH || l.Kind == KindSCP }

// Address is the host and port that a connection goes to.
func (l Location) Address() string {
	port := l.Port
	if port == "" {
		port = l.defaultPort()
	}
	return net.JoinHostPort(l.Host, port)
}

func (l Location) defaultPort() string {
	switch l.Kind {
	case KindHTTPS:
		return "443"
	case KindHTTP:
		return "80"
	default:
		return "22"
	}
}

// String renders the location as a clone URL without secrets: no password, and
// for http no user name either, because tokens stand there.
func (l Location) String() string {
	switch l.Kind {
	case KindPath:
		return l.Path
	case KindFile:
		return (&url.URL{Scheme: "file", Path: l.Path}).String()
	case KindSCP:
		host := l.Host
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		if l.User != "" {
			host = l.User + "@" + host
		}
		return host + ":" + l.Path
	}
	u := url.URL{Scheme: string(l.Kind), Host: l.hostPort(), Path: l.Path}
	if l.IsSSH() && l.User != "" {
		u.User = url.User(l.User)
	}
	return u.String()
}

// GoString keeps the password out of %#v.
func (l Location) GoString() string { return fmt.Sprintf("git.Location(%q)", l.String()) }

func (l Location) hostPort() string {
	if l.Port != "" {
		return net.JoinHostPort(l.Host, l.Port)
	}
	if strings.Contains(l.Host, ":") {
		return "[" + l.Host + "]"
	}
	return l.Host
}

// sshPath is the path as upload-pack gets it: ssh://host/~user/repo means ~user/repo.
func (l Location) sshPath() string {
	if l.Kind == KindSSH && strings.HasPrefix(l.Path, "/~") {
		return l.Path[1:]
	}
	return l.Path
}

// SameRepo tells whether two clone URLs name the same repository, however they
// are spelled: by https, ssh or user@host:path, with and without .git, user and
// upper case in the host. Ports are compared only between URLs of the same
// protocol, because a forge has one port for https and another for ssh. What is
// no clone URL is the same as nothing.
func SameRepo(a, b string) bool {
	la, errA := parseURL(a)
	lb, errB := parseURL(b)
	if errA != nil || errB != nil || la.IsLocal() != lb.IsLocal() || la.Host != lb.Host {
		return false
	}
	sameProtocol := la.Kind == lb.Kind || la.IsSSH() && lb.IsSSH()
	if sameProtocol && la.Port != lb.Port {
		return false
	}
	return la.repoPath() == lb.repoPath()
}

// RepoKey is what all spellings of a repository's URL share: URLs that are
// [SameRepo] have the same key. Others may have it too, for it leaves out the
// port. It is empty for what is no clone URL.
func RepoKey(raw string) string {
	loc, err := parseURL(raw)
	if err != nil {
		return ""
	}
	return loc.Host + "/" + loc.repoPath()
}

// repoPath is the path without the parts that spellings differ in.
func (l Location) repoPath() string {
	p := strings.TrimSuffix(strings.Trim(path.Clean("/"+l.Path), "/"), ".git")
	return strings.TrimSuffix(p, "/")
}
