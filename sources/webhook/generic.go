package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// SignatureHeader holds the signature of a generic delivery: sha256= and the
// HMAC-SHA256 of the body, in hex.
const SignatureHeader = "X-Berth-Signature"

const signaturePrefix = "sha256="

// Bounds on what a hint says, in bytes.
const (
	maxURL = 4096
	maxRef = 1024
)

// Sign returns the value of [SignatureHeader] for a body.
func Sign(secret, body []byte) string { return signaturePrefix + hex.EncodeToString(sum(secret, body)) }

// generic is for scripts and for forges that no provider is made for.
func generic() provider {
	return provider{name: "generic", signature: genericSignature, verify: hmacSHA256, parse: parseGeneric}
}

func genericSignature(header http.Header) ([]byte, bool) {
	digits, ok := strings.CutPrefix(header.Get(SignatureHeader), signaturePrefix)
	if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
		return nil, false
	}
	signature, err := hex.DecodeString(digits)
	return signature, err == nil
}

func hmacSHA256(signature, secret, body []byte) bool { return hmac.Equal(signature, sum(secret, body)) }

func sum(secret, body []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	return mac.Sum(nil)
}

// parseGeneric reads {"url": "…", "ref": "…"}. Further keys are the sender's own.
func parseGeneric(_ http.Header, body []byte) ([]hint, error) {
	var delivery struct{ URL, Ref string }
	if err := json.Unmarshal(body, &delivery); err != nil {
		return nil, errors.New(`the body is no JSON object as {"url": "https://git.example.org/apps.git", "ref": "main"}`)
	}
	if delivery.URL == "" {
		return nil, errors.New("url is missing")
	}
	if err := checkText("url", delivery.URL, maxURL); err != nil {
		return nil, err
	}
	if err := checkText("ref", delivery.Ref, maxRef); err != nil {
		return nil, err
	}
	return []hint{{url: delivery.URL, ref: delivery.Ref}}, nil
}

func checkText(key, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("%s is longer than %d bytes", key, most)
	case strings.ContainsFunc(text, unicode.IsControl):
		return fmt.Errorf("%s holds a control character", key)
	default:
		return nil
	}
}
