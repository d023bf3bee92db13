package main

import (
	"crypto/rand"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

//go:embed config/app.ini
var appINI string

// configure fills the folder of a new forge, which owner will run, and returns
// the address that it will have.
func (f *forge) configure(owner account) (*url.URL, error) {
	if err := owner.own(f.state); err != nil {
		return nil, err
	}
	// Gitea's user may not be able to enter the folder of what was built.
	for _, name := range []string{"bin", "static"} {
		if err := place(filepath.Join(f.from, name), f.path(name)); err != nil {
			return nil, err
		}
	}
	if f.port == 0 {
		port, err := freePort()
		if err != nil {
			return nil, err
		}
		f.port = port
	}
	var out strings.Builder
	if err := template.Must(template.New("").Parse(appINI)).Execute(&out, values{forge: f, User: owner.name}); err != nil {
		return nil, err
	}
	if err := os.WriteFile(f.config(), []byte(out.String()), 0o600); err != nil {
		return nil, err
	}
	address := &url.URL{Scheme: "http", User: url.UserPassword(admin, rand.Text()), Host: net.JoinHostPort(host, strconv.Itoa(f.port))}
	return address, owner.own(f.config()) // Gitea adds secrets of its own
}

// values are what the configuration may name.
type values struct {
	forge *forge
	User  string
}

func (v values) Path(elem ...string) string { return v.forge.path(elem...) }
func (v values) Host() string               { return host }
func (v values) Port() int                  { return v.forge.port }
func (v values) Secret() string             { return rand.Text() + rand.Text() }

// freePort returns a port that nobody listens on, below those that the kernel
// gives to whoever asks for any: it is still free when the forge starts again.
func freePort() (int, error) {
	for range 100 {
		var b [2]byte
		if _, err := rand.Read(b[:]); err != nil {
			return 0, err
		}
		port := 20000 + (int(b[0])<<8|int(b[1]))%10000
		if listenable(net.JoinHostPort(host, strconv.Itoa(port))) == nil {
			return port, nil
		}
	}
	return 0, errors.New("no port between 20000 and 30000 is free")
}

// place brings the files of a folder to another one: as links where the file
// system can have them, else as copies.
func place(source, target string) error {
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		to := filepath.Join(target, relative)
		if entry.IsDir() {
			return os.Mkdir(to, 0o755)
		}
		if os.Link(path, to) == nil {
			return nil
		}
		return copyFile(path, to)
	})
}

func copyFile(source, target string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
