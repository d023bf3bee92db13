package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

const (
	host       = "127.0.0.1"
	sharedPort = 16480 // of what up starts
	admin      = "berth"
	rootState  = "/var/lib/berth-forge" // of what root starts
)

// forge is one Gitea.
type forge struct {
	from  string // folder of its binary and static files
	state string // folder of all that it writes
	port  int    // 0: one that is free
}

// complete gives the forge absolute folders, and those of this user's own where
// none is told.
func (f *forge) complete() error {
	if f.state == "" {
		state, err := sharedState()
		if err != nil {
			return err
		}
		f.state, f.port = state, sharedPort
	}
	for _, dir := range []*string{&f.from, &f.state} {
		absolute, err := filepath.Abs(*dir)
		if err != nil {
			return err
		}
		*dir = absolute
	}
	return nil
}

// sharedState is the folder of what up starts.
func sharedState() (string, error) {
	if os.Getuid() == 0 {
		return rootState, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "berth-forge"), nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state", "berth-forge"), err
}

// path names a file or folder of the forge's own.
func (f *forge) path(elem ...string) string {
	return filepath.Join(append([]string{f.state}, elem...)...)
}

func (f *forge) config() string { return f.path("app.ini") }
func (f *forge) log() string    { return f.path("gitea.log") }

// address is where the forge is and how its administrator signs in. The file is
// written when there is one, so a forge that has an address is complete.
func (f *forge) address() (*url.URL, error) {
	text, err := os.ReadFile(f.path("url"))
	if err != nil {
		return nil, err
	}
	return url.Parse(strings.TrimSpace(string(text)))
}

// setAddress writes the file whole: others wait for it.
func (f *forge) setAddress(address *url.URL) error {
	if err := os.WriteFile(f.path("url.new"), []byte(address.String()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(f.path("url.new"), f.path("url"))
}

// printAddress is the last line of what a forge prints.
func printAddress(address *url.URL) { fmt.Println("FORGE=" + address.String()) }

func say(format string, args ...any) { fmt.Printf("forge: "+format+"\n", args...) }

// tail returns the last lines of a file.
func tail(file string, lines int) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
