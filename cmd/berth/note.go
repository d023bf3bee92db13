package main

import "github.com/spf13/cobra"

// What docs/cli.md tells of a flag besides its usage.
const (
	noteGroup   = "group"   // the group of flags that several commands share; they are described once
	noteEnv     = "env"     // the environment variable that sets it too
	noteDefault = "default" // what holds when it is not given, where the flag itself cannot tell
)

// The groups of flags that several commands share.
const (
	groupConfiguration = "configuration"
	groupServer        = "server"
)

// note adds a note to a flag; an empty one is none.
func note(cmd *cobra.Command, flag, key, value string) {
	if value != "" {
		_ = cmd.Flags().SetAnnotation(flag, key, []string{value}) // the flag is there: it was just added
	}
}
