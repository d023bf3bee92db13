package webhook

import (
	"bytes"
	"testing"
)

// TestEverySecretIsTried: the time that it takes must not tell which one fits.
func TestEverySecretIsTried(t *testing.T) {
	secrets := [][]byte{[]byte("a"), []byte("b"), []byte("c")}
	for _, right := range []string{"a", "b", "c", "none"} {
		tried := 0
		c := claim{fits: func(secret, _ []byte) bool {
			tried++
			return bytes.Equal(secret, []byte(right))
		}}
		if got := c.verify(secrets, nil); got != (right != "none") || tried != len(secrets) {
			t.Errorf("%s: %v after %d secrets", right, got, tried)
		}
	}
}

func TestTokensAreEqual(t *testing.T) {
	token := []byte("glptt-0123456789")
	if !equalTokens(token, bytes.Clone(token)) {
		t.Error("a token is not itself")
	}
	for i := range token {
		changed := bytes.Clone(token)
		changed[i] ^= 1
		if equalTokens(token, changed) || equalTokens(token, token[:i]) || equalTokens(token[:i], token) {
			t.Errorf("what differs at %d is equal", i)
		}
	}
}
