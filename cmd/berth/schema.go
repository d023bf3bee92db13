package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/schema"
)

func newSchema(c console) *cobra.Command {
	return &cobra.Command{
		Use:   "schema KIND",
		Short: "Print the JSON Schema of a kind of document, for editors",
		Long: `Print the JSON Schema of a kind of document: ` + strings.Join(schema.Kinds(), ", ") + `.

An editor that speaks YAML checks and completes documents with it, for example
when the first line of a file is
  # yaml-language-server: $schema=./deployment.schema.json`,
		Example:           "  berth schema Deployment > deployment.schema.json",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.FixedCompletions(schema.Kinds(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, kind := range schema.Kinds() {
				if strings.EqualFold(kind, args[0]) {
					text, err := schema.JSONSchema(kind)
					if err != nil {
						return err
					}
					_, err = c.out.Write(append(text, '\n'))
					return err
				}
			}
			return usageError{fmt.Errorf("unknown kind %q; use one of %s", args[0], strings.Join(schema.Kinds(), ", "))}
		},
	}
}
