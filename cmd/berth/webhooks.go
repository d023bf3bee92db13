package main

import (
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/berthdev/berth/schema"
)

// webhookSecrets returns a function that reads the secrets of a repo as they are
// now, and for no name those that all repos share. A repo that the configuration
// does not name has none.
func webhookSecrets(cfg schema.Webhooks, log *slog.Logger) func(repo string) [][]byte {
	readers := map[string]*secretReader{"": {env: cfg.SecretEnv, file: cfg.SecretFile, log: log}}
	for _, r := range cfg.Repos {
		readers[r.Repo] = &secretReader{env: r.SecretEnv, file: r.SecretFile, log: log.With("source", r.Repo)}
	}
	return func(repo string) [][]byte {
		if r := readers[repo]; r != nil {
			return r.read()
		}
		return nil
	}
}

// A secretReader reads secrets from where the configuration says they are.
type secretReader struct {
	env, file  string
	log        *slog.Logger
	unreadable atomic.Bool
}

// read returns the secrets: there may be two lines, the new one and the former
// one. That they cannot be read is logged once, not at each delivery.
func (r *secretReader) read() [][]byte {
	text, err := secret(r.env, r.file)
	if failed := err != nil; r.unreadable.Swap(failed) != failed && failed {
		r.log.Error("the webhook secret cannot be read: webhooks are refused", "error", err)
	}
	var out [][]byte
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, []byte(line))
		}
	}
	return out
}
