package webhook

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
)

// SignatureHeader holds the signature of a generic delivery: sha256= and the
// HMAC-SHA256 of the body, in hex.
const SignatureHeader = "X-Berth-Signature"

const signaturePrefix = "sha256="

// Sign returns the value of [SignatureHeader] for a body.
func Sign(secret, body []byte) string { return signaturePrefix + hex.EncodeToString(sum(secret, body)) }

// generic is for scripts and for forges that no provider is made for.
func generic() provider {
	return provider{name: "generic", claim: hexClaim(SignatureHeader, signaturePrefix), parse: parseGeneric}
}

// parseGeneric reads {"url": "…", "ref": "…"}. Further keys are the sender's own.
func parseGeneric(_ http.Header, body []byte) (delivery, error) {
	var d struct{ URL, Ref string }
	if err := json.Unmarshal(body, &d); err != nil {
		return delivery{}, errors.New(`the body is no JSON object as {"url": "https://git.example.org/apps.git", "ref": "main"}`)
	}
	if d.URL == "" {
		return delivery{}, errors.New("url is missing")
	}
	return hinted([]string{d.URL}, d.Ref)
}
