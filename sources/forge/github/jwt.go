package github

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"time"

	"github.com/berthdev/berth/schema"
)

const (
	// jwtPast and jwtLasts frame a proof: GitHub takes none that lasts more than ten
	// minutes, and clocks differ.
	jwtPast  = time.Minute
	jwtLasts = 9 * time.Minute
)

// sign proves that we are the App: a JSON Web Token, RFC 7519, as in
// https://docs.github.com/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app.
func (a *App) sign(context.Context) (string, error) {
	const hint = "put the private key of the App, as GitHub gave it, into the keyFile"
	data, err := a.Key()
	if err != nil {
		return "", a.fail(schema.Terminal, hint, err)
	}
	key, err := parseKey(data)
	if err != nil {
		return "", a.fail(schema.Terminal, hint, err)
	}
	token, err := signJWT(key, a.ID, time.Now())
	if err != nil {
		return "", a.fail(schema.Terminal, hint, errors.New("the key cannot sign"))
	}
	return token, nil
}

// parseKey reads an RSA key from PEM: PKCS #1, which GitHub gives, or PKCS #8.
func parseKey(data []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("the key is no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, errors.New("the key is no RSA private key")
}

// signJWT makes a token with the algorithm RS256.
func signJWT(key *rsa.PrivateKey, issuer string, now time.Time) (string, error) {
	header, err := encodePart(map[string]any{"alg": "RS256", "typ": "JWT"})
	if err != nil {
		return "", err
	}
	claims, err := encodePart(map[string]any{
		"iss": issuer, "iat": now.Add(-jwtPast).Unix(), "exp": now.Add(jwtLasts).Unix(),
	})
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(header + "." + claims))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", err
	}
	return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func encodePart(v any) (string, error) {
	data, err := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(data), err
}
