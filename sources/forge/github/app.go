package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge/rest"
)

const (
	// TokenUser is the user name that goes with an installation token in git over https.
	TokenUser = "x-access-token"

	opToken = "get the token of the GitHub App"
	// early is how long before its end, in an hour, a token is no more used.
	early = 5 * time.Minute
	// maxToken is how long GitHub's tokens last.
	maxToken = time.Hour
	// renewal is how long a token that lasts still is used after asking for another
	// failed.
	renewal = 30 * time.Second
	// maxInstallations bounds how many repositories are remembered with theirs.
	maxInstallations = 10_000
)

// AppOptions say who a GitHub App is.
type AppOptions struct {
	// ID is the App's number, or its client ID.
	ID string
	// Installation is the number of its installation; 0: it is asked for, by the
	// repository.
	Installation int64
	// Key returns the App's private key, PEM. It is asked each time, so that the key
	// may change.
	Key func() ([]byte, error)
}

// An App is a GitHub App: it has no token of its own, but gets one that lasts an
// hour for each place where it is installed. GitHub counts what it asks as itself
// and what it asks in each of those places apart: who must wait in one, may go on
// in the others. Its methods are safe for concurrent use. Neither key nor token is
// in any error.
type App struct {
	AppOptions
	plain *rest.Client // without a token
	api   *rest.Client // signed as the App

	mu        sync.Mutex
	login     string                  // as which it comments; empty: not asked yet
	installed map[string]int64        // by the repository's path
	owners    map[string]*rest.Client // without a token, each with the waits of an installation, by the owner of its repositories
	tokens    map[int64]*installation
}

// NewApp returns an App on the GitHub that the client asks, which needs no token.
func NewApp(api *rest.Client, o AppOptions) *App {
	a := &App{AppOptions: o, plain: api, installed: map[string]int64{}, owners: map[string]*rest.Client{}, tokens: map[int64]*installation{}}
	a.api = api.Apart().With(a.sign, nil).WithHeader(native.Header)
	return a
}

// Repo returns the repository of that path, on which the App writes as itself.
func (a *App) Repo(path string) (*Repo, error) {
	token := func(ctx context.Context) (string, error) { return a.Token(ctx, path) }
	r, err := New(a.at(path).With(token, func(refused string) bool { return a.renew(path, refused) }), path)
	if err == nil {
		r.login = a.user
	}
	return r, err
}

// at returns the client for the installation of a repository. An App is installed
// once for each owner of repositories.
func (a *App) at(path string) *rest.Client {
	owner, _, _ := strings.Cut(strings.ToLower(path), "/")
	if a.Installation != 0 {
		owner = ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.owners[owner]
	if c == nil {
		if len(a.owners) >= maxInstallations {
			clear(a.owners)
		}
		c = a.plain.Apart()
		a.owners[owner] = c
	}
	return c
}

// Token returns a token for the repository of that path, one that still lasts a
// few minutes. With [TokenUser] as the user's name, git takes it too.
func (a *App) Token(ctx context.Context, path string) (string, error) {
	token, err := a.token(ctx, path)
	if rest.StatusOf(err) == http.StatusNotFound && a.Installation == 0 {
		a.mu.Lock()
		delete(a.installed, path) // it was installed anew
		a.mu.Unlock()
		token, err = a.token(ctx, path)
	}
	return token, err
}

func (a *App) token(ctx context.Context, path string) (string, error) {
	id, err := a.installation(ctx, path)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	at, ok := a.tokens[id]
	if !ok {
		at = &installation{busy: make(chan struct{}, 1)}
		a.tokens[id] = at
	}
	a.mu.Unlock()
	return at.token(ctx, func() (string, time.Duration, error) { return a.ask(ctx, id) })
}

// renew forgets a token that was refused: it may have been revoked.
func (a *App) renew(path, refused string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	id, ok := a.installed[path]
	if a.Installation != 0 {
		id, ok = a.Installation, true
	}
	at := a.tokens[id]
	return ok && at != nil && at.forget(refused)
}

// installation returns where the App is installed for a repository.
func (a *App) installation(ctx context.Context, path string) (int64, error) {
	if a.Installation != 0 {
		return a.Installation, nil
	}
	a.mu.Lock()
	id, ok := a.installed[path]
	a.mu.Unlock()
	if ok {
		return id, nil
	}
	escaped, err := escape(path)
	if err != nil {
		return 0, a.fail(schema.Terminal, "", err)
	}
	var found struct {
		ID int64 `json:"id"`
	}
	_, err = a.do(ctx, rest.Call{Op: opToken, Path: "/repos/" + escaped + "/installation"}, &found)
	if rest.StatusOf(err) == http.StatusNotFound {
		return 0, a.fail(schema.Terminal, "install the App on "+path, errors.New("it is not installed there"))
	}
	if err == nil && found.ID <= 0 {
		err = a.fail(schema.Transient, "", errors.New("the forge names no installation"))
	}
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.installed) >= maxInstallations {
		clear(a.installed)
		clear(a.tokens)
	}
	a.installed[path] = found.ID
	return found.ID, nil
}

// ask gets a token, and tells how long it lasts by the clock of the forge.
func (a *App) ask(ctx context.Context, id int64) (string, time.Duration, error) {
	var got struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	call := rest.Call{Op: opToken, Method: http.MethodPost, Path: fmt.Sprintf("/app/installations/%d/access_tokens", id)}
	header, err := a.do(ctx, call, &got)
	if err != nil {
		return "", 0, err
	}
	now, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	lasts := min(got.ExpiresAt.Sub(now), maxToken)
	if got.Token == "" || lasts <= 0 {
		return "", 0, a.fail(schema.Transient, "", errors.New("the forge gives no token that lasts"))
	}
	return got.Token, lasts, nil
}

// user returns the name under which the App comments.
func (a *App) user(ctx context.Context) (string, error) {
	a.mu.Lock()
	login := a.login
	a.mu.Unlock()
	if login != "" {
		return login, nil
	}
	var app struct {
		Slug string `json:"slug"`
	}
	if _, err := a.do(ctx, rest.Call{Op: opUser, Path: "/app"}, &app); err != nil {
		return "", err
	}
	if app.Slug == "" {
		return "", a.fail(schema.Transient, "", errors.New("the forge does not name the App"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.login = app.Slug + "[bot]"
	return a.login, nil
}

// do makes a request as the App itself.
func (a *App) do(ctx context.Context, call rest.Call, into any) (http.Header, error) {
	call.Resource = a.resource()
	header, err := a.api.Do(ctx, call, into)
	var known *schema.Error
	if rest.StatusOf(err) == http.StatusUnauthorized && errors.As(err, &known) {
		known.Hint = "check the id and the keyFile of the App, and this machine's clock"
	}
	return header, err
}

func (a *App) resource() string { return a.ID + " on " + a.api.Host() }

func (a *App) fail(kind schema.ErrorKind, hint string, err error) error {
	return &schema.Error{Op: opToken, Resource: a.resource(), Kind: kind, Hint: hint, Err: err}
}

// An installation is where an App is installed, with the token for it.
type installation struct {
	busy chan struct{} // holds one value while a token is asked for

	mu    sync.Mutex
	value string
	until time.Time // when another is asked for
	ends  time.Time // when it is of no use any more
}

// token returns the token, or asks for another. Who comes meanwhile waits for that
// rather than to ask too. As long as there is no other, the old one is used to its
// end.
func (i *installation) token(ctx context.Context, ask func() (string, time.Duration, error)) (string, error) {
	if value := i.current(); value != "" {
		return value, nil
	}
	select {
	case i.busy <- struct{}{}:
		defer func() { <-i.busy }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if value := i.current(); value != "" {
		return value, nil
	}
	asked := time.Now()
	value, lasts, err := ask()
	if err != nil {
		if value := i.keep(time.Now()); value != "" && ctx.Err() == nil {
			return value, nil
		}
		return "", err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.value, i.until, i.ends = value, time.Now().Add(lasts-min(early, lasts/2)), asked.Add(lasts)
	return value, nil
}

// keep has the token used for some more time, and returns it; empty: it has ended.
func (i *installation) keep(now time.Time) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !now.Before(i.ends) {
		return ""
	}
	if i.until = now.Add(renewal); i.until.After(i.ends) {
		i.until = i.ends
	}
	return i.value
}

func (i *installation) current() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	if time.Now().Before(i.until) {
		return i.value
	}
	return ""
}

// forget drops a token, and tells whether asking may bring another.
func (i *installation) forget(refused string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.value == refused {
		i.value, i.until, i.ends = "", time.Time{}, time.Time{}
	}
	return true
}
