package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
)

// serverFlags say which running Berth a command asks, and as whom. A token never
// stands on the command line, where every user of the machine can read it.
type serverFlags struct {
	server    string
	tokenFile string
	caFile    string
}

func addServerFlags(cmd *cobra.Command) *serverFlags {
	f := &serverFlags{}
	cmd.Flags().StringVarP(&f.server, "server", "s", "", "the server to ask, as URL or HOST:PORT (BERTH_SERVER; default "+client.DefaultServer+")")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "the file that holds the token for it (BERTH_SERVER_TOKEN_FILE; BERTH_SERVER_TOKEN is the token itself)")
	cmd.Flags().StringVar(&f.caFile, "ca-file", "", "certificate authorities to trust besides the system's (BERTH_SERVER_CA_FILE)")
	for flag, env := range map[string]string{"server": "BERTH_SERVER", "token-file": "BERTH_SERVER_TOKEN_FILE", "ca-file": "BERTH_SERVER_CA_FILE"} {
		note(cmd, flag, noteGroup, groupServer)
		note(cmd, flag, noteEnv, env)
	}
	note(cmd, "server", noteDefault, client.DefaultServer)
	return f
}

// serverFlagsOf returns the flags of a command that has them, as they were given.
func serverFlagsOf(cmd *cobra.Command) *serverFlags {
	f := &serverFlags{}
	for name, into := range map[string]*string{"server": &f.server, "token-file": &f.tokenFile, "ca-file": &f.caFile} {
		if flag := cmd.Flags().Lookup(name); flag != nil {
			*into = flag.Value.String()
		}
	}
	return f
}

// open returns a client of the server that flags or environment name; it asks
// nothing yet.
func (f *serverFlags) open() (*client.Client, error) {
	token := os.Getenv("BERTH_SERVER_TOKEN")
	if file := cmp.Or(f.tokenFile, os.Getenv("BERTH_SERVER_TOKEN_FILE")); file != "" && (token == "" || f.tokenFile != "") {
		var err error
		if token, err = secret("", file); err != nil {
			return nil, err
		}
	}
	return client.New(client.Options{
		Server: cmp.Or(f.server, os.Getenv("BERTH_SERVER")),
		Token:  token,
		CAFile: expandHome(cmp.Or(f.caFile, os.Getenv("BERTH_SERVER_CA_FILE"))),
	})
}
