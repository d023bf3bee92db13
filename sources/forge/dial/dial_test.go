package dial

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/internal/gitlabtest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/git"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "c4nary-s3cret-token"

// dialer returns one with these credentials and the token in a file.
func dialer(t *testing.T, token string, entries ...schema.Credential) *Dialer {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, token)
	for i := range entries {
		if entries[i].GitHubApp == nil {
			entries[i].TokenFile = file
		}
	}
	d := New(Options{Credentials: entries, Resolve: git.ConfiguredCredentials(entries, git.Environment{Getenv: func(string) string { return "" }})})
	t.Cleanup(d.Close)
	return d
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var loopback = schema.Credential{Host: "127.0.0.1"}

// serve starts a host that answers so.
func serve(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(answer)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

// setStatus writes a status and reads it back.
func setStatus(t *testing.T, d *Dialer, clone, commit string) {
	t.Helper()
	repo, err := d.Repo(t.Context(), clone)
	if err != nil {
		t.Fatalf("%s: %v", clone, err)
	}
	want := forge.Status{Context: "berth", State: forge.Success, Description: "2 of 2 running"}
	if err := repo.SetStatus(t.Context(), commit, want); err != nil {
		t.Fatalf("%s: %v", clone, err)
	}
	got, err := repo.Statuses(t.Context(), commit)
	if err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("%s: %+v, %v", clone, got, err)
	}
}

// A GitLab is found wherever on its host it is, and its host is asked once.
func TestFindsGitLab(t *testing.T) {
	for _, root := range []string{"", "/gitlab", "/tools/gitlab"} {
		s := gitlabtest.New(t, root)
		d := dialer(t, s.Berth.Token, loopback)
		asked := 0
		for _, path := range []string{"lab/imaging/desired", "lab/apps", "other/deep/down/apps"} {
			p := s.Project(path)
			setStatus(t, d, s.URL+"/"+path+".git", p.Commit("main"))
			for _, req := range s.Requests() {
				if req.Path == "/version" {
					asked++
				}
			}
		}
		if asked != 1 {
			t.Errorf("below %q it was asked %d times what it is", root, asked)
		}
	}
}

func TestFindsGitHubAndGitea(t *testing.T) {
	for name, s := range map[string]*githubtest.Server{"github": githubtest.Start(t), "gitea": githubtest.StartGitea(t)} {
		s.Token(secret, "berth", true)
		r := s.Repo("lab/desired")
		setStatus(t, dialer(t, secret, loopback), s.URL+"/lab/desired", r.Commit())
		entry := loopback
		entry.Forge = schema.Forge(name)
		before := len(s.Requests())
		setStatus(t, dialer(t, secret, entry), s.URL+"/lab/desired.git", r.Commit())
		for _, req := range s.Requests()[before:] {
			if !strings.HasPrefix(req.Path, "/repos/lab/desired/") {
				t.Errorf("%s: it is asked for %s, though the configuration tells what runs there", name, req.Path)
			}
		}
	}
}

// What has no forge, or none that may be asked, is told from what failed.
func TestNone(t *testing.T) {
	var said bytes.Buffer
	entries := []schema.Credential{
		{Host: "plain.example.org", Forge: schema.ForgeNone, TokenEnv: "TOKEN"}, {Host: "github.example.org", TokenEnv: "TOKEN"},
	}
	env := git.Environment{Getenv: func(name string) string { return map[string]string{"TOKEN": secret}[name] }}
	d := New(Options{Credentials: entries, Resolve: git.ConfiguredCredentials(entries, env), Logger: slog.New(slog.NewTextHandler(&said, nil))})
	defer d.Close()
	for _, clone := range []string{
		"file:///srv/desired.git", "/srv/desired", "./desired",
		"https://plain.example.org/lab/desired", "git@plain.example.org:lab/desired",
		"https://github.com/lab/apps.git", "https://github.com/lab/other.git", "git@github.com:lab/desired",
		"http://github.example.org/lab/desired", // a token never goes over plain http because somebody wrote that
	} {
		_, err := d.Repo(t.Context(), clone)
		var known *schema.Error
		if !errors.Is(err, forge.ErrNone) || !errors.As(err, &known) || known.Op == "" || known.Resource == "" {
			t.Errorf("%s: %v", clone, err)
		}
	}
	if got := strings.Count(said.String(), "no token is configured"); got != 2 || !strings.Contains(said.String(), "host=github.com") {
		t.Errorf("the log says %d times\n%s", got, said.String())
	}
	if _, err := d.Repo(t.Context(), "https://user:"+secret+"@[x"); err == nil || errors.Is(err, forge.ErrNone) || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
	if _, err := d.Repo(t.Context(), "https://github.example.org/only-a-name"); errors.Is(err, forge.ErrNone) || schema.KindOf(err) != schema.Terminal {
		t.Errorf("error %v", err)
	}
}

// A host that only serves git is asked again after a while, ever more seldom: it may
// become more, and what answered may have been a proxy while the forge was away.
func TestHostWithoutForge(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if paths = append(paths, r.URL.Path); strings.HasSuffix(r.URL.Path, "/version") {
			fmt.Fprint(w, "<html>welcome to our repositories</html>")
			return
		}
		http.NotFound(w, r)
	})
	d := dialer(t, secret, loopback)
	now := time.Now()
	d.now = func() time.Time { return now }
	ask := func(clone string) int {
		t.Helper()
		before := len(paths)
		if _, err := d.Repo(t.Context(), s.URL+clone); !errors.Is(err, forge.ErrNone) {
			t.Fatalf("error %v", err)
		}
		return len(paths) - before
	}
	first := ask("/lab/imaging/desired.git")
	if again := ask("/lab/imaging/apps.git"); first != 4 || again != 0 {
		t.Errorf("%d requests, then %d: %q", first, again, paths)
	}
	for _, minutes := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		now = now.Add(minutes*time.Minute - 1)
		if early := ask("/lab/imaging/apps.git"); early != 0 {
			t.Errorf("%d requests before %d minutes", early, minutes)
		}
		now = now.Add(1)
		if later := ask("/lab/imaging/apps.git"); later != first {
			t.Errorf("%d requests after %d minutes", later, minutes)
		}
	}
}

// What is away may be anything; what refuses is told to the person who can help.
func TestHostThatDoesNotTell(t *testing.T) {
	status := http.StatusBadGateway
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, r.Header.Get("Authorization"))
	})
	d := dialer(t, secret, loopback)
	for _, test := range []struct {
		status int
		kind   schema.ErrorKind
		part   string
	}{
		{502, schema.Transient, "502"},
		{401, schema.Terminal, "forge: github, gitea, gitlab or none"},
		{403, schema.Terminal, "refuses the token"},
		{429, schema.Transient, "asks to wait"},
	} {
		status = test.status
		_, err := d.Repo(t.Context(), s.URL+"/lab/desired.git")
		if err == nil || errors.Is(err, forge.ErrNone) || schema.KindOf(err) != test.kind || !strings.Contains(err.Error(), test.part) || strings.Contains(err.Error(), secret) {
			t.Errorf("%d: %v", test.status, err)
		}
	}
	var limited *forge.Limited
	if _, err := d.Repo(t.Context(), s.URL+"/lab/desired.git"); !errors.As(err, &limited) {
		t.Errorf("it is asked again: %v", err)
	}
}

// A host that sends Berth elsewhere sends it without the token.
func TestRedirects(t *testing.T) {
	thief := serve(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s goes to another host: %v", r.URL, r.Header) })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(thief.URL, "127.0.0.1", "localhost", 1)+r.URL.Path, http.StatusTemporaryRedirect)
	})
	if _, err := dialer(t, secret, loopback).Repo(t.Context(), s.URL+"/lab/desired.git"); !errors.Is(err, forge.ErrNone) {
		t.Errorf("error %v", err)
	}
}

// A host that never ends its answer, or never begins it, costs bounded time.
func TestSlowAndEndless(t *testing.T) {
	chunk := bytes.Repeat([]byte(" "), 1<<20)
	endless := serve(t, func(w http.ResponseWriter, r *http.Request) {
		for sent := 0; r.Context().Err() == nil; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
			if sent > 16*maxAbout+32<<20 { // what is on its way is sent too
				t.Error("it reads without end")
				return
			}
		}
	})
	if _, err := dialer(t, secret, loopback).Repo(t.Context(), endless.URL+"/lab/desired.git"); !errors.Is(err, forge.ErrNone) {
		t.Errorf("error %v", err)
	}
	slow := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	d := dialer(t, secret, loopback)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 3 { // two of them wait for the one that asks
		all.Go(func() {
			if _, err := d.Repo(ctx, slow.URL+"/lab/desired.git"); !errors.Is(err, context.DeadlineExceeded) || schema.KindOf(err) != schema.Transient {
				t.Errorf("error %v", err)
			}
		})
	}
	all.Wait()
}

// However it is spelled and whoever asks, a repository is one, and found once.
func TestOneRepoForAll(t *testing.T) {
	s := gitlabtest.New(t, "")
	s.Project("lab/imaging/desired")
	d := dialer(t, s.Berth.Token, loopback)
	repos := make([]forge.Repo, 24)
	var all sync.WaitGroup
	for i := range repos {
		all.Go(func() {
			var err error
			spelling := []string{"/lab/imaging/desired.git", "/lab/imaging/desired", "/lab//imaging/desired.git/"}[i%3]
			if repos[i], err = d.Repo(t.Context(), s.URL+spelling); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, r := range repos {
		if r != repos[0] {
			t.Fatal("there are several")
		}
	}
	// The place of Gitea's version is no path of GitLab's API, so it is not counted.
	if asked := s.Requests(); len(asked) != 1 {
		t.Errorf("asked %+v", asked)
	}
}

// A token and an authority may change while Berth runs.
func TestRotation(t *testing.T) {
	s := gitlabtest.New(t, "")
	p := s.Project("lab/desired")
	secure := httptest.NewUnstartedServer(s)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	write(t, ca, "nothing yet")
	d := dialer(t, "old", schema.Credential{Host: strings.TrimPrefix(secure.URL, "https://"), Forge: schema.ForgeGitLab, CAFile: ca})
	repo, err := d.Repo(t.Context(), secure.URL+"/lab/desired.git")
	if err != nil {
		t.Fatal(err)
	}
	commit := p.Commit("main")
	for _, step := range []struct {
		do   func()
		part string
	}{
		{func() {}, "caFile holds no certificate"},
		{func() { write(t, ca, "") }, "unknown authority"},
		{func() {
			write(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})))
		}, "check the token"},
		{func() { write(t, d.options.Credentials[0].TokenFile, s.Berth.Token+"\n") }, ""},
		{func() { write(t, d.options.Credentials[0].TokenFile, "") }, "the token is gone"},
		{func() { os.Remove(d.options.Credentials[0].TokenFile) }, "tokenFile"},
	} {
		step.do()
		err := repo.SetStatus(t.Context(), commit, forge.Status{Context: "berth", State: forge.Success})
		if (err == nil) != (step.part == "") || err != nil && (!strings.Contains(err.Error(), step.part) || schema.KindOf(err) != schema.Terminal) {
			t.Errorf("error %v, want %q", err, step.part)
		}
	}
}

// As an App, Berth has a token of its own for the API and for git.
func TestApp(t *testing.T) {
	s := githubtest.Start(t)
	app := s.App("berth")
	key := filepath.Join(t.TempDir(), "app.pem")
	write(t, key, string(app.Key))
	entry := schema.Credential{Host: "127.0.0.1", GitHubApp: &schema.GitHubApp{ID: fmt.Sprint(app.ID), KeyFile: key}}
	d := dialer(t, "", entry)
	r := s.Repo("lab/desired")
	clone := s.URL + "/lab/desired.git"
	loc, err := git.ParseURL(clone)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Credentials()(loc); err == nil || !strings.Contains(err.Error(), "install the App") {
		t.Errorf("error %v", err)
	}
	app.Install("lab")
	setStatus(t, d, clone, r.Commit())
	cred, err := d.Credentials()(loc)
	if err != nil || cred.Username != "x-access-token" || cred.Token == "" || app.Issued() != 1 {
		t.Errorf("%v, %v, %d tokens", cred, err, app.Issued())
	}
	for _, other := range []string{"git@127.0.0.1:lab/desired.git", "/srv/desired", "https://git.example.org/lab/desired"} {
		loc, err := git.ParseURL(other)
		if err != nil {
			t.Fatal(err)
		}
		if cred, err := d.Credentials()(loc); err != nil || cred.Token != "" {
			t.Errorf("%s: %v, %v", other, cred, err)
		}
	}
	write(t, key, "nonsense")
	d = dialer(t, "", entry)
	if _, err := d.Credentials()(loc); err == nil || schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "keyFile") {
		t.Errorf("error %v", err)
	}
	d.Close()
	if _, err := d.Credentials()(loc); err == nil {
		t.Error("a closed dialer asks")
	}
}
