package dial

import (
	"strconv"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/git"
)

// Where the API of a repository is, as far as its URL and the configuration tell.
func TestToldByTheHost(t *testing.T) {
	entries := []schema.Credential{
		{Host: "code.example.org", Forge: schema.ForgeGitea}, {Host: "code.example.org:8443", Forge: schema.ForgeGitLab},
		{Host: "github.example.org", Forge: schema.ForgeGitLab}, {Host: "apps.example.org", GitHubApp: &schema.GitHubApp{ID: "1", KeyFile: "k"}},
	}
	for clone, want := range map[string]struct {
		forge        schema.Forge // empty: the host must be asked
		api, project string
	}{
		"https://github.com/lab/desired.git":              {schema.ForgeGitHub, "https://api.github.com", "lab/desired"},
		"https://GitHub.com/lab/desired/":                 {schema.ForgeGitHub, "https://api.github.com", "lab/desired"},
		"https://www.github.com/lab/desired":              {schema.ForgeGitHub, "https://api.github.com", "lab/desired"},
		"git@github.com:lab/desired.git":                  {schema.ForgeGitHub, "https://api.github.com", "lab/desired"},
		"ssh://git@ssh.github.com:443/lab/desired.git":    {schema.ForgeGitHub, "https://api.github.com", "lab/desired"},
		"https://lab.ghe.com/lab/desired.git":             {schema.ForgeGitHub, "https://api.lab.ghe.com", "lab/desired"},
		"https://github.lab.example.org/lab/desired.git":  {schema.ForgeGitHub, "https://github.lab.example.org/api/v3", "lab/desired"},
		"https://git.github.example.org:8443/a/b":         {schema.ForgeGitHub, "https://git.github.example.org:8443/api/v3", "a/b"},
		"https://gitlab.com/lab/imaging/desired.git":      {schema.ForgeGitLab, "https://gitlab.com/api/v4", "lab/imaging/desired"},
		"git@gitlab.com:lab/imaging/deep/desired.git":     {schema.ForgeGitLab, "https://gitlab.com/api/v4", "lab/imaging/deep/desired"},
		"git@altssh.gitlab.com:lab/desired":               {schema.ForgeGitLab, "https://gitlab.com/api/v4", "lab/desired"},
		"https://gitlab-ee.example.org/lab/desired.git":   {schema.ForgeGitLab, "https://gitlab-ee.example.org/api/v4", "lab/desired"},
		"ssh://git@gitlab.example.org:2222/lab/desired":   {schema.ForgeGitLab, "https://gitlab.example.org/api/v4", "lab/desired"},
		"https://gitlab.example.org/lab/imaging/desired":  {}, // is lab a group, or is the GitLab below /lab?
		"https://codeberg.org/lab/desired.git":            {schema.ForgeGitea, "https://codeberg.org/api/v1", "lab/desired"},
		"https://forgejo.example.org/lab/desired":         {schema.ForgeGitea, "https://forgejo.example.org/api/v1", "lab/desired"},
		"https://gitea.example.org/git/lab/desired.git":   {schema.ForgeGitea, "https://gitea.example.org/git/api/v1", "lab/desired"},
		"https://code.example.org/lab/desired":            {schema.ForgeGitea, "https://code.example.org/api/v1", "lab/desired"},
		"git@code.example.org:lab/desired.git":            {schema.ForgeGitea, "https://code.example.org/api/v1", "lab/desired"},
		"https://code.example.org:8443/lab/desired":       {schema.ForgeGitLab, "https://code.example.org:8443/api/v4", "lab/desired"},
		"https://github.example.org/lab/desired":          {schema.ForgeGitLab, "https://github.example.org/api/v4", "lab/desired"},
		"https://apps.example.org/lab/desired":            {schema.ForgeGitHub, "https://apps.example.org/api/v3", "lab/desired"},
		"https://git.example.org/lab/desired.git":         {},
		"https://gitlabels.example.org/lab/desired.git":   {},
		"https://10.0.0.5/lab/desired.git":                {},
		"https://mygithub.example.org/lab/desired.git":    {},
		"http://localhost:3000/lab/desired.git":           {},
		"https://lab.example.org/github/lab/desired.git":  {},
		"ssh://git@[::1]:22/lab/desired.git":              {},
		"http://github.example.com:8080/lab/desired.git":  {schema.ForgeGitHub, "http://github.example.com:8080/api/v3", "lab/desired"},
		"https://gitlab.example.org/lab/desired.git.git/": {schema.ForgeGitLab, "https://gitlab.example.org/api/v4", "lab/desired.git"},
	} {
		loc, err := git.ParseURL(clone)
		if err != nil {
			t.Fatal(err)
		}
		at := address(loc)
		d := New(Options{Credentials: entries})
		h := d.host(at)
		p, known := h.told(at)
		d.Close()
		if known != (want.forge != "") {
			t.Errorf("%s: told %+v, %v", clone, p, known)
		} else if known && (p.forge != want.forge || h.api(p) != want.api || p.project(at.Path) != want.project) {
			t.Errorf("%s: %s %s %s, want %+v", clone, p.forge, h.api(p), p.project(at.Path), want)
		}
	}
}

// What is remembered stays within bounds, and the place that is served deepest wins.
func TestPlaces(t *testing.T) {
	var p places
	p.add(place{schema.ForgeGitLab, ""})
	p.add(place{schema.ForgeGitea, "/git"})
	for repo, want := range map[string]string{"/a/b": "", "/git/a/b": "/git", "/git/a": "", "/gitx/a/b": "", "/a": "none"} {
		if got, ok := p.known(repo); ok != (want != "none") || ok && got.path != want {
			t.Errorf("%s: %+v, %v", repo, got, ok)
		}
	}
	for range 3 * maxPlaces {
		p.add(place{schema.ForgeGitLab, ""})
	}
	many := map[string]bool{}
	for i := range 100 {
		makeRoom(many, 10)
		many[strconv.Itoa(i)] = true
	}
	for i := range 3 * maxPlaces {
		p.addNone(strconv.Itoa(i), time.Time{})
	}
	if len(p.found) > maxPlaces || len(p.none) > maxPlaces || len(many) != 10 {
		t.Errorf("%d places, %d without, %d entries", len(p.found), len(p.none), len(many))
	}
}
