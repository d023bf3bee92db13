package githubtest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// An App is a GitHub App.
type App struct {
	ID   int64
	Slug string
	Key  []byte // the private key, PEM

	s         *Server
	key       *rsa.PrivateKey
	installed map[string]int64 // by owner, in lower case
	lasts     time.Duration    // how long its tokens do
	issued    int              // how many tokens were
}

// App makes an App, which is installed nowhere.
func (s *Server) App(slug string) *App {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &App{
		ID: s.id(), Slug: slug, s: s, key: key, installed: map[string]int64{}, lasts: time.Hour,
		Key: pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}
	s.apps = append(s.apps, a)
	return a
}

// Install installs the App for all repositories of an owner, and returns the
// installation's number. Installed again, it has another.
func (a *App) Install(owner string) int64 {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.installed[strings.ToLower(owner)] = a.s.id()
	return a.installed[strings.ToLower(owner)]
}

// Lasts sets how long the tokens last that are made from now on.
func (a *App) Lasts(lasts time.Duration) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	a.lasts = lasts
}

// Issued returns how many tokens the App got.
func (a *App) Issued() int {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.issued
}

// RevokeAll makes all tokens of installations invalid.
func (a *App) RevokeAll() {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	for token, by := range a.s.tokens {
		if by.bot {
			delete(a.s.tokens, token)
		}
	}
}

// signed tells whether a JSON Web Token is the App's, by the rules of
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app.
func (a *App) signed(token string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	var header struct{ Alg string }
	var claims struct {
		Iss      any
		Iat, Exp int64
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return false
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	now := time.Now().Unix()
	return header.Alg == "RS256" && rsa.VerifyPKCS1v15(&a.key.PublicKey, crypto.SHA256, digest[:], signature) == nil &&
		fmt.Sprint(claims.Iss) == strconv.FormatInt(a.ID, 10) && claims.Iat <= now && claims.Exp > now && claims.Exp <= now+600
}

func decodePart(part string, into any) bool {
	data, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(data, into) == nil
}

var noJWT = problem(http.StatusUnauthorized, "A JSON web token could not be decoded")

func (s *Server) getApp(c *call) answer {
	if c.by.app == nil {
		return noJWT
	}
	return answer{http.StatusOK, map[string]any{"id": c.by.app.ID, "slug": c.by.app.Slug}}
}

func (s *Server) getInstallation(c *call) answer {
	if c.by.app == nil {
		return noJWT
	}
	id, ok := c.by.app.installed[strings.ToLower(c.PathValue("owner"))]
	if !ok || s.repos[strings.ToLower(c.PathValue("owner")+"/"+c.PathValue("name"))] == nil {
		return notFound
	}
	return answer{http.StatusOK, map[string]any{"id": id, "app_id": c.by.app.ID}}
}

func (s *Server) postAccessToken(c *call) answer {
	app := c.by.app
	if app == nil {
		return noJWT
	}
	for _, id := range app.installed {
		if strconv.FormatInt(id, 10) != c.PathValue("id") {
			continue
		}
		app.issued++
		token, until := fmt.Sprintf("ghs_%d_%s", s.id(), rand.Text()), time.Now().Add(app.lasts)
		s.tokens[token] = caller{login: app.Slug + "[bot]", write: true, until: until, bot: true}
		return answer{http.StatusCreated, map[string]any{"token": token, "expires_at": until.UTC().Format(time.RFC3339)}}
	}
	return notFound
}
