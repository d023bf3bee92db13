package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/schema"
)

func newToken(c console) *cobra.Command {
	var role string
	var stdin bool
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token with which the server can be asked from elsewhere",
		Long: `Make a random token, and print it with the lines that belong into the server's
configuration. Those hold only its hash: the token is shown once and stored
nowhere. Whoever is given it puts it into BERTH_SERVER_TOKEN.

A viewer may look; an admin may also ask for work (reconcile, retry). To take a
token back, remove its lines; the server follows its configuration.`,
		Example: `  berth token wall-screen
  berth token ci --role admin
  berth token ci --role admin --stdin < token.txt`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(_ *cobra.Command, args []string) error {
			return makeToken(c, args[0], schema.Role(role), stdin)
		},
	}
	cmd.Flags().StringVar(&role, "role", string(access.Viewer), "what it allows: "+strings.Join(schema.Role("").Values(), " or "))
	cmd.Flags().BoolVar(&stdin, "stdin", false, "read a token that was made before from standard input, and print its lines only")
	completeFixed(cmd, "role", schema.Role("").Values())
	return cmd
}

func makeToken(c console, name string, role schema.Role, stdin bool) error {
	if role != access.Viewer && role != access.Admin {
		return usageError{fmt.Errorf("unknown role %q; use one of %s", role, strings.Join(schema.Role("").Values(), ", "))}
	}
	token := access.NewToken()
	if stdin {
		line, err := bufio.NewReader(io.LimitReader(c.in, 1<<10)).ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		token = strings.TrimSpace(line)
		if err := access.CheckToken(token); err != nil {
			return fmt.Errorf("read token from standard input: %w", err)
		}
	}
	cfg := schema.Config{Access: schema.Access{Tokens: []schema.Token{{Name: name, Role: role, Hash: access.Hash(token)}}}}
	for _, p := range cfg.Validate().Errors() {
		return usageError{fmt.Errorf("the token's name: %s (%s)", p.Message, p.Hint)}
	}
	if !stdin {
		fmt.Fprintf(c.out, "%s\n\n# Keep the line above: it is not shown again. These belong into the configuration:\n", token)
	}
	fmt.Fprintf(c.out, "access:\n  tokens:\n    - {name: %s, role: %s, hash: %q}\n", name, role, cfg.Access.Tokens[0].Hash)
	return nil
}
