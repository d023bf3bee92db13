package dial

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/gitea"
	"github.com/berthdev/berth/sources/forge/github"
	"github.com/berthdev/berth/sources/forge/gitlab"
	"github.com/berthdev/berth/sources/forge/rest"
	"github.com/berthdev/berth/sources/git"
	"github.com/berthdev/berth/sources/web"
)

// idleConnections is how many connections to a host are kept open.
const idleConnections = 4

// A host is one that serves repositories, with the connections to it and what
// was found out of its forges.
type host struct {
	root    string // scheme, host and port
	at      git.Location
	entry   schema.Credential // what the configuration says of it; may be empty
	resolve git.Credentials
	now     func() time.Time

	connections web.Connections
	finding     chan struct{} // holds a value while somebody asks what runs there

	mu      sync.Mutex
	said    bool                    // that there is no token
	asApp   *github.App             // nil: not yet, or never
	clients map[string]*rest.Client // by the root of the API
	places  places
}

func (d *Dialer) newHost(root string, at git.Location) *host {
	h := &host{
		root: root, at: at, resolve: d.options.Resolve, now: d.now,
		connections: web.Connections{Proxy: d.options.Proxy, Idle: idleConnections},
		finding:     make(chan struct{}, 1), clients: map[string]*rest.Client{},
	}
	if i := git.EntryFor(d.options.Credentials, at); i >= 0 {
		h.entry = d.options.Credentials[i]
	}
	return h
}

func (h *host) close() { h.connections.Close() }

// firstTime tells whether it was not asked before.
func (h *host) firstTime() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := !h.said
	h.said = true
	return first
}

// credential returns what is configured for the host now.
func (h *host) credential() (git.Credential, error) { return h.resolve(h.at) }

// token is the one for requests. Whoever had one when the repository was first
// asked for may have lost it since.
func (h *host) token(context.Context) (string, error) {
	cred, err := h.credential()
	if err == nil && cred.Token == "" {
		err = &schema.Error{Kind: schema.Terminal, Err: errors.New("the token is gone"), Hint: "check the credentials of " + h.at.Host}
	}
	return cred.Token, err
}

// RoundTrip implements [http.RoundTripper]: with the authorities that are trusted
// now.
func (h *host) RoundTrip(req *http.Request) (*http.Response, error) {
	base, err := h.base()
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	return base.RoundTrip(req)
}

func (h *host) base() (*http.Transport, error) {
	cred, err := h.credential()
	if err != nil {
		return nil, err
	}
	base, err := h.connections.Trusting(cred.CA)
	if err != nil {
		return nil, &schema.Error{Kind: schema.Terminal, Err: err, Hint: "put PEM certificates into the caFile of " + h.at.Host}
	}
	return base, nil
}

// client returns the one client of a forge of the host.
func (h *host) client(p place) (*rest.Client, error) {
	api, username := h.api(p), ""
	if p.forge == schema.ForgeGitea {
		username = h.entry.Username // with a password, which may stand in place of a token
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clients[api]; c != nil {
		return c, nil
	}
	o := rest.Options{Base: api, Transport: h, Token: h.token, Username: username}
	if h.entry.GitHubApp != nil {
		o.Token = nil // the App has its own
	}
	c, err := rest.New(o)
	if err != nil {
		return nil, err
	}
	makeRoom(h.clients, maxPlaces)
	h.clients[api] = c
	return c, nil
}

// repo connects to a repository whose forge is known.
func (h *host) repo(p place, at git.Location) (forge.Repo, error) {
	c, err := h.client(p)
	if err != nil {
		return nil, pass(at, err)
	}
	project := p.project(at.Path)
	switch p.forge {
	case schema.ForgeGitHub:
		if h.entry.GitHubApp != nil {
			return h.app(c).Repo(project)
		}
		return github.New(c, project)
	case schema.ForgeGitea:
		return gitea.New(c, project)
	default:
		return gitlab.New(c, project), nil
	}
}

// api returns the root of a forge's API.
func (h *host) api(p place) string {
	switch p.forge {
	case schema.ForgeGitHub:
		return githubAPI(h.root, h.at)
	case schema.ForgeGitea:
		return gitea.API(h.root + p.path)
	default:
		return h.root + p.path + "/api/v4"
	}
}
