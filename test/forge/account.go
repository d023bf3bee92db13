package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// account is who runs Gitea, which refuses to run as root.
type account struct {
	name       string
	credential *syscall.Credential // nil: whoever this process is
}

// giteaUser is this user; root has nobody run it: an account that each machine has.
func giteaUser() (account, error) {
	if os.Getuid() != 0 {
		u, err := user.Current()
		if err != nil {
			return account{}, err
		}
		return account{name: u.Username}, nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		return account{}, fmt.Errorf("Gitea does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, err
	}
	return account{name: u.Username, credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// own gives the account a file or folder.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}
