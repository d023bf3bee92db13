package relay

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/berthdev/berth/schema"
)

// TestTLS: over TLS a request, with its token, goes only to whoever has the
// certificate of this replica.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	pair := server.TLS.Certificates[0]

	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	other, err := x509.CreateCertificate(rand.Reader, template, template, &own.PublicKey, own)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cert  []byte
		key   any
		trust bool
	}{
		"the same":        {pair.Certificate[0], pair.PrivateKey, true},
		"of another host": {other, own, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := New(server.Listener.Addr().String, writePair(t, c.cert, c.key), slog.New(slog.DiscardHandler))
			answer, err := r.Ask(t.Context(), httptest.NewRequest(http.MethodPost, "/graphql", nil), nil)
			if (err == nil) != c.trust {
				t.Errorf("answer %+v, %v", answer, err)
			}
		})
	}
}

func writePair(t *testing.T, cert []byte, key any) schema.ServerTLS {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files := schema.ServerTLS{CertFile: filepath.Join(t.TempDir(), "cert.pem"), KeyFile: filepath.Join(t.TempDir(), "key.pem")}
	for name, block := range map[string]*pem.Block{files.CertFile: {Type: "CERTIFICATE", Bytes: cert}, files.KeyFile: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
