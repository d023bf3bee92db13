package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/berthdev/berth/schema"
)

const (
	prefix     = "berth_"  // tells people, and scanners for leaked secrets, what it is
	hashPrefix = "sha256:" // leaves room for another hash
	secretSize = 32        // bytes
	maxToken   = 256       // bytes that are looked at
)

// NewToken returns a random token.
func NewToken() string {
	secret := make([]byte, secretSize)
	rand.Read(secret) // never fails
	return prefix + base64.RawURLEncoding.EncodeToString(secret)
}

// Hash returns what the configuration holds of a token.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// CheckToken refuses text that [NewToken] did not make: its hash may be stored
// without salt only because nobody chose it.
func CheckToken(token string) error {
	secret, ok := strings.CutPrefix(token, prefix)
	raw, err := base64.RawURLEncoding.DecodeString(secret)
	if !ok || err != nil || len(raw) != secretSize {
		return errors.New("it is no token that 'berth token' made")
	}
	return nil
}

// A ring is the tokens that are taken.
type ring []struct {
	caller Caller
	sum    [sha256.Size]byte
}

func newRing(tokens []schema.Token) ring {
	out := make(ring, len(tokens))
	for i, t := range tokens {
		out[i].caller = Caller{Name: t.Name, Role: t.Role}
		sum, err := hex.DecodeString(strings.TrimPrefix(t.Hash, hashPrefix))
		if err != nil || len(sum) != sha256.Size {
			out[i].caller.Role = None // the configuration was not validated; it opens nothing
			continue
		}
		copy(out[i].sum[:], sum)
	}
	return out
}

// owner returns who a token stands for. It looks at all of them in the same time.
func (r ring) owner(token string) (Caller, bool) {
	sum := sha256.Sum256([]byte(token))
	found := -1
	for i := range r {
		same := subtle.ConstantTimeCompare(r[i].sum[:], sum[:])
		found = subtle.ConstantTimeSelect(same, i, found)
	}
	if found < 0 || r[found].caller.Role == None {
		return Caller{}, false
	}
	return r[found].caller, true
}
