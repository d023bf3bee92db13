package github_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/internal/githubtest"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/github"
)

// installed starts a GitHub with an App that is installed on the repository.
func installed(t *testing.T) (*githubtest.Server, *githubtest.App, *github.App) {
	t.Helper()
	s := githubtest.Start(t)
	s.Repo(path)
	app := s.App("berth-lab")
	app.Install("example")
	return s, app, newApp(client(t, s.API(), ""), app)
}

// One token serves all repositories of an installation, however many ask at once.
func TestAppTokenIsAskedForOnce(t *testing.T) {
	s, app, a := installed(t)
	other := "example/apps"
	s.Repo(other)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			if token, err := a.Token(t.Context(), []string{path, other}[i%2]); err != nil || !strings.HasPrefix(token, "ghs_") {
				t.Errorf("token %q, %v", token, err)
			}
		})
	}
	group.Wait()
	if n := app.Issued(); n != 1 {
		t.Errorf("%d tokens", n)
	}
}

// An App acts as itself, and goes on where its token was revoked or it was
// installed anew.
func TestAppGoesOn(t *testing.T) {
	s, app, a := installed(t)
	repo := s.Repo(path)
	r, err := a.Repo(path)
	must(t, err)
	commit := repo.Commit()
	set := func(state forge.State) {
		t.Helper()
		must(t, r.SetStatus(t.Context(), commit, forge.Status{Context: "berth", State: state}))
	}
	set(forge.Pending)
	app.RevokeAll()
	set(forge.Failure)
	app.Install("example")
	set(forge.Pending)
	app.RevokeAll()
	set(forge.Success)
	statuses := repo.Statuses(commit)
	if len(statuses) != 4 || statuses[3].By != "berth-lab[bot]" || app.Issued() != 3 {
		t.Errorf("%d tokens, %+v", app.Issued(), statuses)
	}

	number, marker := repo.Open(githubtest.Pull{Title: "a proposal", Base: "main"}).Number, "<!-- berth -->"
	must(t, r.Comment(t.Context(), number, marker, marker+" one"))
	must(t, r.Comment(t.Context(), number, marker, marker+" two"))
	if comments := repo.Comments(number); len(comments) != 1 || comments[0].By != "berth-lab[bot]" {
		t.Errorf("comments %+v", comments)
	}
}

// Where one installation must wait, the others go on, and so does the App itself:
// git needs its tokens.
func TestAppWaitsInOnePlace(t *testing.T) {
	s, app, a := installed(t)
	app.Install("others")
	set := func(path string) error {
		t.Helper()
		r, err := a.Repo(path)
		must(t, err)
		return r.SetStatus(t.Context(), s.Repo(path).Commit(), forge.Status{Context: "berth", State: forge.Success})
	}
	must(t, set(path))
	s.Secondary(1, time.Minute)
	var limited *forge.Limited
	for _, same := range []string{path, "Example/apps"} {
		if err := set(same); !errors.As(err, &limited) {
			t.Errorf("%s: error %v", same, err)
		}
	}
	must(t, set("others/repo"))
	if _, err := a.Token(t.Context(), "others/repo"); err != nil || app.Issued() != 2 {
		t.Errorf("%d tokens, %v", app.Issued(), err)
	}
}

// The installation may be told rather than asked for.
func TestAppInstallation(t *testing.T) {
	s, app, _ := installed(t)
	id := app.Install("example")
	a := github.NewApp(client(t, s.API(), ""), github.AppOptions{
		ID: strconv.FormatInt(app.ID, 10), Installation: id, Key: func() ([]byte, error) { return app.Key, nil },
	})
	r, err := a.Repo(path)
	must(t, err)
	commit := s.Repo(path).Commit()
	must(t, r.SetStatus(t.Context(), commit, forge.Status{Context: "berth", State: forge.Success}))
	app.RevokeAll()
	must(t, r.SetStatus(t.Context(), commit, forge.Status{Context: "berth", State: forge.Success}))
	for _, request := range s.Requests() {
		if strings.HasSuffix(request.Path, "/installation") {
			t.Errorf("asks %s", request.Path)
		}
	}
}

func TestAppFails(t *testing.T) {
	s, app, _ := installed(t)
	other := s.App("other")
	s.Repo("stranger/repo")
	elliptic256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(elliptic256)
	must(t, err)
	id := strconv.FormatInt(app.ID, 10)
	for name, test := range map[string]struct {
		id, path string
		key      []byte
		err      error
		parts    string
	}{
		"elsewhere":  {id, "stranger/repo", app.Key, nil, "not installed|install the App on stranger/repo"},
		"nowhere":    {id, "example/nothing", app.Key, nil, "not installed"},
		"no path":    {id, "example", app.Key, nil, "OWNER/NAME"},
		"other key":  {id, path, other.Key, nil, "401 Unauthorized|check the id and the keyFile|clock"},
		"other id":   {"4711", path, app.Key, nil, "401|check the id"},
		"no key":     {id, path, nil, errors.New("open /run/key: no such file"), "no such file|keyFile"},
		"no PEM":     {id, path, []byte("c4nary"), nil, "no PEM"},
		"broken":     {id, path, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: []byte("c4nary")}), nil, "no RSA private key"},
		"elliptic":   {id, path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil, "no RSA private key"},
		"public key": {id, path, publicOf(t, app.Key), nil, "no RSA private key"},
	} {
		t.Run(name, func(t *testing.T) {
			a := github.NewApp(client(t, s.API(), ""), github.AppOptions{ID: test.id, Key: func() ([]byte, error) { return test.key, test.err }})
			_, err := a.Token(t.Context(), test.path)
			want(t, err, schema.Terminal, "get the token of the GitHub App "+test.id+"|"+test.parts)
			if strings.Contains(fmt.Sprintf("%+v %#v", err, err), "c4nary") {
				t.Errorf("the key is in %v", err)
			}
		})
	}
}

func publicOf(t *testing.T, private []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(private)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// A key in PKCS #8 is as good as one as GitHub gives it.
func TestAppPKCS8(t *testing.T) {
	s, app, _ := installed(t)
	block, _ := pem.Decode(app.Key)
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	a := github.NewApp(client(t, s.API(), ""), github.AppOptions{
		ID: strconv.FormatInt(app.ID, 10), Key: func() ([]byte, error) {
			return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
		},
	})
	if _, err := a.Token(t.Context(), path); err != nil {
		t.Error(err)
	}
}

// Git takes the token too.
func TestAppTokenIsForGit(t *testing.T) {
	s, _, a := installed(t)
	if _, err := exec.LookPath("git"); err != nil {
		dockertest.Unavailable(t, "git is not installed")
	}
	url := s.Repo(path).Git()
	token, err := a.Token(t.Context(), path)
	must(t, err)
	signed := strings.Replace(url, "://", "://"+github.TokenUser+":"+token+"@", 1)
	for address, ok := range map[string]bool{signed: true, url: false} {
		cmd := exec.Command("git", "ls-remote", address)
		cmd.Env = append(cmd.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "HOME=/nonexistent")
		if out, err := cmd.CombinedOutput(); (err == nil) != ok {
			t.Errorf("git: %v, %s", err, out)
		}
	}
}
