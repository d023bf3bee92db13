// Package dial tells which forge serves a repository, and connects to it with the
// credentials of the configuration.
//
//	d := dial.New(dial.Options{Credentials: cfg.Credentials, Resolve: git.ConfiguredCredentials(…)})
//	defer d.Close()
//	repo, err := d.Repo(ctx, "https://git.example.org/lab/desired.git")
//	if errors.Is(err, forge.ErrNone) {
//		// there is nobody to tell: the log has the outcome
//	}
//
// Nothing is asked of a forge before it must be: what runs on a host is said by
// the configuration, or told by its name; only what neither tells is asked.
package dial

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/git"
)

// Bounds on what is remembered. What is beyond is found out again.
const (
	maxRepos = 4096
	maxHosts = 256
)

const opFind = "find the forge"

// Options configure a [Dialer].
type Options struct {
	// Credentials are the configuration's, for what they say of a host's forge.
	Credentials []schema.Credential
	// Resolve returns the secrets in them; it is asked at each request, so that they
	// may change. What it says of plain http holds here too.
	Resolve git.Credentials
	// Proxy is that for a request; nil: that of the environment.
	Proxy func(*http.Request) (*url.URL, error)
	// Logger gets hints; nil: none.
	Logger *slog.Logger
}

// A Dialer connects to forges. It is safe for concurrent use.
type Dialer struct {
	options Options
	now     func() time.Time
	ctx     context.Context // ends with the dialer
	cancel  context.CancelFunc

	mu    sync.Mutex
	repos map[string]forge.Repo // by the address of the repository on its forge
	hosts map[string]*host      // by scheme, host and port
}

// New returns a dialer. It connects to nothing yet.
func New(o Options) *Dialer {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dialer{options: o, now: time.Now, repos: map[string]forge.Repo{}, hosts: map[string]*host{}}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close closes the connections that nothing uses, and ends what [Dialer.Credentials]
// waits for.
func (d *Dialer) Close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.hosts {
		h.close()
	}
}

// Repo returns the repository with a clone URL, of any spelling. [forge.ErrNone]
// is in the error if it has no forge, or one that takes no status from us: it is
// on this machine, there is no token for its host, or the configuration says so.
// Other errors are of type [schema.Error] as those of a [forge.Repo] are.
func (d *Dialer) Repo(ctx context.Context, cloneURL string) (forge.Repo, error) {
	loc, err := git.ParseURL(cloneURL)
	if err != nil {
		return nil, err
	}
	if loc.IsLocal() {
		return nil, none(loc, "it is on this machine", "")
	}
	at := address(loc)
	key := at.String()
	d.mu.Lock()
	repo := d.repos[key]
	d.mu.Unlock()
	if repo != nil {
		return repo, nil
	}
	repo, err = d.connect(ctx, at)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if former := d.repos[key]; former != nil {
		return former, nil
	}
	makeRoom(d.repos, maxRepos)
	d.repos[key] = repo
	return repo, nil
}

// connect finds out what serves a repository.
func (d *Dialer) connect(ctx context.Context, at git.Location) (forge.Repo, error) {
	h := d.host(at)
	if h.entry.Forge == schema.ForgeNone {
		return nil, none(at, "the configuration says so", "")
	}
	cred, err := h.credential()
	if err != nil {
		return nil, pass(at, err)
	}
	if cred.Token == "" && h.entry.GitHubApp == nil {
		hint := "add a token for " + at.Host + " under credentials"
		if h.firstTime() {
			d.options.Logger.Info("no token is configured for the host: nothing is said there of what becomes of commits", "host", at.Host, "hint", hint)
		}
		return nil, none(at, "there is no token for its host", hint)
	}
	place, err := h.find(ctx, at)
	if err != nil {
		return nil, err
	}
	return h.repo(place, at)
}

// host returns what is known of the host of a repository.
func (d *Dialer) host(at git.Location) *host {
	d.mu.Lock()
	defer d.mu.Unlock()
	root := rootOf(at)
	h := d.hosts[root]
	if h == nil {
		h = d.newHost(root, at)
		makeRoom(d.hosts, maxHosts)
		d.hosts[root] = h
	}
	return h
}

// makeRoom drops one entry of a full map, whichever.
func makeRoom[V any](m map[string]V, most int) {
	for key := range m {
		if len(m) < most {
			return
		}
		delete(m, key)
	}
}

// sshHosts are those that serve ssh for another host.
var sshHosts = map[string]string{"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com", "www.github.com": "github.com"}

// address returns where the API of a repository's forge is reached, by https if
// the repository is by ssh, with the repository's path as the forge calls it.
func address(loc git.Location) git.Location {
	at := git.Location{Kind: loc.Kind, Host: loc.Host, Port: loc.Port}
	if loc.IsSSH() {
		at.Kind, at.Port = git.KindHTTPS, ""
	}
	if other, ok := sshHosts[at.Host]; ok {
		at.Host = other
	}
	at.Path = strings.TrimSuffix(strings.TrimSuffix(path.Clean("/"+loc.Path), "/"), ".git")
	return at
}

// rootOf renders scheme, host and port.
func rootOf(at git.Location) string {
	at.Path = ""
	return at.String()
}

// none says why a repository has no forge.
func none(at git.Location, why, hint string) error {
	return &schema.Error{Op: opFind, Resource: at.String(), Kind: schema.Terminal, Hint: hint, Err: fmt.Errorf("%w: %s", forge.ErrNone, why)}
}

// pass hands on an error of the credentials.
func pass(at git.Location, err error) error {
	out := schema.Error{Op: opFind, Resource: at.String(), Kind: schema.Transient, Err: err}
	var known *schema.Error
	if errors.As(err, &known) {
		out.Kind, out.Hint, out.Err = known.Kind, known.Hint, known.Err
	}
	return &out
}
