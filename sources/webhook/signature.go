package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
)

// hexClaim is the claim of a header that holds a prefix and the HMAC-SHA256 of
// the body, in hex.
func hexClaim(name, prefix string) func(http.Header) (claim, bool) {
	return func(header http.Header) (claim, bool) {
		digits, ok := strings.CutPrefix(header.Get(name), prefix)
		if !ok || len(digits) != hex.EncodedLen(sha256.Size) {
			return claim{}, false
		}
		signature, err := hex.DecodeString(digits)
		return claim{fits: func(secret, body []byte) bool { return hmac.Equal(signature, sum(secret, body)) }}, err == nil
	}
}

// sum is the HMAC-SHA256 of some parts, one after the other.
func sum(secret []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}
