package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func usageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// usageArgs makes every command's complaint about its arguments a usage error that
// tells how it is called.
func usageArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if slices.Contains(args, "") { // as of a variable of the shell that is not set
				return usageErrorf("an argument is empty; write: %s", cmd.UseLine())
			}
			err := check(cmd, args)
			var usage usageError
			if err == nil || errors.As(err, &usage) {
				return err
			}
			if len(args) == 0 { // every command that needs some needs one
				return usageErrorf("an argument is missing; write: %s", cmd.UseLine())
			}
			return usageErrorf("%d arguments are too many; write: %s", len(args), cmd.UseLine())
		}
	}
	for _, sub := range cmd.Commands() {
		usageArgs(sub)
	}
}

// noArgs refuses arguments, in plainer words than [cobra.NoArgs].
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageErrorf("%q is too much: this takes no arguments", args[0])
	}
	return nil
}

// noSuchCommand refuses what follows a command that only has others below it.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return usageErrorf("unknown command %q%s", strings.TrimSpace(cmd.CommandPath()+" "+args[0]), meant(args[0], known))
}

// addHelp adds the command "help", which cobra makes; it refuses a command that
// there is not.
func addHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args = func(_ *cobra.Command, args []string) error {
				found, rest, err := root.Find(args)
				if err == nil && found.HasSubCommands() {
					err = noSuchCommand(found, rest)
				}
				return err
			}
		}
	}
}

// values say what a flag of a type takes.
var values = map[string]string{
	"int":      "it is no whole number",
	"duration": "it is no duration: write it as 30s, 5m or 1h30m",
	"bool":     "it is neither true nor false",
}

// flagError says what is wrong with a flag in the words of the other errors.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		why, ok := values[value.GetFlag().Value.Type()]
		if !ok {
			why = value.Unwrap().Error()
		}
		return usageErrorf("--%s %q: %s", value.GetFlag().Name, value.GetValue(), why)
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "":
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		near := meant(unknown.GetSpecifiedName(), known)
		return usageErrorf("unknown flag --%s%s", unknown.GetSpecifiedName(), strings.Replace(near, "mean ", "mean --", 1))
	}
	return usageError{err}
}
