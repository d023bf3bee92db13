package dial

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge/rest"
	"github.com/berthdev/berth/sources/git"
	"github.com/berthdev/berth/sources/web"
)

const (
	maxDepth = 2         // how deep below its host a GitLab is looked for
	maxAbout = 256 << 10 // bytes that are read of what a forge says of itself
)

// find tells where the forge of a repository is: as the configuration or the
// host's name tells, or else by asking the host, once.
func (h *host) find(ctx context.Context, at git.Location) (place, error) {
	if p, ok := h.told(at); ok {
		return p, nil
	}
	select {
	case h.finding <- struct{}{}:
		defer func() { <-h.finding }()
	case <-ctx.Done():
		return place{}, pass(at, ctx.Err())
	}
	return h.ask(ctx, at)
}

// kind is the forge of the host by the configuration or the host's name; empty:
// neither tells.
func (h *host) kind() schema.Forge {
	switch {
	case h.entry.Forge != "":
		return h.entry.Forge
	case h.entry.GitHubApp != nil:
		return schema.ForgeGitHub
	}
	return told(h.at.Host)
}

// told returns the place of a repository, if what is known of the host tells it.
func (h *host) told(at git.Location) (place, bool) {
	switch kind := h.kind(); {
	case kind == schema.ForgeGitHub:
		return place{forge: kind}, true
	case kind == schema.ForgeGitea: // OWNER/NAME, and what is before is where it is
		return giteaPlace(at.Path), true
	case kind == schema.ForgeGitLab && (strings.Count(at.Path, "/") <= 2 || publicHosts[at.Host] != ""):
		return place{forge: kind}, true // else the first group may be where it is
	}
	return place{}, false
}

func giteaPlace(repo string) place {
	below := path.Dir(path.Dir(repo))
	if below == "/" {
		below = ""
	}
	return place{schema.ForgeGitea, below}
}

// ask asks the host what it is, unless that is known.
func (h *host) ask(ctx context.Context, at git.Location) (place, error) {
	folder := path.Dir(at.Path)
	h.mu.Lock()
	known, ok := h.places.known(at.Path)
	gone := h.now().Before(h.places.none[folder].until)
	h.mu.Unlock()
	switch {
	case ok:
		return known, nil
	case gone:
		return place{}, h.noForge(at)
	}
	kind, refused := h.kind(), false
	for _, one := range candidates(at.Path, kind) {
		answer, err := h.is(ctx, one)
		switch answer {
		case yes:
			h.mu.Lock()
			h.places.add(one)
			h.mu.Unlock()
			return one, nil
		case unknown:
			return place{}, pass(at, err)
		case denied:
			refused = true
		}
	}
	switch {
	case kind != "": // what is wrong there shows when it is used
		return place{forge: kind}, nil
	case refused:
		return place{}, &schema.Error{
			Op: opFind, Resource: at.String(), Kind: schema.Terminal, Err: errors.New("the host does not say what runs there: it refuses the token"),
			Hint: "check the token for " + at.Host + ", or say what runs there: forge: github, gitea, gitlab or none",
		}
	}
	h.mu.Lock()
	h.places.addNone(folder, h.now())
	h.mu.Unlock()
	return place{}, h.noForge(at)
}

func (h *host) noForge(at git.Location) error {
	return none(at, "its host answers as none that is known", "if there is one, say which under credentials: forge: github, gitea or gitlab")
}

// candidates are where the forge of a repository may be, the likely ones first. If
// kind is not empty, it is a GitLab, and only where is to be found out.
func candidates(repo string, kind schema.Forge) []place {
	var out []place
	if kind == "" {
		out = append(out, giteaPlace(repo))
	}
	below := ""
	parts := strings.Split(strings.Trim(repo, "/"), "/")
	for depth := 0; depth <= min(maxDepth, len(parts)-2); depth++ {
		out = append(out, place{schema.ForgeGitLab, below})
		below += "/" + parts[depth]
	}
	if kind == "" {
		out = append(out, place{schema.ForgeGitHub, ""})
	}
	return out
}

// An answer is whether a forge is at a place.
type answer int

const (
	no answer = iota
	yes
	denied  // it lets nobody ask
	unknown // it is away
)

// is asks for what only this kind of forge has.
func (h *host) is(ctx context.Context, p place) (answer, error) {
	paths := map[schema.Forge]string{schema.ForgeGitea: "/version", schema.ForgeGitLab: "/version", schema.ForgeGitHub: "/meta"}
	c, err := h.client(p)
	if err != nil {
		return no, nil //nolint:nilerr // the address is none, so nothing is there
	}
	var about struct {
		Version  string `json:"version"`
		Revision string `json:"revision"`
		GitHub   string `json:"installed_version"`
	}
	// A page for people in place of an answer is no fault: it is no forge's.
	lenient := rest.Reader(func(dec *json.Decoder) error { _ = dec.Decode(&about); return nil })
	header, err := c.Do(ctx, rest.Call{Op: opFind, Resource: h.root + p.path, Path: paths[p.forge], Limit: maxAbout}, lenient)
	is := map[schema.Forge]bool{
		schema.ForgeGitea:  about.Version != "" && about.Revision == "",
		schema.ForgeGitLab: about.Version != "" && about.Revision != "" || header.Get("X-Gitlab-Meta") != "" || strings.Contains(refusal(err), "401 Unauthorized"),
		schema.ForgeGitHub: about.GitHub != "" || header.Get("X-GitHub-Request-Id") != "",
	}
	status := rest.StatusOf(err)
	switch {
	case is[p.forge]:
		return yes, nil
	case err == nil:
		return no, nil
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return denied, nil
	case errors.Is(err, web.ErrRedirect), status != 0 && status < http.StatusInternalServerError:
		return no, nil
	}
	return unknown, err
}

// refusal is what a forge said as it refused a request.
func refusal(err error) string {
	var said *rest.Refusal
	if !errors.As(err, &said) {
		return ""
	}
	return said.Message
}
