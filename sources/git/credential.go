package git

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/berthdev/berth/schema"
)

// A Credential is what it takes to log in to one host, secrets resolved.
type Credential struct {
	Username   string   // for http: empty with a token alone; for ssh: when the URL names none
	Token      string   // token or password, for http
	SSHKey     []byte   // private key, PEM, for ssh
	SSHAgent   string   // socket of an ssh agent, used when there is no key
	KnownHosts []string // files with the host keys that are trusted, for ssh
	CA         []byte   // certificates to trust besides the system's, PEM, for https
}

// String keeps secrets out of logs.
func (c Credential) String() string { return "credential of " + c.Username }

// GoString keeps secrets out of %#v.
func (c Credential) GoString() string { return c.String() }

// Credentials finds the credential for a repository; the zero value when there
// is none. It is asked at each update, so that a token may change. What it
// returns is sent to the location's scheme, host and port only.
type Credentials func(Location) (Credential, error)

// tokenUser stands for the user when a token comes without one: GitHub wants
// this name for installation tokens, GitLab and Gitea take any.
const tokenUser = "x-access-token"

// maxSecretFile bounds keys, tokens and certificates read from files, in bytes.
const maxSecretFile = 1 << 20

// Environment is the part of the process's surroundings that credentials come
// from.
type Environment struct {
	Getenv func(string) string // os.Getenv in production
	Home   string              // folder of the user; empty: none
}

// ConfiguredCredentials serves the credentials of the server's configuration.
// Environment variables are read once, now; files are read at each use, because
// they rotate. Of the entries for a host, the one with the port wins.
//
// An entry without a port counts for https on its usual port, and for ssh on any
// port, where nothing secret is sent. Plain http gets a token only if the entry
// names the port, or on loopback: a token never goes over the wire in clear
// because somebody wrote http instead of https.
//
// Without an ssh key in the configuration, the agent and the usual key files of
// the user are tried, as ssh does.
func ConfiguredCredentials(entries []schema.Credential, env Environment) Credentials {
	tokens := make([]string, len(entries))
	for i, entry := range entries {
		if entry.TokenEnv != "" {
			tokens[i] = strings.TrimSpace(env.Getenv(entry.TokenEnv))
		}
	}
	agent := env.Getenv("SSH_AUTH_SOCK")
	return func(loc Location) (Credential, error) {
		var cred Credential
		if i := EntryFor(entries, loc); i >= 0 {
			var err error
			if cred, err = resolve(entries[i], tokens[i]); err != nil {
				return Credential{}, err
			}
		}
		if loc.IsSSH() {
			cred = withUserDefaults(cred, env.Home, agent)
		}
		return cred, nil
	}
}

// EntryFor returns the index of the entry that [ConfiguredCredentials] takes for
// the location; negative: there is none.
func EntryFor(entries []schema.Credential, loc Location) int {
	found := -1
	for i, entry := range entries {
		host := strings.ToLower(strings.TrimSpace(entry.Host))
		switch {
		case host == loc.Address():
			return i
		case found < 0 && strings.Trim(host, "[]") == loc.Host && loc.anyPort():
			found = i
		}
	}
	return found
}

// anyPort tells whether an entry without a port counts for the location.
func (l Location) anyPort() bool {
	switch l.Kind {
	case KindHTTPS:
		return l.Port == ""
	case KindHTTP:
		ip := net.ParseIP(l.Host)
		return l.Host == "localhost" || ip != nil && ip.IsLoopback()
	default:
		return l.IsSSH()
	}
}

func resolve(entry schema.Credential, token string) (Credential, error) {
	cred := Credential{Username: entry.Username, Token: token}
	if entry.KnownHostsFile != "" {
		cred.KnownHosts = []string{entry.KnownHostsFile}
	}
	var errs []error
	read := func(what, file string) []byte {
		if file == "" {
			return nil
		}
		data, err := ReadSecret(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", what, err))
		}
		return data
	}
	if data := read("tokenFile", entry.TokenFile); data != nil {
		cred.Token = strings.TrimSpace(string(data))
	}
	cred.SSHKey = read("sshKeyFile", entry.SSHKeyFile)
	cred.CA = read("caFile", entry.CAFile)
	if err := errors.Join(errs...); err != nil {
		return Credential{}, fail(schema.Terminal, "check the credentials of "+entry.Host+" in the configuration", err)
	}
	return cred, nil
}

// ReadSecret reads a file with a secret, which is short.
func ReadSecret(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(data) > maxSecretFile {
		err = fmt.Errorf("%s is %w", file, errTooLarge)
	}
	return data, err
}

// withUserDefaults fills in what ssh itself would use.
func withUserDefaults(cred Credential, home, agent string) Credential {
	if len(cred.KnownHosts) == 0 {
		if home != "" {
			cred.KnownHosts = append(cred.KnownHosts, filepath.Join(home, ".ssh", "known_hosts"))
		}
		cred.KnownHosts = append(cred.KnownHosts, "/etc/ssh/ssh_known_hosts")
	}
	if len(cred.SSHKey) > 0 {
		return cred
	}
	cred.SSHAgent = agent
	for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
		if home == "" || agent != "" {
			break
		}
		if key, err := ReadSecret(filepath.Join(home, ".ssh", name)); err == nil {
			cred.SSHKey = key
			break
		}
	}
	return cred
}
