package server

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/berthdev/berth/schema"
)

// checkTime is how long a certificate is used before its files are looked at again.
const checkTime = time.Second

// A certificate is read from files, and again when they change: whoever renews
// it need not tell Berth. A new pair that cannot be used leaves the former one in
// force.
type certificate struct {
	files schema.ServerTLS
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]stamp // of the files when they were last read
	checked time.Time
}

// A stamp tells one content of a file from another without reading it.
type stamp struct {
	modified time.Time
	size     int64
}

// newCertificate reads the files; that they cannot be used is an error now.
func newCertificate(files schema.ServerTLS, log *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{files: files, log: log, now: now, checked: now()}
	c.seen = c.stamps()
	pair, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, &schema.Error{Op: "read certificate", Resource: files.CertFile, Kind: schema.Terminal, Err: reason(err),
			Hint: "name the files of a certificate and its key in PEM form as tls.certFile and tls.keyFile"}
	}
	c.current = &pair
	return c, nil
}

// config is how the server speaks TLS.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(), nil },
	}
}

// get returns the certificate for a connection.
func (c *certificate) get() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= checkTime {
		c.checked = now
		c.check()
	}
	return c.current
}

// check reads the files if they changed. The caller holds mu.
func (c *certificate) check() {
	stamps := c.stamps()
	if stamps == c.seen {
		return
	}
	c.seen = stamps
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		c.log.Error("the changed certificate cannot be used; the former one stays in force", "file", c.files.CertFile, "error", reason(err))
		return
	}
	c.current = &pair
	c.log.Info("the certificate changed: new connections use it", "file", c.files.CertFile)
}

func (c *certificate) stamps() [2]stamp {
	var out [2]stamp
	for i, name := range []string{c.files.CertFile, c.files.KeyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return out
}

// reason tells why files cannot be used; the name of one stands beside it only
// where that is the trouble.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return errors.New(path.Path + ": " + path.Err.Error())
	}
	return err
}
