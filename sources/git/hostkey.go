package git

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	known "golang.org/x/crypto/ssh/knownhosts"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
)

// hostKeys are the host keys that are trusted.
type hostKeys struct {
	files []string // as configured, for hints
	db    *knownhosts.HostKeyDB
}

// readHostKeys reads known_hosts files; those that do not exist hold no keys.
func readHostKeys(files []string) (hostKeys, error) {
	db, err := knownhosts.NewDB(existing(files)...)
	if err != nil {
		return hostKeys{}, fail(schema.Terminal, "correct or remove the line", errors.New(web.Clean(err.Error())))
	}
	return hostKeys{files: files, db: db}, nil
}

// A hostKeyChecker verifies the key of one host and keeps why it did not.
// The ssh package passes the error of its callback on as mere text.
type hostKeyChecker struct {
	hosts  hostKeys
	loc    Location
	failed *schema.Error
}

func (h hostKeys) checker(loc Location) *hostKeyChecker {
	return &hostKeyChecker{hosts: h, loc: loc}
}

// verify refuses every key that is not known to be the host's.
func (c *hostKeyChecker) verify(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := c.hosts.db.HostKeyCallback()(addr, remote, key)
	if err == nil {
		return nil
	}
	shown := key.Type() + " " + ssh.FingerprintSHA256(key)
	var mismatch *known.KeyError
	var revoked *known.RevokedError
	switch {
	case errors.As(err, &mismatch) && len(mismatch.Want) == 0:
		c.failed = fail(schema.Terminal, c.howToTrust(addr, key), fmt.Errorf("the host key of %s is unknown: %s", c.loc.Host, shown))
	case errors.As(err, &mismatch):
		want := mismatch.Want[0]
		c.failed = fail(schema.Terminal,
			fmt.Sprintf("somebody may be listening in; if the host has a new key, replace line %d of %s", want.Line, want.Filename),
			fmt.Errorf("the host key of %s has changed: %s instead of %s %s", c.loc.Host, shown, want.Key.Type(), ssh.FingerprintSHA256(want.Key)))
	case errors.As(err, &revoked):
		c.failed = fail(schema.Terminal, "the host needs a new key", fmt.Errorf("the host key of %s is revoked: %s", c.loc.Host, shown))
	default:
		c.failed = fail(schema.Terminal, "check known_hosts", errors.New(web.Clean(err.Error())))
	}
	return c.failed
}

func (c *hostKeyChecker) howToTrust(addr string, key ssh.PublicKey) string {
	if len(c.hosts.files) == 0 {
		return "set knownHostsFile in the credentials of " + c.loc.Host
	}
	return fmt.Sprintf("if that is the host's fingerprint, add this line to %s: %s",
		strings.Join(c.hosts.files, " or "), known.Line([]string{addr}, key))
}
