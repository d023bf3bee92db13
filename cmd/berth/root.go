package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/berthdev/berth/schema"
)

// Exit codes, the same for every command.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitChanges = 3 // plan: there is something to change
)

// console is where a command reads and writes. Results go to out; progress,
// logs and errors go to err, so that results can be piped.
type console struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// interactive tells whether a person reads what w gets.
func interactive(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// exitError ends the command with a code and says nothing more.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// execute runs a command line and returns the exit code.
func execute(ctx context.Context, args []string, c console) int {
	root := newRoot(c)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var code exitError
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "berth: %v\nSee '%s --help'.\n", err, cmd.CommandPath())
		return exitUsage
	default:
		tellError(c.err, err)
		return exitFailed
	}
}

// tellError prints an error as a person reads it: what failed, then each thing
// that is wrong on a line of its own, then what to do.
func tellError(w io.Writer, err error) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			tellError(w, one)
		}
		return
	}
	var problems schema.Problems
	if errors.As(err, &problems) {
		for _, p := range problems {
			fmt.Fprintln(w, printableLines(p.Error()))
		}
		fmt.Fprintf(w, "berth: %d %s\n", len(problems), plural(len(problems), "error", "errors"))
		return
	}
	var e *schema.Error
	if errors.As(err, &e) && e.Hint != "" {
		bare := *e
		bare.Hint = ""
		text := strings.Replace(err.Error(), e.Error(), bare.Error(), 1)
		fmt.Fprintf(w, "berth: %s\nhint: %s\n", printableLines(text), printableLines(e.Hint))
		return
	}
	fmt.Fprintf(w, "berth: %s\n", printableLines(err.Error()))
}

// printableLines makes each line of a text printable: errors hold what documents,
// engines and git servers say.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func newRoot(c console) *cobra.Command {
	root := &cobra.Command{
		Use:   "berth",
		Short: "Run containerised apps as git declares them",
		Long: `Berth follows git: app repositories publish releases and flavours, a
desired-state repository declares deployments, and Berth keeps pods on Docker
and Kubernetes as declared.

Start with "berth demo"; then "berth serve URL" with a desired-state repository.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		Version:       versionOf().String(), // for --version, which many try first
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(flagError)
	addGroup(root, "Run:", newServe(c), newDemo(c), newUninstall(c))
	addGroup(root, "Ask what runs, and why:",
		newGet(c), newDescribe(c), newTree(c), newLogs(c), newEvents(c), newTop(c), newSearch(c), newExplain(c))
	addGroup(root, "Ask for work:", newReconcile(c), newRetry(c))
	addGroup(root, "Before a push:", newValidate(c), newPlan(c), newSchema(c))
	root.AddCommand(newToken(c), newVersion(c), newDemoApp(c))
	addCompletion(root)
	addHelp(root)
	usageArgs(root)
	return root
}

// addGroup adds commands that the help lists together.
func addGroup(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// outputFlag adds -o with the formats that a command knows, the first by default.
func outputFlag(cmd *cobra.Command, into *string, formats ...string) {
	cmd.Flags().StringVarP(into, "output", "o", formats[0], "output format: "+strings.Join(formats, ", "))
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		for _, f := range formats {
			if *into == f {
				if before != nil {
					return before(cmd, args)
				}
				return nil
			}
		}
		return usageErrorf("unknown output format %q; use one of %s", *into, strings.Join(formats, ", "))
	}
	completeFixed(cmd, "output", formats)
}
