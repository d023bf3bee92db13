package dial

import (
	"net"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge/github"
	"github.com/berthdev/berth/sources/git"
)

// A place is where on a host a forge is.
type place struct {
	forge schema.Forge
	path  string // that it is served below: empty, or /gitlab
}

// holds tells whether a repository's path may be one of the place: a group and a
// name below it, at the least.
func (p place) holds(repo string) bool {
	rest, ok := strings.CutPrefix(repo, p.path+"/")
	return ok && strings.Contains(strings.Trim(rest, "/"), "/")
}

// project is a repository's path as the forge calls it.
func (p place) project(repo string) string {
	return strings.TrimPrefix(strings.TrimPrefix(repo, p.path), "/")
}

// publicHosts are those whose forge everybody knows.
var publicHosts = map[string]schema.Forge{
	"github.com": schema.ForgeGitHub, "gitlab.com": schema.ForgeGitLab, "codeberg.org": schema.ForgeGitea,
}

// tellingLabels are parts of host names that tell what runs there.
var tellingLabels = map[string]schema.Forge{
	"github": schema.ForgeGitHub, "gitlab": schema.ForgeGitLab, "gitea": schema.ForgeGitea, "forgejo": schema.ForgeGitea,
}

// ghe is the domain of GitHub Enterprise in the cloud.
const ghe = ".ghe.com"

// told returns the forge that a host's name tells; empty: it tells none. A label
// tells it as git.gitlab.example.org does, and the first one also with something
// behind it, as gitlab-ee.example.org.
func told(name string) schema.Forge {
	if f, ok := publicHosts[name]; ok {
		return f
	}
	if strings.HasSuffix(name, ghe) {
		return schema.ForgeGitHub
	}
	if net.ParseIP(name) != nil {
		return ""
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if f, ok := tellingLabels[label]; ok {
			return f
		}
	}
	if begin := strings.IndexFunc(labels[0], func(r rune) bool { return r < 'a' || r > 'z' }); begin > 0 {
		return tellingLabels[labels[0][:begin]]
	}
	return ""
}

// githubAPI returns the root of a GitHub's API.
func githubAPI(root string, at git.Location) string {
	_, name, _ := strings.Cut(root, "://")
	if strings.HasSuffix(at.Host, ghe) {
		return "https://api." + name
	}
	api := github.API(name)
	if at.Kind == git.KindHTTP {
		return "http://" + strings.TrimPrefix(api, "https://")
	}
	return api
}

const (
	// maxPlaces bounds what is remembered of one host.
	maxPlaces = 64
	// noneFor is how long it is remembered that a host has no forge: one may come, or
	// a proxy answered in its place. It doubles each time, up to noneLongest.
	noneFor     = time.Minute
	noneLongest = time.Hour
)

// places are what was found out of a host.
type places struct {
	found []place
	none  map[string]absence // by the folder of repositories
}

// An absence is that a folder of repositories has no forge.
type absence struct {
	until  time.Time // when it is asked again
	lasted time.Duration
}

// known returns the place of a repository, the one that is served deepest.
func (p *places) known(repo string) (place, bool) {
	best, ok := place{}, false
	for _, one := range p.found {
		if one.holds(repo) && (!ok || len(one.path) > len(best.path)) {
			best, ok = one, true
		}
	}
	return best, ok
}

func (p *places) add(one place) {
	if len(p.found) >= maxPlaces {
		p.found = p.found[1:]
	}
	p.found = append(p.found, one)
}

func (p *places) addNone(folder string, now time.Time) {
	if p.none == nil {
		p.none = map[string]absence{}
	}
	before, known := p.none[folder]
	if !known {
		makeRoom(p.none, maxPlaces)
	}
	lasts := min(max(2*before.lasted, noneFor), noneLongest)
	p.none[folder] = absence{until: now.Add(lasts), lasted: lasts}
}
