package dial

import (
	"context"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge/github"
	"github.com/berthdev/berth/sources/forge/rest"
	"github.com/berthdev/berth/sources/git"
)

// tokenTimeout bounds how long git waits for the token of an App.
const tokenTimeout = 30 * time.Second

// app returns the App that Berth is on the host.
func (h *host) app(c *rest.Client) *github.App {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.asApp == nil {
		configured := h.entry.GitHubApp
		h.asApp = github.NewApp(c, github.AppOptions{
			ID: configured.ID, Installation: int64(configured.Installation),
			Key: func() ([]byte, error) { return git.ReadSecret(configured.KeyFile) },
		})
	}
	return h.asApp
}

// Credentials are those that the dialer was made with, for git: where Berth is a
// GitHub App, git over https gets the token of its installation.
func (d *Dialer) Credentials() git.Credentials {
	return func(loc git.Location) (git.Credential, error) {
		cred, err := d.options.Resolve(loc)
		if err != nil || loc.IsLocal() || loc.IsSSH() {
			return cred, err
		}
		at := address(loc)
		h := d.host(at)
		if h.entry.GitHubApp == nil {
			return cred, nil
		}
		p := place{forge: schema.ForgeGitHub}
		c, err := h.client(p)
		if err != nil {
			return git.Credential{}, pass(at, err)
		}
		ctx, cancel := context.WithTimeout(d.ctx, tokenTimeout)
		defer cancel()
		if cred.Token, err = h.app(c).Token(ctx, p.project(at.Path)); err != nil {
			return git.Credential{}, err
		}
		cred.Username = github.TokenUser
		return cred, nil
	}
}
